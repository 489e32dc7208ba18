"""What a detection says. These models are the published JSON schema: a change here is a change for users."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = "1.2"

Status = Literal["scored", "cannot_tell", "error"]
ScoreName = Literal["overall", "video", "audio", "sync"]


class Result(BaseModel):
    """Base of all result types: read-only, and no field beyond the schema."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Scores(Result):
    """P(fake) of each part, 0–1, 1 = fake; null where that part could not be judged."""

    video: float | None = Field(None, ge=0, le=1, description="the picture of the face")
    audio: float | None = Field(None, ge=0, le=1, description="the sound")
    sync: float | None = Field(None, ge=0, le=1, description="whether picture and sound belong together")


class Segment(Result):
    """A suspect stretch."""

    start_s: float = Field(ge=0, description="seconds from the start of the file")
    end_s: float = Field(ge=0)
    modality: ScoreName = Field(description="which score was high")
    score: float = Field(ge=0, le=1, description="highest score of its seconds")
    track_id: int | None = Field(None, description="the face; null for sound")


class Second(Result):
    """Scores of one second of the file; null where that part could not be judged."""

    start_s: float = Field(ge=0)
    end_s: float = Field(ge=0)
    overall: float | None = Field(None, ge=0, le=1)
    video: float | None = Field(None, ge=0, le=1)
    audio: float | None = Field(None, ge=0, le=1)
    sync: float | None = Field(None, ge=0, le=1)


class Thumbnail(Result):
    """The face at one moment."""

    time_s: float = Field(ge=0)
    score: float | None = Field(ge=0, le=1, description="overall score of its clip")
    kind: Literal["most", "least"] = Field("most", description="among the most suspect moments, or the least")
    picture_sha256: str | None = Field(None, description="of the JPEG file that the report shows")
    jpeg: bytes = Field(b"", description="JPEG, kept out of the JSON document", exclude=True, repr=False)


class TrackResult(Result):
    """One face throughout the file."""

    track_id: int
    status: Status
    reason: str | None = Field(None, description="why it cannot be told")
    score: float | None = Field(None, ge=0, le=1)
    scores: Scores = Scores()
    start_s: float = Field(ge=0, description="when the face first appears")
    end_s: float = Field(ge=0, description="when it was last seen")
    face_px: float | None = Field(None, description="median width of the face in the source picture, pixels")
    frames_seen: int = Field(0, ge=0, description="sampled frames on which the face was found")
    frames_missed: int = Field(0, ge=0, description="sampled frames in between on which it was not")
    clips: int = Field(0, ge=0, description="clips of it that were scored")
    timeline: list[Second] = []
    thumbnails: list[Thumbnail] = Field([], description="its most suspect moments, worst first, then its least suspect")


class VideoStream(Result):
    """The video stream as the container states it."""

    codec: str
    width: int
    height: int
    fps: float | None
    rotation_deg: int
    duration_s: float | None


class AudioStream(Result):
    """The sound stream as the container states it."""

    codec: str
    sample_rate_hz: int
    channels: int
    duration_s: float | None


class MediaInfo(Result):
    """The file as its container states it; `video` or `audio` is null where there is none."""

    container: str
    duration_s: float | None
    size_bytes: int
    video: VideoStream | None
    audio: AudioStream | None


class WeightsInfo(Result):
    """Which weights gave the scores."""

    name: str
    sha256: str
    trained: bool = Field(description="false: initialised, not trained; the scores mean nothing")


class Occlusion(Result):
    """Whether a heat map means anything: what the score becomes when the network is not given what the map marks."""

    hidden_share: float = Field(ge=0, le=1, description="share of the stream's patches that is hidden")
    score: float = Field(ge=0, le=1, description="overall score of the clip with nothing hidden")
    score_marked_hidden: float = Field(ge=0, le=1, description="with the hottest patches hidden")
    scores_elsewhere_hidden: list[float] = Field(description="with as many hidden in the same shape at other places")
    explains: bool = Field(description="whether hiding the marked patches lowers the score clearly more than elsewhere")


