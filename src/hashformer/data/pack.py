"""Prepared folders into tar shards of bounded size; the same folders give the same bytes."""

import csv
import io
import random
import tarfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from hashformer.data.manifest import Row
from hashformer.data.shards import INDEX_NAME, ROW_FIELD, files_of, find_prepared, key_of, row_bytes
from hashformer.errors import StoreError
from hashformer.preprocess.folders import appearing
from hashformer.preprocess.record import read_record

MAX_SHARD_BYTES = 1_000_000_000


@dataclass
class PackSummary:
    """What was packed.

    Attributes:
        n_packed: Prepared files in the shards.
        n_shards: Tar files written.
        n_bytes: Their size together.
        failures: Folder and reason of each that could not be packed.
    """

    n_packed: int = 0
    n_shards: int = 0
    n_bytes: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)


def pack_folders(
    prepared: Path,
    shards: Path,
    *,
    max_bytes: int = MAX_SHARD_BYTES,
    seed: int | None = None,
    rows: Sequence[Row] = (),
    on_packed: Callable[[int, int], None] | None = None,
) -> PackSummary:
    """Pack every prepared folder below a folder.

    `shards` appears when it is complete. Beside `shard-000000.tar` and on it holds `shards.csv`: which
    shard has which file.

    Args:
        prepared: Top folder that `preprocess_files` filled.
        shards: Where to; an earlier pack there is replaced.
        max_bytes: Most bytes in a shard. A file larger than that has a shard of its own.
        rows: Of a manifest; a file's row is packed with it, for `labelled_shards`. Files without a row have none.
        seed: Shuffles the files; without it they follow their names, and with them often their labels.
        on_packed: Called with how many files are done, and of how many.

    Returns:
        What was packed; a damaged folder is listed there, not packed.

    Raises:
        StoreError: If there is nothing to pack, the folders were prepared with different settings, or
            the shards cannot be written.
    """
    folders = find_prepared(prepared)
    if not folders:
        raise StoreError(f"{prepared}: holds no prepared files. Name the --output_dir of hashformer preprocess.")
    if seed is not None:
        random.Random(seed).shuffle(folders)
    summary, settings = PackSummary(), set[str]()
    labelled = {row.path: row_bytes(row, row_idx) for row_idx, row in enumerate(rows)}
    with appearing(shards, marker=INDEX_NAME) as temporary, _ShardWriter(temporary, max_bytes, summary) as writer:
        for n_done, folder in enumerate(folders, start=1):
            name = folder.relative_to(prepared).as_posix()
            try:
                record = read_record(folder)
                files = files_of(folder, record)
            except StoreError as error:
                summary.failures.append((name, str(error)))
                continue
            settings.add(record.settings_sha256)
            if len(settings) > 1:
                raise StoreError(f"{folder}: was prepared with other settings than the rest. Prepare all files again.")
            writer.add(name, files, labelled.get(name))
            if on_packed is not None:
                on_packed(n_done, len(folders))
    return summary


class _ShardWriter:
    """Fills shard after shard. A context manager."""

    def __init__(self, folder: Path, max_bytes: int, summary: PackSummary) -> None:
        self._folder, self._max_bytes, self._summary = folder, max_bytes, summary
        self._tar: tarfile.TarFile | None = None
        self._opened = ExitStack()
        index = self._opened.enter_context((folder / INDEX_NAME).open("w", newline="", encoding="utf-8"))
        self._rows = csv.writer(index)
        self._rows.writerow(("shard", "path"))

    def add(self, name: str, files: Mapping[str, Path], row: bytes | None) -> None:
        """Append one prepared file: its fields, where they lie, and its row of the manifest."""
        members = [
            (_member(f"{key_of(name)}.{field_name}", path.stat().st_size), path) for field_name, path in files.items()
        ]
        size = sum(_size_in_tar(member) for member, _ in members)
        label = None if row is None else _member(f"{key_of(name)}.{ROW_FIELD}", len(row))
        size += 0 if label is None else _size_in_tar(label)
        tar = self._tar
        if tar is None or tar.offset + size + tarfile.RECORDSIZE > self._max_bytes:
            tar = self._next_shard()
        for member, path in members:
            with path.open("rb") as content:
                tar.addfile(member, content)
        if row is not None and label is not None:
            tar.addfile(label, io.BytesIO(row))
        self._rows.writerow((_shard_name(self._summary.n_shards - 1), name))
        self._summary.n_packed += 1

    def _next_shard(self) -> tarfile.TarFile:
        self._close_shard()
        path = self._folder / _shard_name(self._summary.n_shards)
        self._tar = tarfile.open(path, "w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - closed by _close_shard
        self._summary.n_shards += 1
        return self._tar

    def _close_shard(self) -> None:
        if self._tar is not None:
            self._tar.close()
            self._summary.n_bytes += (self._folder / _shard_name(self._summary.n_shards - 1)).stat().st_size
            self._tar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._opened:
            self._close_shard()


def _shard_name(number: int) -> str:
    return f"shard-{number:06d}.tar"


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)  # time, owner and mode keep their fixed defaults
    member.size = size
    return member


def _size_in_tar(member: tarfile.TarInfo) -> int:
    n_blocks = -(-member.size // tarfile.BLOCKSIZE)
    return len(member.tobuf(tarfile.PAX_FORMAT)) + n_blocks * tarfile.BLOCKSIZE
