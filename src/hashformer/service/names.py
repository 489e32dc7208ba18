"""What a client calls its file: shown to people, never used as a path."""

import unicodedata

MEDIA_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".3gp", ".flv", ".wmv"}
    | {".ogv", ".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus", ".aif", ".aiff", ".amr", ".caf", ".mxf"}
)
"""Endings by which an upload may count as media, whatever type the client states."""
MEDIA_TYPES = ("video/", "audio/", "application/mp4", "application/ogg", "application/mxf")
MAX_NAME = 120
"""Characters of a shown name."""
UNNAMED = "upload"


def display_name(given: str) -> str:
    """The client's file name as it is shown: its last part, without what cannot be seen or turns the text."""
    last = given.replace("\\", "/").rstrip("/").rsplit("/", maxsplit=1)[-1]
    # C: control, format and surrogate characters, among them those that reverse the reading direction.
    kept = "".join(char for char in unicodedata.normalize("NFC", last) if unicodedata.category(char)[0] != "C")
    kept = " ".join(kept.split())
    if len(kept) > MAX_NAME:
        suffix = suffix_of(kept)
        kept = kept[: MAX_NAME - len(suffix) - 1] + "…" + suffix
    return kept if kept.strip(". ") else UNNAMED


def suffix_of(name: str) -> str:
    """The ending of a name if it is one of media, in small letters; otherwise nothing."""
    dot = name.rfind(".")
    suffix = name[dot:].lower() if dot >= 0 else ""
    return suffix if suffix in MEDIA_SUFFIXES else ""


def may_be_media(name: str, content_type: str) -> bool:
    """Whether the name or the stated type is one of media. What the file really is the worker finds out."""
    return bool(suffix_of(name)) or content_type.lower().startswith(MEDIA_TYPES)
