"""Time stamps as files have them, missing and jumping, to seconds that go on."""

MAX_BACK_S = 1.0
"""A stamp that lies further back than this is a restart of the clock, not a frame out of order."""
MAX_DURATION_S = 10.0
"""A single frame that claims to last longer does not: what follows would be joined on after years."""
MAX_GAP_S = 600.0
"""A stamp that lies further ahead than this is wrong: one bad stamp must not become years of nothing."""
MAX_GAP_BROADCAST_S = 10.0
"""The same for MPEG streams, whose clocks jump where two recordings were joined (FFmpeg draws the same line)."""


class Clock:
    """Places the frames of one stream in seconds from the start of the file."""

    def __init__(self, start_s: float, *, max_gap_s: float = MAX_GAP_S) -> None:
        """Start.

        Args:
            start_s: The time stamp that is time zero.
            max_gap_s: The longest gap that is believed.
        """
        self._start_s = start_s
        self._offset_s = -start_s
        self._max_gap_s = max_gap_s
        self._expected_s = 0.0
        self.jumps_s: list[float] = []
        """Where the stamps jumped and what followed was joined on."""

    @property
    def end_s(self) -> float:
        """Time at which the last placed frame ends."""
        return self._expected_s

    def place(self, stamp_s: float | None, duration_s: float) -> float:
        """Time of a frame, in seconds from the start of the file.

        Args:
            stamp_s: Its time stamp; None if the file has none, and then it follows the one before.
            duration_s: How long it lasts.
        """
        time_s = self._expected_s if stamp_s is None else self._believed(stamp_s)
        self._expected_s = time_s + min(duration_s, MAX_DURATION_S)
        return time_s

    def _believed(self, stamp_s: float) -> float:
        # The second try is for a stamp that is right again after a wrong one.
        for offset_s in (self._offset_s, -self._start_s):
            if -MAX_BACK_S <= stamp_s + offset_s - self._expected_s <= self._max_gap_s:
                self._offset_s = offset_s
                return stamp_s + offset_s
        self.jumps_s.append(self._expected_s)
        self._offset_s = self._expected_s - stamp_s
        return self._expected_s
