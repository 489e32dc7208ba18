"""One real file of a forged set: is it forged already, and if not, forge it. What every worker runs."""

import json
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hashformer.cache import atomic_path
from hashformer.config import Config
from hashformer.config.forged_set import ForgedSetConfig
from hashformer.data.forged_group import Group, GroupMaker, digest
from hashformer.data.forged_preview import Picture, sheet, write_jpeg
from hashformer.data.manifest import Row
from hashformer.errors import MediaError, StoreError
from hashformer.media.alike import Film, write_alike
from hashformer.types import Clip

RECORDS, PREVIEWS = ".groups", "previews"


@dataclass(frozen=True, kw_only=True)
class GroupOutcome:
    """What became of one real file.

    Attributes:
        name: Its path in the manifest.
        status: `skipped` if it was forged before, `empty` if nothing can be made of it.
        reason: Why it failed or is empty.
        refused: Kinds that it did not allow.
    """

    name: str
    status: Literal["done", "skipped", "empty", "failed"]
    reason: str = ""
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Work:
    """All that a worker needs to know.

    Attributes:
        rows: Real rows.
        root: Where they were prepared.
        out: Top folder of the forged set.
        config: Clips and their quality.
        settings: What is made.
    """

    rows: tuple[Row, ...]
    root: Path
    out: Path
    config: Config
    settings: ForgedSetConfig

    def group_id(self, row_idx: int) -> str:
        """Name of a row's group; that of its preview, too."""
        row = self.rows[row_idx]
        return digest(row.corpus, row.path, self.settings.seed)[:16]

    def record(self, row_idx: int) -> dict[str, Any] | None:
        """What was written of a row's group; None if it is not complete."""
        path = self.out / RECORDS / f"{self.group_id(row_idx)}.json"
        if not path.is_file():
            return None
        try:
            record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise StoreError(f"{path}: cannot be read ({error}). Delete it; its group is then made again.") from error
        return record if all((self.out / film["row"]["path"]).is_file() for film in record["films"]) else None

    def done_before(self, row_idx: int) -> GroupOutcome | None:
        """The outcome of a row whose group is complete."""
        record = self.record(row_idx)
        if record is None:
            return None
        status: Literal["skipped", "empty"] = "skipped" if record["films"] else "empty"
        return GroupOutcome(
            name=self.rows[row_idx].path, status=status, reason=record["reason"], refused=tuple(record["refused"])
        )


class GroupWorker:
    """Forges files and writes what it made.

    Args:
        work: All that it needs to know.

    Raises:
        StoreError: If a row's file was not prepared.
        ConfigError, WeightsError: If the settings name a forgery or an autoencoder that there is not.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._places: dict[int, tuple[str, int]] = {}
        by_split: dict[str, list[Row]] = defaultdict(list)
        for row_idx, row in enumerate(work.rows):
            self._places[row_idx] = (row.split, len(by_split[row.split]))
            by_split[row.split].append(row)
        self._makers = {
            split: GroupMaker(rows, work.root, work.config, work.settings) for split, rows in by_split.items()
        }

    def __call__(self, row_idx: int) -> GroupOutcome:
        """Forge one file; one that cannot be read is an outcome, not an error."""
        name = self._work.rows[row_idx].path
        split, place = self._places[row_idx]
        try:
            group = self._makers[split](place)
            self._write(row_idx, group)
        except (MediaError, StoreError, OSError) as error:
            return GroupOutcome(name=name, status="failed", reason=" ".join(str(error).split()))
        status: Literal["done", "empty"] = "done" if group.members else "empty"
        return GroupOutcome(name=name, status=status, reason=group.reason, refused=group.refused)

    def _write(self, row_idx: int, group: Group) -> None:
        out, group_id = self._work.out, self._work.group_id(row_idx)
        if group.members:
            # In the order of names, which is no order, so that not even the time of writing tells.
            films = sorted((member.film for member in group.members), key=lambda film: film.path)
            write_alike([replace(film, path=out / film.path) for film in films], group.coding)
            with atomic_path(out / PREVIEWS / f"{group_id}.jpg") as temporary:
                temporary.write_bytes(write_jpeg(self._preview(group)))
        record = {
            "films": [
                {"row": asdict(member.row), "source": member.source, "start_s": member.start_s}
                for member in group.members
            ],
            "refused": group.refused,
            "reason": group.reason,
        }
        with atomic_path(out / RECORDS / f"{group_id}.json") as temporary:
            temporary.write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")

    def _preview(self, group: Group) -> Picture:
        """A sheet of each forgery, below each other, as the films show them."""
        rate_hz = self._work.config.clip.sample_rate_hz
        forged = [(member.forged, member.film) for member in group.members if member.forged is not None]
        sheets = [
            sheet(
                _as_written(each.clip, group.members[0].film),
                replace(each, clip=_as_written(each.clip, film)),
                sample_rate_hz=rate_hz,
            )
            for each, film in forged
        ]
        return np.concatenate(sheets)


def _as_written(clip: Clip, film: Film) -> Clip:
    return replace(clip, frames=film.frames, waveform=film.waveform, context_samples=0)
