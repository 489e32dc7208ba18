"""Where files that are made or fetched once are kept, and how they get there whole."""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_dir(name: str) -> Path:
    """The folder `name` in the user's cache, made if it is not there.

    `HASHFORMER_CACHE` overrides the place; without it the platform's custom holds.
    """
    root = os.environ.get("HASHFORMER_CACHE")
    if root:
        base = Path(root)
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "hashformer"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches" / "hashformer"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hashformer"
    folder = base / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; it takes `path`'s place only if the block ends well.

    A killed process, a full disk or a second process at the same work leaves either the old file or
    the whole new one, never half of one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(6)}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
