"""Score tables made by hand: rows of a manifest and what was scored of them."""

from hashformer.config import load_config
from hashformer.data.manifest import Row
from hashformer.evaluate.record import ClipScores, FileScores
from hashformer.evaluate.table import TableNotes, read_table, write_table
from hashformer.results import WeightsInfo
from hashformer.version import __version__

FPS = 16


def notes(**changes):
    fields = {
        "hashformer_version": __version__,
        "weights": WeightsInfo(name="tiny", sha256="0" * 64, trained=True),
        "manifest_sha256": "1" * 64,
        "split": "",
        "limit": 0,
        "n_files": 1,
        "source": "media",
        "batch_size": 8,
        "config": load_config("tiny").model_dump(mode="json"),
        "aggregation": "as told",
    }
    return TableNotes(**fields | changes)


def row(path, label, **fields):
    fields.setdefault("method", "real" if not label else "swap")
    return Row(path=path, label=label, **fields)


def clip(first_frame, track_id=0, *, reason="", **scores):
    return ClipScores(
        first_frame=first_frame,
        n_frames=FPS,
        fps=FPS,
        track_id=track_id,
        reason=reason,
        scores=scores,
        logits={name: 2 * score - 1 for name, score in scores.items()},
    )


def scored(path, overall=None, *clips, **scores):
    """A file with a score, or with none: then it cannot be told."""
    if overall is None:
        return FileScores(path=path, status="cannot_tell", reason="the sound is silent: -70 dBFS", clips=list(clips))
    whole = {"overall": overall, **scores}
    clips = clips or (clip(0, **whole), clip(8, **whole))
    return FileScores(path=path, status="scored", duration_s=1.5, scores=whole, clips=list(clips))


def failed(path):
    return FileScores(path=path, status="error", reason=f"{path}: cannot be opened")


def table(folder, files, **changes):
    """Write files as (Row, FileScores) and read them back: the table and its notes."""
    files = sorted(files, key=lambda entry: entry[0].path)
    write_table(folder / "scores.parquet", files, notes(n_files=len(files), **changes))
    return read_table(folder / "scores.parquet")
