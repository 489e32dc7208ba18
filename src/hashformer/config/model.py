"""What the network looks like; every part that the paper ablates is a switch here."""

from typing import Literal, Self

from pydantic import Field, model_validator

from hashformer.config.base import Settings

StreamName = Literal["audio", "video", "landmarks"]


class ModelConfig(Settings):
    """Shape of the HashFormer network. The defaults are the widths of the paper's code, preset `base`."""

    width: int = Field(512, ge=8, description="token width D")
    depth: int = Field(6, ge=1, description="encoder layers")
    heads: int = Field(4, ge=1, description="attention heads")
    head_dim: int = Field(64, ge=2, description="width of one head; even, since rotary positions turn pairs")
    feedforward: int = Field(1365, ge=1, description="inner width of the gated feed-forward")
    fusion_tokens: int = Field(16, ge=1, description="fusion tokens for each stream")
    dropout: float = Field(0.0, ge=0, lt=1, description="after attention and feed-forward, in training")

    modalities: tuple[StreamName, ...] = Field(
        ("audio", "video", "landmarks"), min_length=1, description="streams that are read; leaving one out ablates it"
    )
    attention: Literal["selective", "dense"] = Field(
        "selective", description="dense: every token attends to every token (selective forgery alignment off)"
    )
    hashing: bool = Field(True, description="false: real-valued embeddings in place of hash codes")
    hash_bits: int = Field(64, ge=8, multiple_of=8, description="bits Q of a code")
    methods: tuple[str, ...] = Field((), description="names of generators to tell apart; none: no such head")
    where_head: bool = Field(False, description="true: each video token says whether it shows something forged")
    evidence: bool = Field(
        False,
        description="true: the video head also reads the where head's map, the overall head only the others' answers",
    )
    trace_stride: Literal[0, 4, 8, 16, 32] = Field(
        0, description="pixels to a step of the frozen image features on which single frames are judged; 0: not judged"
    )
    sound_trace_stride: Literal[0, 4, 8, 16, 32] = Field(
        0, description="the same of the sound's log-mel picture, twice as wide and high as its bins; 0: not judged"
    )
    trace_frames: int = Field(2, ge=0, description="frames of each tubelet that are judged so; 0: all")

    stem: Literal["linear", "conv", "mobile"] = Field(
        "linear", description="how patches become tokens; mobile: EfficientNet-Lite0 on frames, conv on sound"
    )
    stem_frames: int = Field(0, ge=0, description="frames of each tubelet that a conv or mobile stem looks at; 0: all")
    stem_frozen_stride: int = Field(0, ge=0, description="mobile stem: stages up to this stride are not trained")
    high_pass: bool = Field(
        False, description="conv stem: the picture's fine detail, by itself, as further channels beside its colours"
    )
    stem_fold: int = Field(1, ge=1, description="conv stem: 2 × 2 pixels, for 2, become channels before anything else")
    stem_channels: tuple[int, ...] = Field(
        (16, 32, 64, 128), min_length=1, description="channels after each 3 × 3 convolution of the conv stem"
    )

    video_size_px: int = Field(224, ge=8, description="side of the square crop")
    video_channels: int = Field(3, ge=1)
    video_rate_hz: float = Field(16.0, gt=0, description="frames a second")
    video_patch_frames: int = Field(4, ge=1, description="frames in one tubelet")
    video_patch_px: int = Field(16, ge=1, description="side of one tubelet")

    audio_bins: int = Field(128, ge=1, description="mel bands or cepstral coefficients")
    audio_rate_hz: float = Field(100.0, gt=0, description="feature frames a second")
    audio_patch_frames: int = Field(10, ge=1, description="feature frames in one patch")
    audio_patch_bins: int = Field(16, ge=1, description="bins in one patch")
    audio_mean: float = Field(-10.0, description="subtracted from every feature value; fits the package's log-mel")
    audio_std: float = Field(4.0, gt=0, description="divides every feature value")

    n_landmarks: int = Field(478, ge=1)
    landmark_rate_hz: float = Field(16.0, gt=0, description="rows a second")

    landmark_motion: float = Field(
        0.0,
        ge=0,
        description="beside each place its way from the clip's mean place, so often enlarged; 0: places alone",
    )

    lip_sync: int = Field(
        0, ge=0, description="width of the vectors by which lips and sound are compared at every lag; 0: not compared"
    )
    lip_sync_lags: int = Field(8, ge=1, description="largest lag on both sides, frames of the landmarks")

    rotary_min_period_s: float = Field(0.125, gt=0, description="shortest period of the rotary positions")
    rotary_max_period_s: float = Field(60.0, gt=0, description="longest period of the rotary positions")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.modalities)) != len(self.modalities):
            raise ValueError(f"modalities names a stream twice: {', '.join(self.modalities)}")
        if self.head_dim % 2:
            raise ValueError(f"head_dim must be even, got {self.head_dim}")
        if self.video_size_px % self.video_patch_px:
            raise ValueError(f"video_patch_px={self.video_patch_px} does not divide video_size_px={self.video_size_px}")
        if self.audio_bins % self.audio_patch_bins:
            raise ValueError(f"audio_patch_bins={self.audio_patch_bins} does not divide audio_bins={self.audio_bins}")
        if self.high_pass and self.stem != "conv":
            raise ValueError(f"high_pass belongs to stem=conv, got stem={self.stem}")
        if self.stem_fold > 1 and (self.stem != "conv" or self.video_patch_px % self.stem_fold):
            raise ValueError(f"stem_fold={self.stem_fold} belongs to stem=conv and must divide video_patch_px")
        if self.trace_stride and ("video" not in self.modalities or self.video_size_px % self.trace_stride):
            raise ValueError(
                f"trace_stride={self.trace_stride} needs the modality video and must divide "
                f"video_size_px={self.video_size_px}"
            )
        if self.trace_frames > self.video_patch_frames:
            raise ValueError(f"trace_frames={self.trace_frames} is above video_patch_frames={self.video_patch_frames}")
        if self.stem == "mobile" and self.video_patch_px not in {8, 16, 32}:
            raise ValueError(
                f"the mobile stem gives tokens of 8, 16 or 32 px, got video_patch_px={self.video_patch_px}"
            )
        if self.stem_frames > self.video_patch_frames:
            raise ValueError(f"stem_frames={self.stem_frames} is above video_patch_frames={self.video_patch_frames}")
        if self.rotary_min_period_s >= self.rotary_max_period_s:
            raise ValueError("rotary_min_period_s must be below rotary_max_period_s")
        return self

    @model_validator(mode="after")
    def _check_streams(self) -> Self:
        for name, streams in (("sound_trace_stride", ("audio",)), ("lip_sync", ("audio", "landmarks"))):
            if getattr(self, name) and not set(streams) <= set(self.modalities):
                raise ValueError(f"{name}={getattr(self, name)} needs the modalities {' and '.join(streams)}")
        return self
