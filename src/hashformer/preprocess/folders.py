"""Folders that appear whole or not at all."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hashformer.errors import StoreError


class DiskFullError(StoreError):
    """There is no room left where prepared files are written."""


@contextmanager
def appearing(folder: Path, *, marker: str) -> Iterator[Path]:
    """Give a hidden folder, `.<name>.partial`, that takes the place of `folder` if the block ends well.

    What a killed process left of it is removed first.

    Args:
        folder: Where to; its parents are made. One that is there already is replaced.
        marker: A file by which a folder that may be replaced is known; the block must write it.

    Raises:
        DiskFullError: If the disk is full; nothing of the new folder remains.
        StoreError: If it cannot be written, or `folder` is something without the marker.
    """
    if folder.exists() and not (folder / marker).is_file():
        raise StoreError(f"{folder}: is there already and holds no {marker}. Name another output folder.")
    temporary, old = folder.with_name(f".{folder.name}.partial"), folder.with_name(f".{folder.name}.old")
    try:
        for rest in (temporary, old):
            if rest.exists():
                shutil.rmtree(rest)
        temporary.mkdir(parents=True)
        yield temporary
        if folder.exists():
            folder.rename(old)
        temporary.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFullError(f"{folder}: the disk is full. Free space or name another folder.") from error
        raise StoreError(f"{folder}: cannot be written ({error.strerror}). Name another folder.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