class HeatMap(Result):
    """Where the network looked, over the face or over the spectrogram of one clip."""

    stream: Literal["video", "audio"]
    source: Literal["attention", "where", "traces"] = Field(
        description="attention: that moved the score; where: the head that says of each patch whether it is forged; "
        "traces: the same of the network that looks at single frames; for sound, what each place adds to its answer"
    )
    values: list[list[float]] = Field(
        description="rows from the top, 0–1: places on the face over the clip; for sound, high pitch first, by time"
    )
    occlusion: Occlusion
    picture_sha256: str | None = Field(None, description="of the JPEG file that the report shows")
    jpeg: bytes = Field(b"", description="JPEG, kept out of the JSON document", exclude=True, repr=False)


class SuspectClip(Result):
    """One of the most suspect clips, looked at more closely."""

    start_s: float = Field(ge=0)
    end_s: float = Field(ge=0)
    track_id: int | None = Field(None, description="the face; null for sound")
    score: float = Field(ge=0, le=1, description="overall score of the clip")
    maps: list[HeatMap]
    shown_s: float | None = Field(None, ge=0, description="moment of the frame under the face's maps")
    face_sha256: str | None = Field(None, description="of the plain frame's JPEG file in the report")
    face_jpeg: bytes = Field(b"", description="JPEG, kept out of the JSON document", exclude=True, repr=False)
    sound_sha256: str | None = Field(None, description="of the plain spectrogram's JPEG file in the report")
    sound_jpeg: bytes = Field(b"", description="JPEG, kept out of the JSON document", exclude=True, repr=False)


class ErrorRate(Result):
    """How often the weights erred on labelled files of one kind."""

    input: Literal["picture and sound", "picture", "sound"] = Field(description="what the files held that was judged")
    data: str = Field(description="which files")
    threshold: float = Field(ge=0, le=1, description="score from which on a file counts as fake")
    n_real: int = Field(ge=0)
    n_fake: int = Field(ge=0)
    false_positive_rate: float | None = Field(None, ge=0, le=1, description="share of the real files called fake")
    false_negative_rate: float | None = Field(None, ge=0, le=1, description="share of the fake files not called fake")


class WeightsCard(Result):
    """What the weight file says of its own errors."""

    calibrated: bool = Field(description="false: the overall score was not fitted to be a probability")
    thresholds: dict[str, float] = Field(
        description="score that the given share of the real validation files reach, by that share as text"
    )
    error_rates: list[ErrorRate] = Field(description="for files that hold what this one holds; empty if none is known")


class Detection(Result):
    """The answer for one file."""

    path: str
    sha256: str | None = Field(None, description="of the file as it was read; null if it could not be")
    status: Status
    reason: str | None = Field(None, description="why it cannot be told or could not be read")
    score: float | None = Field(None, ge=0, le=1, description="P(fake), 1 = fake: that of the most suspect face")
    scores: Scores = Scores()
    segments: list[Segment] = []
    timeline: list[Second] = []
    tracks: list[TrackResult] = []
    warnings: list[str] = Field([], description="what a reader of the score must know")
    media: MediaInfo | None = None
    duration_s: float | None = Field(None, description="seconds of media that were decoded")
    weights: WeightsInfo | None = None
    timings_s: dict[str, float] = Field({}, description="wall-clock seconds by stage, and `elapsed`: stages overlap")
    suspect_clips: list[SuspectClip] = Field(
        [], description="the most suspect clips with their heat maps; empty unless a report was asked for"
    )
    card: WeightsCard | None = Field(None, description="error rates of the weights; null unless a report was asked for")


class Document(Result):
    """What `hashformer detect --json` prints: one entry for each file that was asked for."""

    schema_version: str = SCHEMA_VERSION
    created: str = Field(description="when, ISO 8601, UTC")
    versions: dict[str, str] = Field(description="of hashformer and the libraries that decide a score")
    settings: dict[str, object] = Field(description="every setting that decides a score")
    files: list[Detection]
