"""A loaded batch as tensors and plain values, on disk: for looking at, and for reading again."""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from hashformer.data.batch import PackedBatch
from hashformer.data.loaded import Loaded
from hashformer.timebase import Window


def save_batch(loaded: Loaded, path: Path, **more: Any) -> None:
    """Write a batch so that `torch.load(path, weights_only=True)` reads it: no object of ours is inside.

    Args:
        loaded: On any device.
        path: Of the file.
        more: Further plain values.
    """
    loaded = loaded.to(torch.device("cpu"))
    plain = {field.name: getattr(loaded, field.name) for field in fields(loaded)}
    for name in ("packed", "packed_second"):
        packed = plain[name]
        if packed is not None:
            content = {field.name: getattr(packed, field.name) for field in fields(packed)}
            plain[name] = content | {"present": dict(packed.present)}
    plain["windows"] = [(window.first_frame, window.n_frames, window.fps) for window in loaded.windows]
    torch.save({**plain, **more}, path)


def read_batch(path: Path) -> Loaded:
    """The batch that `save_batch` wrote."""
    plain = torch.load(path, map_location="cpu", weights_only=True)
    for name in ("packed", "packed_second"):
        if plain[name] is not None:
            plain[name] = PackedBatch(**plain[name])
    plain["windows"] = [Window(*window) for window in plain["windows"]]
    return Loaded(**{field.name: plain[field.name] for field in fields(Loaded)})


class KeptLoader:
    """A loader whose batches are the same every time: made once, then read from a folder.

    Forging the validation set takes longer than judging it.

    Args:
        source: Makes the batches.
        folder: Of this loader alone; it exists.
    """

    def __init__(self, source: Iterable[Loaded], folder: Path) -> None:
        self._source, self._folder = source, folder

    def __len__(self) -> int:
        return len(self._source)  # type: ignore[arg-type]  # every loader of ours has a length

    def __iter__(self) -> Iterator[Loaded]:
        done = self._folder / "done"
        if done.is_file():
            for i in range(int(done.read_text())):
                yield read_batch(self._folder / f"{i}.pt")
            return
        n_batches = 0
        for i, loaded in enumerate(self._source):
            save_batch(loaded, self._folder / f"{i}.pt")
            n_batches = i + 1
            yield loaded
        done.write_text(str(n_batches))
