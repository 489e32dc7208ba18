"""Frozen, validated settings; YAML in and out. One `Config` describes a detector from file to score."""

from importlib import resources
from pathlib import Path
from typing import Self

import yaml
from pydantic import model_validator

from hashformer.config.base import Settings
from hashformer.config.model import ModelConfig
from hashformer.config.pipeline import ClipConfig, FaceConfig, FeatureConfig, QualityConfig, TimelineConfig
from hashformer.config.training import LossConfig
from hashformer.errors import ConfigError

__all__ = [
    "SPEECH_RATE_HZ",
    "ClipConfig",
    "Config",
    "FaceConfig",
    "FeatureConfig",
    "LossConfig",
    "ModelConfig",
    "QualityConfig",
    "Settings",
    "TimelineConfig",
    "load_config",
    "preset_names",
]


SPEECH_RATE_HZ = 16_000
"""The rate at which speech can be told from other sound."""


class Config(Settings):
    """Everything that decides a score. It is stored in the weight file: loading needs nothing else."""

    clip: ClipConfig = ClipConfig()
    faces: FaceConfig = FaceConfig()
    features: FeatureConfig = FeatureConfig()
    quality: QualityConfig = QualityConfig()
    timeline: TimelineConfig = TimelineConfig()
    model: ModelConfig = ModelConfig()

    @model_validator(mode="after")
    def _check(self) -> Self:
        model, clip, features = self.model, self.clip, self.features
        pairs: list[tuple[str, float, str, float]] = [
            ("model.video_rate_hz", model.video_rate_hz, "clip.fps", clip.fps),
            ("model.landmark_rate_hz", model.landmark_rate_hz, "clip.fps", clip.fps),
            ("model.video_size_px", model.video_size_px, "faces.size_px", self.faces.size_px),
            ("model.audio_bins", model.audio_bins, "features.n_bins", features.n_bins),
            ("model.audio_rate_hz", model.audio_rate_hz, "1 / features.hop_s", round(1 / features.hop_s, 6)),
        ]
        for ours, value, theirs, wanted in pairs:
            if abs(value - wanted) > 1e-6:
                raise ValueError(f"{ours}={value:g} must equal {theirs}={wanted:g}")
        if self.quality.min_speech and clip.sample_rate_hz != SPEECH_RATE_HZ:
            raise ValueError(
                f"quality.min_speech={self.quality.min_speech:g} needs clip.sample_rate_hz={SPEECH_RATE_HZ}, "
                f"got {clip.sample_rate_hz}"
            )
        for stream, rate, patch in (
            ("video", model.video_rate_hz, model.video_patch_frames),
            ("audio", model.audio_rate_hz, model.audio_patch_frames),
        ):
            n_frames = clip.duration_s * rate
            if abs(n_frames - round(n_frames)) > 1e-6 or round(n_frames) % patch:
                raise ValueError(
                    f"model.{stream}_patch_frames={patch} must divide the {n_frames:g} {stream} frames "
                    f"of a clip of {clip.duration_s:g} s"
                )
        return self

    def to_yaml(self) -> str:
        """The settings as YAML, every default written out."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def preset_names() -> list[str]:
    """Names of the presets that ship with the package."""
    folder = resources.files("hashformer") / "presets"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_config(source: str | Path) -> Config:
    """Read a config from a YAML file or take a preset by its name.

    Raises:
        ConfigError: If there is no such preset or file, or a setting is wrong.
    """
    if str(source) in preset_names():
        text = (resources.files("hashformer") / "presets" / f"{source}.yaml").read_text(encoding="utf-8")
    else:
        path = Path(source)
        if not path.is_file():
            raise ConfigError(
                f"{source}: no such config file, and no preset of that name ({', '.join(preset_names())})"
            )
        text = path.read_text(encoding="utf-8")
    try:
        data = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{source}: expected settings by name, got {type(data).__name__}")
    return Config.parse(data, source=str(source))
