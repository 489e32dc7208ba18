"""Score every file of a manifest once: resumable, in as many processes as wanted, none lost and none twice."""

import hashlib
import os
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from hashformer.data.manifest import Row
from hashformer.detector import Detector
from hashformer.detector.backend import Backend, load_backend
from hashformer.errors import EvaluationError, MediaError, StoreError
from hashformer.evaluate.parts import PARTS_NAME, PartWriter, finished, open_parts, read_back
from hashformer.evaluate.record import FileScores
from hashformer.evaluate.table import TableNotes, write_table
from hashformer.evaluate.workers import score_in_processes
from hashformer.perturb import Perturbation
from hashformer.preprocess.lock import locked
from hashformer.version import __version__

TABLE_NAME = "scores.parquet"
Advance = Callable[[int, int], None]
"""Called with how many files are done and how many there are."""

_AGGREGATION = (
    "file: the highest of its faces; face: the mean of the highest {fraction:.0%} of its clips; sound: the same of "
    "its windows, and of the file where no face was judged; sync: the lowest of the faces"
)
_STALL_S = 1800.0
"""How long the first rank waits for another that finishes no file."""


@dataclass(frozen=True, kw_only=True)
class ScoreTask:
    """What to score with what. It goes to every process as it is.

    Attributes:
        weights: A weight file, a released name or a preset.
        base_dir: Where the manifest's paths start; not needed with `prepared`.
        prepared: Where `hashformer preprocess` put the same tree; None reads the media files themselves.
        device: Where the model runs.
        batch_size: Clips that the model sees at once.
        perturbation: Spoils each file before a face is looked for; its seed is mixed with the file's path.
        backend: What runs the model.
    """

    weights: str
    base_dir: Path | None = None
    prepared: Path | None = None
    device: str = "cpu"
    batch_size: int = 8
    perturbation: Perturbation | None = None
    backend: Backend = "torch"

    def __post_init__(self) -> None:
        if self.base_dir is None and self.prepared is None:
            raise EvaluationError("neither a folder of media files nor one of prepared files is named: name one")
        if self.perturbation is not None and self.prepared is not None:
            raise EvaluationError("prepared files hold crops: a perturbation needs the media files, so name base_dir")

    def detector(self) -> Detector:
        """Load the model."""
        return Detector(self.weights, device=self.device, batch_size=self.batch_size, backend=self.backend)

    def score(self, path: str, detector: Detector) -> FileScores:
        """Score one file; one that cannot be read is an answer with its reason.

        Raises:
            ConfigError: If it was prepared otherwise than the weights read, as all of them then will be.
        """
        try:
            if self.prepared is not None:
                examined = detector.examine_prepared(self.prepared / path)
            else:
                media = (self.base_dir or Path()) / path
                examined = detector.examine(media, perturbation=self._perturbation_of(path))
        except (MediaError, StoreError, OSError) as error:
            return FileScores(path=path, status="error", reason=self._without_roots(" ".join(str(error).split())))
        return FileScores.of(path, examined)

    def _perturbation_of(self, path: str) -> Perturbation | None:
        if self.perturbation is None:
            return None
        return replace(self.perturbation, seed=zlib.crc32(f"{self.perturbation.seed} {path}".encode()))

    def _without_roots(self, reason: str) -> str:
        """The reason without the folders of this machine: the table is the same wherever it is made."""
        for root in (self.prepared, self.base_dir):
            if root is not None:
                reason = reason.replace(f"{root}{os.sep}", "")
        return reason


def selected(rows: Sequence[Row], *, split: str = "", limit: int = 0) -> list[Row]:
    """The rows to score, in order of path.

    Args:
        rows: Of the manifest.
        split: Only rows of this split; empty for all.
        limit: At most so many, drawn by the hash of their paths, so that no class or method is preferred.

    Raises:
        EvaluationError: If nothing is left.
    """
    kept = [row for row in rows if not split or row.split == split]
    if not kept:
        found = ", ".join(sorted({row.split or "none" for row in rows})) or "no rows"
        raise EvaluationError(f"the manifest has no row of split {split!r}; it has: {found}")
    if limit:
        kept = sorted(kept, key=lambda row: hashlib.sha256(row.path.encode()).digest())[:limit]
    return sorted(kept, key=lambda row: row.path)


