"""Clips from prepared folders and from WebDataset shards of them: the same either way.

One prepared file is one WebDataset sample. Its key is its name in the corpus with the dots of the last part
written `%2E`, since WebDataset ends a key at the first dot there; `KEY.sample.json`, `KEY.wav`,
`KEY.track_000.cropped_video.mp4` and so on are its fields. `KEY.row.json`, if a manifest was given, is its row.
"""

import importlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from hashformer.config import ClipConfig
from hashformer.data.clips import cut
from hashformer.data.manifest import FakeSegment, Row
from hashformer.errors import SetupError, StoreError
from hashformer.preprocess.parts import PART_NAMES
from hashformer.preprocess.record import RECORD_NAME, SampleRecord, read_record
from hashformer.preprocess.store import read_samples
from hashformer.types import Clip

INDEX_NAME = "shards.csv"
ROW_FIELD = "row.json"
_SOUND_FIELD = "wav"


def find_prepared(top: Path) -> list[Path]:
    """The prepared folders below a folder, at any depth, in the order of their names."""
    found = []
    for folder, inside, files in os.walk(top):
        inside[:] = [name for name in inside if not name.startswith(".")]
        if RECORD_NAME in files:
            found.append(Path(folder))
            inside.clear()
    return sorted(found)


def clips_from_folders(
    folders: Iterable[Path], config: ClipConfig, *, context_samples: int = 0
) -> Iterator[tuple[str, Clip]]:
    """Cut the Clips of prepared folders, one folder after another.

    Args:
        folders: Prepared folders.
        config: Length, stride and rates.
        context_samples: Sound on each side of a clip, in samples.

    Yields:
        The name of the source in its corpus, and a Clip.

    Raises:
        StoreError: If a folder is damaged.
        MediaError: If crops or sound cannot be decoded.
    """
    for folder in folders:
        name = read_record(folder).source.path
        for clip in cut(read_samples(folder), config, context_samples=context_samples):
            yield name, clip


def clips_from_shards(
    shards: Path | Sequence[str], config: ClipConfig, *, context_samples: int = 0
) -> Iterator[tuple[str, Clip]]:
    """Cut the Clips of packed files: those that `clips_from_folders` gives, in the order of the shards.

    Under `torch.distributed` and in a DataLoader's workers each process reads its own part of the
    shards, so there should be at least as many shards as processes. One packed file at a time is held
    in memory.

    Args:
        shards: The folder that `pack_folders` made, or addresses of shards as WebDataset takes them.
        config: Length, stride and rates.
        context_samples: Sound on each side of a clip, in samples.

    Yields:
        The name of the source in its corpus, and a Clip.

    Raises:
        SetupError: If WebDataset is not installed.
        StoreError: If the folder holds no shards, or a packed file is damaged.
        MediaError: If crops or sound cannot be decoded.
    """
    for entry in entries_of(shards):
        with unpacked(entry) as folder:
            yield from clips_from_folders([folder], config, context_samples=context_samples)


def entries_of(shards: Path | Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """The packed files of this process's part of the shards, undecoded.

    Raises:
        SetupError: If WebDataset is not installed.
        StoreError: If the folder holds no shards.
    """
    wds = _webdataset()
    addresses = shard_addresses(shards) if isinstance(shards, Path) else list(shards)
    yield from wds.WebDataset(addresses, shardshuffle=False, nodesplitter=wds.split_by_node, empty_check=False)


def row_bytes(row: Row, row_idx: int) -> bytes:
    """A row of the manifest and its number, as they are packed."""
    return json.dumps({"row_idx": row_idx, **asdict(row)}, ensure_ascii=False, sort_keys=True).encode()


def packed_row(entry: Mapping[str, Any]) -> tuple[Row, int]:
    """The row of the manifest that a file was packed with, and its number.

    Raises:
        StoreError: If there is none.
        ManifestError: If it contradicts itself.
    """
    if ROW_FIELD not in entry:
        raise StoreError(
            f"{entry['__key__']} in {entry.get('__url__', 'a shard')}: was packed without a label. "
            "Pack the folders again, with their manifest."
        )
    data = json.loads(entry[ROW_FIELD])
    row_idx = data.pop("row_idx")
    data["fake_segments"] = tuple(FakeSegment(*segment) for segment in data["fake_segments"])
    return Row(**data), row_idx


def shard_addresses(folder: Path) -> list[str]:
    """The shards in a folder, in order.

    Raises:
        StoreError: If there are none.
    """
    addresses = [str(path.absolute()) for path in sorted(folder.glob("*.tar"))]
    if not addresses or not (folder / INDEX_NAME).is_file():
        raise StoreError(f"{folder}: holds no shards. Make them with hashformer pack.")
    return addresses


@contextmanager
def unpacked(entry: Mapping[str, Any]) -> Iterator[Path]:
    """A prepared folder, for as long as the block lasts, from one WebDataset sample.

    Args:
        entry: Names of fields and their bytes, as WebDataset gives them undecoded.

    Raises:
        StoreError: If it is no prepared file.
    """
    key = entry["__key__"]
    if RECORD_NAME not in entry:
        raise StoreError(f"{key} in {entry.get('__url__', 'a shard')}: is no prepared file. Pack the folders again.")
    with tempfile.TemporaryDirectory(prefix="hashformer-") as top:
        folder = Path(top) / PurePosixPath(unquote(key)).name
        folder.mkdir()
        for name, content in entry.items():
            if name.startswith("__") or name == ROW_FIELD:
                continue
            where = json.loads(entry[RECORD_NAME])["waveform"] if name == _SOUND_FIELD else name
            if name.startswith("track_"):
                where = name.replace(".", "/", 1)
            path = folder / where
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        yield folder


def key_of(name: str) -> str:
    """The WebDataset key of a file of the corpus."""
    path = PurePosixPath(name)
    return str(path.with_name(path.name.replace("%", "%25").replace(".", "%2E")))


def files_of(folder: Path, record: SampleRecord) -> dict[str, Path]:
    """The fields of a prepared file and where they lie.

    Raises:
        StoreError: If a file is missing.
    """
    files = {RECORD_NAME: folder / RECORD_NAME}
    if record.waveform is not None:
        files[_SOUND_FIELD] = folder / record.waveform
    for track in record.tracks:
        files.update({f"{track.folder}.{name}": folder / track.folder / name for name in PART_NAMES})
    for path in files.values():
        if not path.is_file():
            raise StoreError(f"{path}: is missing. Prepare the source again.")
    return files


def _webdataset() -> Any:
    try:
        return importlib.import_module("webdataset")
    except ModuleNotFoundError:
        raise SetupError('WebDataset is not installed. pip install "hashformer[train]".') from None
