"""Make coded packets longer without changing what they show or sound like: filler data, as the standards know it."""

import re

_START = re.compile(rb"\x00*\x00\x00\x01")
_LENGTH_BYTES = 4
"""Before each unit of a packet: a start code here, its length in an MP4."""
LEAST_PICTURE_FILL = 6
"""Bytes of the shortest filler unit: its length, its header, its end."""
LEAST_SOUND_FILL = 1
_FILLER_HEADER, _FILLER_BYTE, _RBSP_END = b"\x0c", b"\xff", b"\x80"
_AAC_END, _AAC_END_BITS = 0b111, 3
_AAC_FILL = 0b110
_SHORT_BITS, _SHORT_MOST = 7, 14
"""A fill element whose 4-bit count says how many bytes follow."""
_LONG_BITS, _LONG_MOST = 15, 269
"""One whose count is 15 − 1 + the next 8 bits."""


def picture_bytes(packet: bytes) -> int:
    """Size that a packet of H.264 has in an MP4.

    Args:
        packet: Units behind start codes (Annex B).
    """
    return sum(_LENGTH_BYTES + len(unit) for unit in _units(packet))


def filled_picture(packet: bytes, size: int) -> bytes:
    """A packet of H.264 that has a given size in an MP4, by one unit of filler data (ITU-T H.264, 7.3.2.7).

    Args:
        packet: Units behind start codes (Annex B).
        size: Wanted; at least `LEAST_PICTURE_FILL` above `picture_bytes`.

    Raises:
        ValueError: If `size` is too small.
    """
    spare = size - picture_bytes(packet) - LEAST_PICTURE_FILL
    if spare < 0:
        raise ValueError(f"size must be at least {size - spare}, got {size}")
    filler = _FILLER_HEADER + _FILLER_BYTE * spare + _RBSP_END
    return b"".join(b"\x00\x00\x00\x01" + unit for unit in (*_units(packet), filler))


def filled_sound(packet: bytes, size: int) -> bytes:
    """A packet of AAC of a given size, by fill elements before its end (ISO/IEC 14496-3, 4.4.2.7).

    Args:
        packet: One raw data block.
        size: Wanted; at least `LEAST_SOUND_FILL` above its length.

    Raises:
        ValueError: If `size` is too small, or the packet does not end as a raw data block does.
    """
    if size < len(packet) + LEAST_SOUND_FILL:
        raise ValueError(f"size must be at least {len(packet) + LEAST_SOUND_FILL}, got {size}")
    bits = int.from_bytes(packet)
    n_zeros = (bits & -bits).bit_length() - 1 if bits else 0  # up to the next whole byte
    bits >>= n_zeros
    if n_zeros > 7 or bits & _AAC_END != _AAC_END:
        raise ValueError(f"a packet of {len(packet)} bytes does not end as AAC does")
    bits >>= _AAC_END_BITS
    spare = 8 * size - (8 * len(packet) - n_zeros)
    while spare >= _SHORT_BITS:
        n_bytes = min(_LONG_MOST, (spare - _LONG_BITS) // 8)
        if n_bytes > _SHORT_MOST:
            head = _AAC_FILL << 12 | 15 << 8 | n_bytes - _SHORT_MOST
            n_bits = _LONG_BITS + 8 * n_bytes
        else:
            n_bytes = min(_SHORT_MOST, (spare - _SHORT_BITS) // 8)
            head = _AAC_FILL << 4 | n_bytes
            n_bits = _SHORT_BITS + 8 * n_bytes
        bits = (bits << n_bits) | head << 8 * n_bytes
        spare -= n_bits
    return (((bits << _AAC_END_BITS) | _AAC_END) << spare).to_bytes(size)


def _units(packet: bytes) -> list[bytes]:
    return [unit for unit in _START.split(packet) if unit]