def score_manifest(  # noqa: PLR0913 -- each is one plain property of the run
    rows: Sequence[Row],
    out: Path,
    *,
    task: ScoreTask,
    manifest_sha256: str,
    split: str = "",
    limit: int = 0,
    workers: int = 1,
    advance: Advance = lambda done, total: None,
) -> Path | None:
    """Score files and write `scores.parquet`; its bytes do not depend on how many processes took part.

    What an earlier, interrupted run scored is kept; files that it could not read are tried again. With
    `WORLD_SIZE` and `RANK` in the environment, as torchrun sets them, this process takes its share of the
    files, and the first rank waits for the others and writes the table; `out` must be shared.

    Args:
        rows: Of the manifest.
        out: Folder of the table and of what is needed to resume.
        task: With what to score.
        manifest_sha256: Of the manifest's file.
        split: See `selected`.
        limit: See `selected`.
        workers: Processes; each computes with one thread, so that sums do not depend on their number.
        advance: Told after every file of this process's share.

    Returns:
        The table; None in a rank that is not the first.

    Raises:
        EvaluationError: If `out` holds scores of other weights or another manifest, or a rank stalls.
        StoreError: If another run is at work on `out`.
        ConfigError: If prepared files do not fit the weights.
        WeightsError: If there are no such weights.
    """
    rows = selected(rows, split=split, limit=limit)
    rank, n_ranks = _rank()
    notes = _notes(task, manifest_sha256=manifest_sha256, split=split, limit=limit, n_files=len(rows))
    parts = open_parts(out, notes)
    own = parts / f"rank_{rank}"
    with locked(own):
        # Ranks must not differ in what they think is done: there, failures are final.
        kept = {path for path, place in finished(parts).items() if place.status != "error" or n_ranks > 1}
        share = [row.path for row in rows[rank::n_ranks]]
        todo = [path for path in share if path not in kept]
        told = _Told(advance, len(share) - len(todo), len(share))
        if workers > 1 and len(todo) > 1:
            score_in_processes(todo, task, own, workers=workers, done=told)
        elif todo:
            _score_here(todo, task, own, told)
    if rank > 0:
        return None
    _wait(parts, {row.path for row in rows}, n_ranks)
    return _merge(rows, out, notes)


def _notes(task: ScoreTask, **selection: object) -> TableNotes:
    loaded = load_backend(task.weights, backend=task.backend).judge
    fraction = loaded.config.timeline.pool_fraction
    return TableNotes.model_validate(
        {
            "hashformer_version": __version__,
            "weights": loaded.info,
            "source": "media" if task.prepared is None else "prepared",
            "perturbation": "" if task.perturbation is None else str(task.perturbation),
            "batch_size": task.batch_size,
            "backend": task.backend,
            "config": loaded.config.model_dump(mode="json"),
            "thresholds": loaded.calibration.thresholds,
            "aggregation": _AGGREGATION.format(fraction=fraction),
            **selection,
        }
    )


class _Told:
    """Counts files for the progress bar."""

    def __init__(self, advance: Advance, n_before: int, total: int) -> None:
        self.advance, self.n_done, self.total = advance, n_before, total
        advance(n_before, total)

    def __call__(self) -> None:
        self.n_done += 1
        self.advance(self.n_done, self.total)


def _score_here(paths: Sequence[str], task: ScoreTask, folder: Path, done: Callable[[], None]) -> None:
    with task.detector() as detector, PartWriter(folder) as part, one_thread():
        for path in paths:
            part.add(task.score(path, detector))
            done()


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread: how a sum is shared out among threads decides its last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _rank() -> tuple[int, int]:
    """Which of how many processes this is, as torchrun says."""
    try:
        rank, n_ranks = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    except ValueError as error:
        raise EvaluationError(f"RANK and WORLD_SIZE must be whole numbers: {error}") from error
    if not 0 <= rank < n_ranks:
        raise EvaluationError(f"RANK must lie in 0–{n_ranks - 1} for WORLD_SIZE={n_ranks}, got {rank}")
    return rank, n_ranks


def _wait(parts: Path, wanted: set[str], n_ranks: int) -> None:
    """Until the other ranks have scored their files too."""
    left, since = wanted, time.monotonic()
    while True:
        begun = time.monotonic()
        now = wanted - finished(parts).keys()
        if not now:
            return
        if n_ranks == 1:
            raise EvaluationError(f"{len(now)} files were not scored, {min(now)} for one. Run again.")
        if len(now) < len(left):
            left, since = now, begun
        if begun - since > _STALL_S:
            raise EvaluationError(
                f"{len(now)} files of other ranks are missing and none was finished for {_STALL_S / 60:.0f} minutes, "
                f"{min(now)} for one. Run the same command again: what is done is kept."
            )
        # Parts of a large corpus take seconds to read: look at them a tenth of the time at most.
        time.sleep(max(1.0, 9 * (time.monotonic() - begun)))


def _merge(rows: Sequence[Row], out: Path, notes: TableNotes) -> Path:
    places = finished(out / PARTS_NAME)
    scored = read_back(places[row.path] for row in rows)
    table = out / TABLE_NAME
    write_table(table, zip(rows, scored, strict=True), notes)
    return table
