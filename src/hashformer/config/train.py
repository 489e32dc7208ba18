"""What a training run is: the network, its losses, its data, its schedule; read from YAML and changed by key."""

import difflib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, Field, field_validator, model_validator

from hashformer.config import Config, LossConfig, load_config
from hashformer.config.base import Settings
from hashformer.config.forge import ForgeConfig
from hashformer.errors import ConfigError

StageName = Literal["pretrain", "finetune"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]


DEFAULT_PRESET = "small"


class OptimiserConfig(Settings):
    """AdamW, and how its learning rate goes: up over the warm-up, then down along half a cosine."""

    lr: float | None = Field(None, gt=0, description="peak learning rate; none: base_lr × clips of a step / 256")
    base_lr: float = Field(3e-4, gt=0, description="peak learning rate for 256 clips a step, all devices together")
    min_lr: float = Field(1e-6, ge=0, description="where the cosine ends; not above the peak")
    warmup_steps: int = Field(500, ge=0, description="over which the learning rate rises from zero")
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = Field(1e-4, ge=0, description="of matrices; norms, biases, learned tokens have none")
    clip_grad: float = Field(1.0, ge=0, description="largest norm of the gradient; 0: any")
    only: tuple[str, ...] = Field(
        (), description="train these parts of the network alone, such as lip_sync, and leave the rest; none: all"
    )
    solve: tuple[Literal["traces", "sound_traces"], ...] = Field(
        (), description="train nothing, but solve for these linear answers to frozen features over the clips of the run"
    )
    l2: float = Field(0.03, gt=0, description="penalty on the squared weights of an answer that is solved for")
    stem_lr: float = Field(1.0, ge=0, description="factor on the learning rate of the stems; 0 freezes them")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas must be at least 0 and below 1, got {self.betas}")
        return self

    def peak_lr(self, clips_a_step: int) -> float:
        """Highest learning rate, for so many clips a step on all devices together."""
        return self.lr if self.lr is not None else self.base_lr * clips_a_step / 256


class RunConfig(Settings):
    """How long, how much at once, and in what numbers."""

    steps: int = Field(2000, ge=1, description="of the optimiser; a whole number of epochs")
    steps_per_epoch: int = Field(200, ge=1, description="then validation and checkpoint; a run resumes there")
    best: Literal["overall", "video", "audio", "sync"] = Field(
        "overall", description="head by whose AUC over validation files the best epoch is chosen"
    )
    patience: int = Field(0, ge=0, description="epochs without a better validation after which to stop; 0: never")
    batch_size: int = Field(16, ge=1, description="clips a step on each device")
    workers: int = Field(0, ge=0, description="processes that load, for each device")
    precision: Precision = Field("auto", description="auto: bf16 on a GPU that has it, else fp32")
    ema_decay: float = Field(0.999, ge=0, lt=1, description="of the averaged weights, which are kept; 0: no average")
    seed: int = Field(0, ge=0, description="decides every draw")
    val_fraction: float = Field(0.2, gt=0, lt=1, description="of the files, if the manifest has no val split")
    ramp: float = Field(0.5, ge=0, le=1, description="share of the run over which degradation rises to full strength")
    half_weights: bool = Field(False, description="write the weight file in 16-bit floats, at half the size")
    log_every: int = Field(10, ge=1, description="steps from one line of the logs to the next")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.steps % self.steps_per_epoch:
            raise ValueError(f"steps={self.steps} must be a multiple of steps_per_epoch={self.steps_per_epoch}")
        return self

    def limited(self, steps: int) -> Self:
        """The same, cut down to one epoch of at most `steps` steps."""
        steps = min(steps, self.steps)
        return self.model_copy(update={"steps": steps, "steps_per_epoch": steps})

    @property
    def epochs(self) -> int:
        """How often the run validates."""
        return self.steps // self.steps_per_epoch


