"""A labelled forged set of the real files of a manifest: resumable, the same bytes each time, and none is lost."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hashformer.cache import atomic_path
from hashformer.config import Config
from hashformer.config.forged_set import ForgedSetConfig
from hashformer.data.forged_work import GroupOutcome, GroupWorker, Work
from hashformer.data.manifest import FakeSegment, Row, write_manifest
from hashformer.data.prepared import check_prepared
from hashformer.errors import StoreError
from hashformer.preprocess.lock import locked
from hashformer.preprocess.prepare import sha256_of
from hashformer.preprocess.workers import run_workers
from hashformer.version import __version__

MANIFEST_NAME, FACTS_NAME, SOURCES_NAME = "manifest.csv", "facts.json", "sources.csv"
FAILURES_NAME, SETTINGS_NAME = "failures.csv", ".settings.json"


@dataclass
class ForgedSet:
    """What became of every real file.

    Attributes:
        n_files: How many were asked for.
        n_done: Forged by this run.
        n_skipped: Forged before.
        empty: Files of which nothing could be made, and why.
        failures: Files that could not be read or written, and why.
        kinds: How many films of each forgery there are.
        n_real: How many real ones.
        refused: How often each kind was tried in vain.
    """

    n_files: int
    n_done: int = 0
    n_skipped: int = 0
    empty: list[tuple[str, str]] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    n_real: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def write_forged_set(  # noqa: PLR0913 -- each is one plain property of the run
    rows: Sequence[Row],
    root: Path,
    out: Path,
    *,
    config: Config,
    settings: ForgedSetConfig,
    limit: int = 0,
    workers: int = 1,
    on_outcome: Callable[[GroupOutcome], None] | None = None,
) -> ForgedSet:
    """Write real clips and forgeries of them as films, with a manifest that labels them.

    A run may be killed at any moment: no broken film remains, and the next run goes on where it ended.

    Args:
        rows: Of the manifest; those of real files are used.
        root: Where they were prepared.
        out: Top folder of the forged set.
        config: Clips and their quality, as the files were prepared with.
        settings: What is made.
        limit: Only so many files, the first of the manifest; 0 for all. Partners are drawn from all.
        workers: Processes that forge, at least 1.
        on_outcome: Called for each file when it is known what became of it.

    Raises:
        StoreError: If there is no real row, a row's file was not prepared, `out` holds a forged set of other files
            or settings, or another run is at work there.
        ConfigError, WeightsError: If the settings name a forgery or an autoencoder that there is not.
    """
    reals = [row for row in rows if row.label == 0]
    check_prepared(reals, root)
    asked = reals[:limit] if limit else reals
    work = Work(rows=tuple(reals), root=root.absolute(), out=out.absolute(), config=config, settings=settings)
    made = ForgedSet(n_files=len(asked))
    with locked(out):
        _claim(work)
        GroupWorker(work)  # so that a wrong setting is told here, before any process starts
        for outcome in _outcomes(work, len(asked), workers):
            _count(made, outcome)
            if on_outcome is not None:
                on_outcome(outcome)
        _finish(work, made, asked)
    return made


def _outcomes(work: Work, n_files: int, workers: int) -> Iterator[GroupOutcome]:
    waiting = []
    for row_idx in range(n_files):
        done = work.done_before(row_idx)
        if done is None:
            waiting.append(row_idx)
        else:
            yield done
    yield from run_workers(GroupWorker, work, waiting, workers=workers)


def _claim(work: Work) -> None:
    """Refuse a folder that holds a forged set of other files or settings."""
    autoencoder = work.settings.forge.autoencoder
    content = {
        "version": __version__,
        "settings": work.settings.model_dump(mode="json"),
        "autoencoder": sha256_of(Path(autoencoder)) if autoencoder else None,
        "config": work.config.model_dump(mode="json", include={"clip", "quality", "features", "faces"}),
        "files": [[row.corpus, row.path, row.identity_source, row.split] for row in work.rows],
    }
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    path = work.out / SETTINGS_NAME
    if path.is_file():
        if path.read_text(encoding="utf-8") != text:
            raise StoreError(
                f"{work.out}: holds a forged set of other files or settings. Name another folder, or delete this one."
            )
        return
    _write_text(path, text)


def _count(made: ForgedSet, outcome: GroupOutcome) -> None:
    if outcome.status == "failed":
        made.failures.append((outcome.name, outcome.reason))
        return
    if outcome.status == "empty":
        made.empty.append((outcome.name, outcome.reason))
    elif outcome.status == "skipped":
        made.n_skipped += 1
    else:
        made.n_done += 1
    made.refused.update(outcome.refused)


def _finish(work: Work, made: ForgedSet, asked: Sequence[Row]) -> None:
    """Write what describes the set, from the records of all groups that are done."""
    films, sources = [], []
    for row_idx in range(len(asked)):
        record = work.record(row_idx)
        for film in record["films"] if record else []:
            row = _row(film["row"])
            films.append(row)
            sources.append((row.path, film["source"], film["start_s"], row.method))
    films.sort(key=lambda row: row.path)
    made.n_real = sum(row.label == 0 for row in films)
    made.kinds = Counter(row.method for row in films if row.label == 1)
    write_manifest(films, work.out / MANIFEST_NAME)
    _write_table(work.out / SOURCES_NAME, ("path", "source", "start_s", "method"), sorted(sources))
    problems = [*((*entry, "failed") for entry in made.failures), *((*entry, "empty") for entry in made.empty)]
    _write_table(work.out / FAILURES_NAME, ("path", "reason", "kind"), sorted(problems))
    facts = {
        "hashformer": __version__,
        "settings": work.settings.model_dump(mode="json"),
        "n_files": len(asked),
        "n_real": made.n_real,
        "n_forged": dict(sorted(made.kinds.items())),
        "refused": dict(sorted(made.refused.items())),
        "n_empty": len(made.empty),
        "n_failed": len(made.failures),
    }
    _write_text(work.out / FACTS_NAME, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")


def _row(data: dict[str, Any]) -> Row:
    segments = tuple(FakeSegment(start, end, modality) for start, end, modality in data["fake_segments"])
    return Row(**data | {"fake_segments": segments})


def _write_text(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *rows])
