"""One stream of an open file, packet by packet to frames, on past what is broken."""

from collections import Counter
from collections.abc import Iterator

from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.error import EOFError as EndOfStream
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Discard, Stream
from av.video.frame import VideoFrame

from hashformer.media.clock import MAX_GAP_BROADCAST_S, MAX_GAP_S, Clock
from hashformer.media.container import start_time_s, stream_duration_s

MAX_READ_ERRORS = 50
"""Read errors in a row after which the rest of the file counts as lost."""
PROMISE_TOLERANCE_S = 0.5
"""A stream that ends earlier than its container says by more than this is cut short."""


class Notes:
    """Gathers what is wrong with one stream, to tell it once at the end."""

    def __init__(self, kind: str) -> None:
        """Start with nothing wrong.

        Args:
            kind: "picture" or "sound", as the lines shall call the stream.
        """
        self.kind = kind
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lines: list[str] = []

    def count(self, singular: str, plural: str) -> None:
        """Count one more case, to be told as "1 `singular`" or "7 `plural`"."""
        self._counts[singular, plural] += 1

    def say(self, line: str) -> None:
        """Tell a line, once."""
        if line not in self._lines:
            self._lines.append(line)

    def hand_over(self, problems: list[str] | None) -> None:
        """Append the lines to the caller's list, each once."""
        counted = [f"{n} {plural if n > 1 else singular}" for (singular, plural), n in self._counts.items()]
        if problems is not None:
            problems.extend(line for line in (*counted, *self._lines) if line not in problems)


def decoded(container: InputContainer, stream: Stream, notes: Notes) -> Iterator[VideoFrame | AudioFrame]:
    """Decode one stream in order, streaming.

    Args:
        container: The open file; all its other streams are left unread.
        stream: A video or audio stream of it.
        notes: Told of packets that could not be read or decoded.

    Yields:
        Every frame that can be decoded.
    """
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all
    for packet in _packets(container, stream, notes):
        if packet.is_corrupt:
            notes.count(f"damaged {notes.kind} packet was read", f"damaged {notes.kind} packets were read")
        try:
            frames = packet.decode()
        except EndOfStream:  # flushed before
            continue
        except FFmpegError:
            notes.count(f"broken {notes.kind} packet was skipped", f"broken {notes.kind} packets were skipped")
            continue
        for frame in frames:
            if isinstance(frame, VideoFrame | AudioFrame):
                yield frame


def clock_for(container: InputContainer) -> Clock:
    """The clock of a stream of this file; picture and sound count from the same time zero."""
    joined = container.format.name in ("mpegts", "mpeg")
    return Clock(start_time_s(container), max_gap_s=MAX_GAP_BROADCAST_S if joined else MAX_GAP_S)


def stamp_s(frame: VideoFrame | AudioFrame) -> float | None:
    """The frame's time stamp in seconds; that of its packet if it has none of its own; or None."""
    ticks = frame.pts if frame.pts is not None else frame.dts
    return None if ticks is None or frame.time_base is None else float(ticks * frame.time_base)


def note_ending(stream: Stream, clock: Clock, notes: Notes) -> None:
    """Tell of time stamps that jumped and of a stream that ends before its container says."""
    for time_s in clock.jumps_s[:1]:
        more = f" and {len(clock.jumps_s) - 1} times more" if len(clock.jumps_s) > 1 else ""
        notes.say(f"the time stamps of the {notes.kind} jump at {time_s:.1f} s{more}; what follows is joined on")
    promised_s = stream_duration_s(stream)
    if promised_s is not None and clock.end_s < promised_s - PROMISE_TOLERANCE_S:
        notes.say(f"the {notes.kind} ends at {clock.end_s:.1f} s, the container promises {promised_s:.1f} s")


def _packets(container: InputContainer, stream: Stream, notes: Notes) -> Iterator["Packet[Stream]"]:
    errors = 0
    while errors < MAX_READ_ERRORS:
        try:
            for packet in container.demux(stream):
                errors = 0
                yield packet
        except FFmpegError as error:
            errors += 1
            notes.say(f"the file cannot be read throughout ({error.strerror})")
        except IndexError:  # PyAV stumbles at the end of a file in which streams appeared while it was read
            break
        else:
            return
    flush: Packet[Stream] = Packet()
    flush.stream = stream
    yield flush