class TrainConfig(Settings):
    """One training run. `config` is a preset's name, or settings over a preset: `{preset: small, model: {…}}`."""

    stage: StageName = "finetune"
    image_weights: Literal["fresh", "imagenet"] = Field(
        "fresh",
        description="imagenet: a mobile stem and features for traces start from public image weights, if not loaded",
    )
    config: Config = Field(default_factory=lambda: load_config(DEFAULT_PRESET))
    losses: LossConfig = LossConfig()
    forge: ForgeConfig = ForgeConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    run: RunConfig = RunConfig()

    @field_validator("config", mode="before")
    @classmethod
    def _over_preset(cls, value: Any) -> Any:
        if isinstance(value, str):
            return load_config(value).model_dump()
        if isinstance(value, Mapping) and "preset" in value:
            rest = {name: part for name, part in value.items() if name != "preset"}
            return merged(load_config(str(value["preset"])).model_dump(), rest)
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.stage == "pretrain" and self.losses.needs_labels:
            raise ValueError("stage pretrain has no labels: losses.cls_loss_weight must be 0")
        if self.stage == "finetune" and not self.losses.needs_labels:
            raise ValueError("losses.cls_loss_weight must be above 0 in stage finetune")
        return self

    @property
    def batch_draws(self) -> int:
        """Draws that make a batch: in finetuning each is a real clip and its forgeries."""
        per_draw = 1 + self.forge.per_clip if self.stage == "finetune" else 1
        return max(1, self.run.batch_size // per_draw)

    def strength(self, epoch: int) -> float:
        """Share of the full degradation in an epoch: it rises over the first `run.ramp` of the run."""
        return min(1.0, (epoch + 1) / max(1.0, self.run.ramp * self.run.epochs))

    def to_yaml(self) -> str:
        """The settings as YAML, every default written out."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def recipe_names() -> list[str]:
    """Names of the recipes that ship with the package; each is a file `<name>.yaml` for both stages."""
    folder = resources.files("hashformer") / "recipes"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_recipe(source: str | Path, stage: StageName, changes: Sequence[str] = ()) -> TrainConfig:
    """Read what a stage of a recipe says.

    A recipe holds settings of `TrainConfig` for both stages, and under `pretrain` and `finetune` those of one alone.

    Args:
        source: Name of a recipe, or a YAML file.
        stage: Which stage.
        changes: `key=value`, the key dotted, the value as in YAML: `optimiser.lr=0.001`.

    Raises:
        ConfigError: If there is no such recipe, or a key or value is wrong; an unknown key is offered its nearest name.
    """
    data = _read(source)
    own = data.pop(stage, None) or {}
    for other in ("pretrain", "finetune"):
        data.pop(other, None)
    data = merged(data, own) | {"stage": stage}
    data = _with_preset(data)
    for change in changes:
        data = _with_preset(merged(data, _parse_change(change)))
    return TrainConfig.parse(data, source=str(source))


def _with_preset(data: dict[str, Any]) -> dict[str, Any]:
    """The same, with `config` as settings over a preset, so that more settings can be laid over it."""
    config = data.get("config", {})
    if isinstance(config, str):
        config = {"preset": config}
    return data | {"config": {"preset": DEFAULT_PRESET, **config} if isinstance(config, Mapping) else config}


def _read(source: str | Path) -> dict[str, Any]:
    if str(source) in recipe_names():
        text = (resources.files("hashformer") / "recipes" / f"{source}.yaml").read_text(encoding="utf-8")
    elif Path(source).is_file():
        text = Path(source).read_text(encoding="utf-8")
    else:
        raise ConfigError(f"{source}: no such file, and no recipe of that name ({', '.join(recipe_names())})")
    try:
        data = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{source}: expected settings by name, got {type(data).__name__}")
    return data


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of `over` laid over those of `under`, group by group."""
    result = dict(under)
    for name, value in over.items():
        below = result.get(name)
        result[name] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result


def _parse_change(change: str) -> dict[str, Any]:
    key, sign, text = change.partition("=")
    if not sign or not key.strip():
        raise ConfigError(f"--set {change}: write key=value, such as --set optimiser.lr=0.001")
    names = key.strip().split(".")
    _check_key(names)
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {change}: the value is not YAML: {' '.join(str(error).split())}") from None
    if isinstance(value, str):
        value = _number(value)
    for name in reversed(names):
        value = {name: value}
    return value  # type: ignore[no-any-return]  # wrapped at least once


def _number(text: str) -> float | str:
    """YAML 1.1 takes 1e-4, without a point, for text."""
    try:
        return float(text)
    except ValueError:
        return text


def _check_key(names: Sequence[str]) -> None:
    """Refuse an unknown key here, where the whole of it can be offered."""
    known = _keys(TrainConfig)
    if ".".join(names) not in known:
        close = difflib.get_close_matches(".".join(names), known, n=1, cutoff=0.5)
        last = [key for key in known if key.rsplit(".", 1)[-1] == names[-1]]
        hint = f"did you mean {(last or close)[0]!r}?" if last or close else f"known: {', '.join(sorted(known))}"
        raise ConfigError(f"--set {'.'.join(names)}: unknown key; {hint}")


def _keys(cls: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, field in cls.model_fields.items():
        found[prefix + name] = field
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found |= _keys(field.annotation, f"{prefix}{name}.")
    return found
