"""What `sample.json` says of a prepared file, and the settings that decided it."""

import hashlib
import json
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hashformer.assets import FACE_DETECTOR, FACE_LANDMARKER
from hashformer.config import Config, FaceConfig
from hashformer.errors import StoreError
from hashformer.media.crops import CODEC, OPTIONS
from hashformer.results import MediaInfo

SCHEMA_VERSION = 1
RECORD_NAME = "sample.json"

Spans = list[tuple[int, int]]
"""Stretches as [first, one past the last]."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PrepareSettings(_Record):
    """Everything that decides what a prepared file holds, beside the source itself."""

    schema_version: int = SCHEMA_VERSION
    fps: int
    sample_rate_hz: int
    faces: FaceConfig
    face_models: tuple[str, ...] = Field(
        (FACE_DETECTOR.sha256, FACE_LANDMARKER.sha256), description="SHA-256 of the face model files"
    )
    picture: str = Field(
        " ".join([CODEC, *(f"{name}={value}" for name, value in OPTIONS.items())]), description="how crops are encoded"
    )

    @classmethod
    def of(cls, config: Config) -> Self:
        """Those of a whole configuration."""
        return cls(fps=config.clip.fps, sample_rate_hz=config.clip.sample_rate_hz, faces=config.faces)

    @property
    def digest(self) -> str:
        """SHA-256 of the settings: two files prepared alike have the same."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


class Source(_Record):
    """The media file that was prepared."""

    path: str = Field(description="relative to the folder of the corpus")
    sha256: str
    media: MediaInfo


class TrackRecord(_Record):
    """One face over a stretch of the grid, and the folder of its files.

    A face that goes away for seconds and comes back has several of these, with one `track_id`.
    """

    track_id: int
    folder: str
    first_frame: int = Field(description="grid frame of picture 0 and of row 0 of both arrays")
    n_frames: int
    gaps: Spans = Field(description="grid frames without the face: black pictures, NaN in both arrays")
    face_px: float = Field(description="median width of the landmarks' box in the source picture, pixels")
    blur: float = Field(description="median variance of the Laplacian of the crop's grey levels; low is blurred")


class SampleRecord(_Record):
    """`sample.json`. Boxes (left, top, right, bottom in the source picture) are in each track's `boxes.npy`."""

    schema_version: int = SCHEMA_VERSION
    source: Source
    settings: PrepareSettings
    settings_sha256: str
    n_frames: int = Field(description="length of the file in grid frames")
    waveform: str | None = Field(description="name of the sound file; null if the source has no sound")
    sound_present: Spans = Field(description="samples that the source has; the rest of the sound file is zeros")
    picture_present: Spans = Field(description="grid frames for which the source has a picture")
    tracks: list[TrackRecord]
    problems: list[str] = Field(description="faults of the source that were passed over")

    def to_json(self) -> str:
        """The file's text, one fact on a line."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def read_record(folder: Path) -> SampleRecord:
    """Read what is known of a prepared file.

    Args:
        folder: The folder that `write_samples` made.

    Raises:
        StoreError: If there is no prepared file, or it is of another version or damaged.
    """
    path = folder / RECORD_NAME
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(f"{folder}: is no prepared file (no {RECORD_NAME}). Run hashformer preprocess.") from None
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: cannot be read ({error}). Delete the folder and prepare the file again.") from error
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SCHEMA_VERSION:
        raise StoreError(f"{path}: has version {version}, this package reads {SCHEMA_VERSION}. Prepare it again.")
    try:
        return SampleRecord.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise StoreError(f"{path}: {where}: {first['msg']}. Delete the folder and prepare the file again.") from None
