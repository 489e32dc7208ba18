"""One file of a corpus: is it prepared already, and if not, prepare it. Every engine runs this function."""

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hashformer.config import Config
from hashformer.errors import MediaError, StoreError
from hashformer.faces.follow import FaceFinder
from hashformer.media import probe
from hashformer.preprocess.extract import extract
from hashformer.preprocess.parts import PART_NAMES
from hashformer.preprocess.record import RECORD_NAME, PrepareSettings, SampleRecord, Source, read_record
from hashformer.preprocess.store import DiskFullError, write_samples

Status = Literal["done", "skipped", "failed", "disk_full"]


@dataclass(frozen=True)
class Job:
    """A source, its name (relative to the corpus, as text), and the folder that it is to become."""

    path: Path
    name: str
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a file.

    Attributes:
        name: Of the job.
        status: `skipped` if it was prepared before from the same content with the same settings.
        reason: Why it failed.
        n_tracks: Faces found.
        has_picture: Whether the source shows anything at all.
        media_s: Seconds of media prepared.
        took_s: Seconds of work.
    """

    name: str
    status: Status
    reason: str = ""
    n_tracks: int = 0
    has_picture: bool = False
    media_s: float = 0.0
    took_s: float = 0.0

    @classmethod
    def of(cls, job: Job, status: Status, record: SampleRecord, *, took_s: float = 0.0) -> "Outcome":
        """The outcome of a file that is prepared now."""
        return cls(
            name=job.name,
            status=status,
            n_tracks=len({track.track_id for track in record.tracks}),
            has_picture=bool(record.picture_present),
            media_s=record.n_frames / record.settings.fps,
            took_s=took_s,
        )


def prepared_before(job: Job, settings: PrepareSettings, *, by_content: bool) -> SampleRecord | None:
    """The record of a file that needs no work: it is complete, made with these settings from this source.

    `sample.json` carries the source's modification time as its own, so that an untouched source is
    known by size and time alone and the bytes of a prepared file do not depend on when it was copied.

    Args:
        job: Which file.
        settings: What it must have been made with.
        by_content: Where the time differs, read the source and compare its SHA-256; else say None.
    """
    try:
        record = read_record(job.folder)
        source, made = job.path.stat(), (job.folder / RECORD_NAME).stat()
    except (StoreError, OSError):
        return None
    if record.settings_sha256 != settings.digest or record.source.media.size_bytes != source.st_size:
        return None
    names = [f"{track.folder}/{name}" for track in record.tracks for name in PART_NAMES]
    if not all((job.folder / name).is_file() for name in [*names, record.waveform or RECORD_NAME]):
        return None
    if made.st_mtime_ns != source.st_mtime_ns:
        if not by_content or sha256_of(job.path) != record.source.sha256:
            return None
        _stamp(job, source.st_mtime_ns)
    return record


def prepare_file(job: Job, config: Config, finder: FaceFinder) -> Outcome:
    """Prepare one file, unless that was done before.

    Args:
        job: Which file, and where to.
        config: Rates and faces; `finder` was made with its faces.
        finder: The face models, loaded.

    Returns:
        What became of it; a source that cannot be read is an outcome, not an error.
    """
    started, problems = time.perf_counter(), list[str]()
    settings = PrepareSettings.of(config)
    try:
        if (record := prepared_before(job, settings, by_content=True)) is not None:
            return Outcome.of(job, "skipped", record)
        info = probe(job.path)
        modified_ns = job.path.stat().st_mtime_ns
        source = Source(path=job.name, sha256=sha256_of(job.path), media=info)
        samples = extract(job.path, info, config, finder, problems=problems)
        record = write_samples(job.folder, samples, source=source, settings=settings, problems=problems)
        _stamp(job, modified_ns)
    except DiskFullError as error:
        return Outcome(name=job.name, status="disk_full", reason=str(error))
    except (MediaError, StoreError, OSError) as error:
        return Outcome(name=job.name, status="failed", reason=" ".join(str(error).split()))
    return Outcome.of(job, "done", record, took_s=time.perf_counter() - started)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read bit by bit.

    Raises:
        MediaError: If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MediaError(f"{path}: cannot be read: {error.strerror}. Check the disk.") from error


def _stamp(job: Job, modified_ns: int) -> None:
    os.utime(job.folder / RECORD_NAME, ns=(modified_ns, modified_ns))
