"""Crafted files that attack whoever reads them: made on the spot, byte by byte, from small real ones."""

import io
import random
import struct
import zipfile
import zlib

SECRET = "canary-5f1c9e"
"""What stands in a file that no upload may have read."""


def box(kind: bytes, *content: bytes) -> bytes:
    """A box of an MP4."""
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def chunk(kind: bytes, *content: bytes) -> bytes:
    """A chunk of a RIFF file."""
    body = b"".join(content)
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def element(number: bytes, *content: bytes) -> bytes:
    """An element of a Matroska file; its length in eight bytes."""
    body = b"".join(content)
    return number + (1 << 56 | len(body)).to_bytes(8) + body


def avi(codec: bytes, packets: list[bytes], *, size: tuple[int, int] = (64, 64), n_streams: int = 1, fps: int = 25):
    """An AVI film of ready-made packets; further streams are empty."""
    width, height = size
    main = struct.pack("<14I", 40_000, 0, 0, 0x10, len(packets), 0, n_streams, 0, width, height, 0, 0, 0, 0)
    stream = struct.pack("<4s4s12I", b"vids", codec, 0, 0, 0, 1, fps, 0, len(packets), 0, 0, 0, 0, 0)
    look = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, codec, 0, 0, 0, 0, 0)
    one = chunk(b"LIST", b"strl", chunk(b"strh", stream), chunk(b"strf", look))
    header = chunk(b"LIST", b"hdrl", chunk(b"avih", main), one * n_streams)
    return chunk(b"RIFF", b"AVI ", header, chunk(b"LIST", b"movi", *(chunk(b"00dc", each) for each in packets)))


def wav(*, rate_hz=16_000, channels=1, n_bytes=32_000, stated=None, riff=None):
    """A WAV of silence whose header states what it likes."""
    width = 2 * channels
    head = struct.pack("<HHIIHH", 1, channels, rate_hz, rate_hz * width & 0xFFFFFFFF, width & 0xFFFF, 16)
    data = b"data" + struct.pack("<I", n_bytes if stated is None else stated) + bytes(n_bytes)
    body = b"WAVE" + chunk(b"fmt ", head) + data
    return b"RIFF" + struct.pack("<I", len(body) if riff is None else riff) + body


def sps(width_mbs: int, height_mbs: int) -> bytes:
    """The start of an H.264 stream that states a size in macroblocks, then a picture of noise."""
    bits = "".join([f"{0x42001E:024b}", *map(_golomb, (0, 0, 2, 1)), "0", _golomb(width_mbs - 1)])
    bits += _golomb(height_mbs - 1) + "1" + "0" + "0" + "0" + "1"
    bits += "0" * (-len(bits) % 8)
    payload = int(bits, 2).to_bytes(len(bits) // 8)
    noise = bytes(b or 1 for b in random.Random(0).randbytes(500))
    return b"\0\0\0\1\x67" + payload + b"\0\0\0\1\x68\xce\x38\x80" + b"\0\0\0\1\x65\x88\x84" + noise


def _golomb(value: int) -> str:
    code = f"{value + 1:b}"
    return "0" * (len(code) - 1) + code


def png(width: int, height: int) -> bytes:
    """A picture that states a size and holds next to nothing of it."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(10**6)))]
    body = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in [*parts, (b"IEND", b"")]
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def mkv_of_streams(n_streams: int) -> bytes:
    """A Matroska header that declares many tracks."""

    def track(i: int) -> bytes:
        video = element(b"\xe0", element(b"\xb0", b"\x40"), element(b"\xba", b"\x40"))
        number = i.to_bytes(3)
        return element(b"\xae", element(b"\xd7", number), element(b"\x73\xc5", number), element(b"\x83", b"\1"),
                       element(b"\x86", b"V_MJPEG"), video)  # fmt: skip

    tracks = element(b"\x16\x54\xae\x6b", *(track(i + 1) for i in range(n_streams)))
    info = element(b"\x15\x49\xa9\x66", element(b"\x2a\xd7\xb1", (10**6).to_bytes(3)))
    pictures = element(b"\x1f\x43\xb6\x75", element(b"\xe7", b"\0"), element(b"\xa3", b"\x81\0\0\x80x"))
    kind = element(b"\x1a\x45\xdf\xa3", element(b"\x42\x82", b"matroska"))
    return kind + element(b"\x18\x53\x80\x67", info, tracks, pictures)


def find_box(film: bytes, kind: bytes, begin: int = 0) -> tuple[int, int]:
    """Where the first box of a kind starts and ends."""
    start = film.index(kind, begin) - 4
    return start, start + int.from_bytes(film[start : start + 4])


def patched(film: bytes, kind: bytes, offset: int, new: bytes) -> bytes:
    """The film with bytes in its first box of a kind replaced, counted from the name of the box."""
    at = film.index(kind) + offset
    return film[:at] + new + film[at + len(new) :]


def compressed_header(n_bytes: int) -> bytes:
    """An MP4 whose index is packed: a few bytes that unfold into many."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(2**20)) for _ in range(n_bytes >> 20)) + packer.flush()
    unfolded = box(b"cmvd", struct.pack(">I", n_bytes), packed)
    return box(b"ftyp", b"qt  ", bytes(4)) + box(b"moov", box(b"cmov", box(b"dcom", b"zlib"), unfolded))


def zip_bomb(n_bytes: int) -> bytes:
    """An archive of zeros, a thousandth of their number long."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("clip.mp4", bytes(n_bytes))
    return target.getvalue()


def id3(n_bytes: int, sound: bytes, *, stated: int | None = None) -> bytes:
    """A sound behind a tag of many bytes, or of as many as it states."""
    size = n_bytes if stated is None else stated
    return b"ID3\4\0\0" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0)) + bytes(n_bytes) + sound


def pointing_elsewhere(film: bytes, target: bytes) -> bytes:
    """An MP4 that says its pictures lie in another file."""
    start, end = find_box(film, b"dref")
    reference = box(b"dref", struct.pack(">II", 0, 1), box(b"url ", bytes(4), target + b"\0"))
    grown = len(reference) - (end - start)
    film = film[:start] + reference + film[end:]
    for kind in (b"dinf", b"minf", b"mdia", b"trak", b"moov"):
        at, stop = find_box(film, kind)
        film = film[:at] + struct.pack(">I", stop - at + grown) + film[at + 4 :]
    return film


def playlists(target: str) -> dict[str, bytes]:
    """Files that have a careless reader open another one, by name."""
    hls = f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n".encode()
    concat = f"ffconcat version 1.0\nfile '{target}'\n".encode()
    dash = f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><BaseURL>{target}</BaseURL>'
    session = f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\na=control:{target}\n"
    return {
        "hls.mp4": hls,
        "hls.ts": hls,
        "concat.mp4": concat,
        "dash.mp4": (dash + "</MPD>").encode(),
        "session.mp4": session.encode(),
        "reference.mov": f"[Reference]\nRef1={target}\n".encode(),
        "rtsp.mov": b"RTSPtext\r\n" + target.encode(),
        "asx.wmv": f'<ASX version="3.0"><ENTRY><REF HREF="{target}"/></ENTRY></ASX>'.encode(),
    }
