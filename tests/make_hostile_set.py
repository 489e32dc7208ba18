"""The files that attack the service, by name, each with how its job may end."""

import gzip
import struct
from fractions import Fraction
from pathlib import Path

from make_hostile import (
    SECRET,
    avi,
    compressed_header,
    find_box,
    id3,
    mkv_of_streams,
    patched,
    playlists,
    png,
    pointing_elsewhere,
    sps,
    wav,
    zip_bomb,
)
from make_media import fast_start, flash_and_beep, remux, sound_only

UNREADABLE, TOO_LONG, DONE = "unreadable", "too_long", "done"
Files = dict[str, tuple[bytes, set[str]]]
YEARS_S = 10**8
MP4 = struct.pack(">I4s8s", 16, b"ftyp", b"isomiso2")


def quick(folder: Path, address: str) -> Files:
    """All that are soon decided. `address` is one that nothing may ask."""
    film = fast_start(flash_and_beep(folder / "film.mp4", duration_s=1.0, at_s=(0.4,)), folder / "fast.mp4")
    whole, plain = film.read_bytes(), (folder / "film.mp4").read_bytes()
    return {
        **_cut(whole, plain),
        **_no_media(),
        **_huge(whole),
        **_elsewhere(whole, folder, address),
        **_sounds(folder),
        **_times(whole, folder),
    }


def _cut(whole: bytes, plain: bytes) -> Files:
    first, last = find_box(whole, b"mdat")
    unreadable = {
        "one-byte.mp4": b"\0",
        "cut-10.mp4": whole[:10],
        "cut-in-index.mp4": whole[: find_box(whole, b"moov")[0] + 200],
        "cut-before-index.mp4": plain[: find_box(plain, b"moov")[0]],
    }
    return {
        **{name: (content, {UNREADABLE}) for name, content in unreadable.items()},
        "cut-half.mp4": (whole[: len(whole) // 2], {DONE}),
        "index-alone.mp4": (whole[:first] + whole[last:], {DONE}),
        "boxes-without-end.mp4": (MP4 + b"\0\0\0\0moov" * 1000, {UNREADABLE}),
        "boxes-in-boxes.mp4": (MP4 + b"".join(struct.pack(">I4s", 2**31 - 8 * i, b"moov") for i in range(10**4)),
                               {UNREADABLE}),
    }  # fmt: skip


def _no_media() -> Files:
    entity = '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg">&x;</svg>'
    contents = {
        "text.mp4": b"This is no film.\n" * 500,
        "page.mp4": b"<!DOCTYPE html><script>alert(1)</script>" * 20,
        "drawing.mp4": entity.encode(),
        "photo.mp4": png(64, 64),
        "zip-bomb.mp4": zip_bomb(2**28),
        "gzip-bomb.mp4": gzip.compress(bytes(2**26)),
        "zeros.mkv": bytes(100_000),
        "program.mp4": b"\x7fELF\2\1\1" + bytes(10_000),
    }
    return {name: (content, {UNREADABLE}) for name, content in contents.items()}


def _huge(whole: bytes) -> Files:
    side = struct.pack(">HH", 65_535, 65_535)
    fixed = struct.pack(">II", 65_535 << 16, 65_535 << 16)
    return {
        "huge-track.mp4": (patched(whole, b"tkhd", 80, fixed), {DONE}),
        "huge-entry.mp4": (patched(whole, b"avc1", 28, side), {UNREADABLE, DONE}),
        "huge-sequence.avi": (avi(b"H264", [sps(4096, 4096)], size=(64, 64)), {UNREADABLE, DONE}),
        "huge-raw.avi": (avi(b"DIB ", [bytes(1000)], size=(65_535, 65_535)), {UNREADABLE}),
        "huge-picture.avi": (avi(b"MPNG", [png(65_535, 65_535)]), {UNREADABLE, DONE}),
        "empty-picture.avi": (avi(b"MPNG", [png(0, 0)], size=(0, 0)), {UNREADABLE}),
        "streams.avi": (avi(b"MJPG", [b"x"], n_streams=10_000), {UNREADABLE}),
        "many-streams.avi": (avi(b"MJPG", [b"x"], n_streams=900), {UNREADABLE, DONE}),
        "streams.mkv": (mkv_of_streams(10_000), {UNREADABLE, DONE}),
        "packed-index.mov": (compressed_header(2**26), {UNREADABLE}),
    }


def _elsewhere(whole: bytes, folder: Path, address: str) -> Files:
    secret = folder / "secret.txt"
    secret.write_text(SECRET, encoding="ascii")
    found: Files = {}
    for kind, target in (("file", f"file://{secret}"), ("passwd", "file:///etc/passwd"), ("web", address)):
        found |= {f"{kind}-{name}": (content, {UNREADABLE}) for name, content in playlists(target).items()}
        found[f"{kind}-pictures.mp4"] = (pointing_elsewhere(whole, target.encode()), {UNREADABLE, DONE})
    return found


def _sounds(folder: Path) -> Files:
    mp3 = sound_only(folder / "sound.mp3", duration_s=1.0, at_s=(0.2,)).read_bytes()
    return {
        "long-tag.mp3": (id3(5_000_000, mp3), {DONE}),
        "endless-tag.mp3": (id3(100, mp3, stated=2**28 - 1), {UNREADABLE, DONE}),
        "no-size.wav": (wav(stated=0, riff=0), {UNREADABLE, DONE}),
        "all-size.wav": (wav(stated=2**32 - 1, riff=2**32 - 1), {DONE}),
        "ten-hours.wav": (wav(stated=16_000 * 2 * 36_000), {DONE, TOO_LONG}),
        "one-hertz.wav": (wav(rate_hz=1), {TOO_LONG}),
        "no-rate.wav": (wav(rate_hz=0), {UNREADABLE}),
        "mad-rate.wav": (wav(rate_hz=2**32 - 1), {UNREADABLE, DONE}),
        "many-channels.wav": (wav(channels=65_535, n_bytes=131_070 * 4), {UNREADABLE, DONE}),
    }


def _times(whole: bytes, folder: Path) -> Files:
    once = flash_and_beep(folder / "once.mp4", fps=25, duration_s=0.04, at_s=(), sound_s=0)
    fast = flash_and_beep(folder / "hurried.mp4", fps=Fraction(100_000), duration_s=0.005, at_s=(), sound_s=0)
    early = remux(folder / "film.mp4", folder / "early.mkv", video_delay_s=-50.0, audio_delay_s=-50.0)
    years = struct.pack(">I", YEARS_S * 1000 & 0xFFFFFFFF)
    apart = patched(whole, b"stts", 16, struct.pack(">I", 2**31 - 1))
    return {
        "one-picture.mp4": (once.read_bytes(), {DONE}),
        "hurried.mp4": (fast.read_bytes(), {DONE}),
        "early.mkv": (early.read_bytes(), {DONE}),
        "years.mp4": (patched(whole, b"mvhd", 20, years), {TOO_LONG, DONE}),
        "years-apart.mp4": (apart, {TOO_LONG, DONE}),
        "hurried.avi": (avi(b"MPNG", [png(64, 64)] * 50, fps=2**31 - 1), {DONE}),
    }
