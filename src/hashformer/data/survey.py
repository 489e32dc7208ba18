"""Look at many files at once; one that cannot be read becomes a reason, not an end."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from hashformer.errors import MediaError

Seen = TypeVar("Seen")
Advance = Callable[[int, int], None]
"""Called with how many files are done and how many there are."""
BATCH = 64
"""Few enough that a bar moves, enough that a slow file holds up little."""


def survey(
    paths: Sequence[Path], look: Callable[[Path], Seen], *, workers: int = 0, progress: Advance | None = None
) -> Iterator[tuple[Path, Seen | None, str]]:
    """Apply a function to every file, several at a time, and yield in the order given.

    Threads suffice: opening, reading and decoding happen outside the interpreter's lock.

    Args:
        paths: The files.
        look: What to do with each; may raise MediaError or OSError.
        workers: Threads; 0 takes one for each core.
        progress: Told after every batch.

    Yields:
        The file, what was seen or None, and the reason why it could not be read or "".
    """

    def attempt(path: Path) -> tuple[Path, Seen | None, str]:
        try:
            return path, look(path), ""
        except (MediaError, OSError) as error:
            return path, None, str(error)

    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        for start in range(0, len(paths), BATCH):
            batch = paths[start : start + BATCH]
            yield from pool.map(attempt, batch)
            if progress is not None:
                progress(start + len(batch), len(paths))
