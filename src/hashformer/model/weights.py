"""Weight files: safetensors that hold their config, so that loading needs nothing else."""

import hashlib
import json
import logging
import pickle
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from hashformer.cache import atomic_path, cache_dir
from hashformer.config import Config, ModelConfig, Settings, load_config, preset_names
from hashformer.errors import ConfigError, WeightsError
from hashformer.model.calibration import Calibration, calibrated
from hashformer.model.hashformer import HashFormer
from hashformer.results import WeightsInfo
from hashformer.types import ModelOutput
from hashformer.version import __version__

RELEASED = {"small": "6b2a123edbeb0cd27d908baae1bbcf70a4e264ca8b34f7b4c53c9994a8ccc586"}
"""Released weights that ship in `hashformer/weights/`: name -> SHA-256 of `<name>.safetensors`."""
PRESET_SEED = 0
"""Seed of the initialisation that a bare preset name stands for."""
UNTRAINED = "untrained:"
"""Before a preset's name: its initialisation, also where released weights have that name."""

# All notes stand under one key: safetensors writes several in random order, and equal weights must make equal files.
_KEY = "hashformer"
# Threads share one source of chance: two at once would not draw the same weights.
_PRESET_LOCK = threading.Lock()
_PICKLES = (".pt", ".pth", ".bin", ".ckpt")
_logger = logging.getLogger(__name__)


class FileNotes(Settings):
    """What a weight file says beside its tensors.

    Attributes:
        hashformer_version: Of the package that wrote it.
        config: Everything that decides a score.
        calibration: From logits to P(fake).
        trained: False: a mere initialisation, whose scores mean nothing.
        tensors_sha256: Of names and bytes of the tensors, so that damage is noticed.
        extra: What else its maker wrote down, such as the training data.
    """

    hashformer_version: str
    config: dict[str, Any]
    calibration: Calibration
    trained: bool
    tensors_sha256: str
    extra: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A model ready to judge, and what its file says of it.

    Attributes:
        model: In eval mode, on the CPU, without gradients.
        config: Everything that decides a score.
        calibration: From logits to P(fake).
        info: Name, SHA-256, and whether it was trained at all.
        extra: What else its maker wrote down, such as the training data.
    """

    model: HashFormer
    config: Config
    calibration: Calibration
    info: WeightsInfo
    extra: dict[str, str]

    def scores(self, output: ModelOutput) -> dict[str, Tensor]:
        """Calibrated P(fake) of each head, (B,); NaN where it is not valid."""
        return calibrated(output, self.calibration)


def save_model(
    path: str | Path,
    model: HashFormer,
    *,
    config: Config,
    trained: bool,
    calibration: Calibration | None = None,
    extra: Mapping[str, str] | None = None,
) -> None:
    """Write a weight file; it appears whole or not at all.

    Tensors are stored in the type they have: a copy of the model taken to `.half()` makes a file of half
    the size, which is computed with in 32 bits when it is loaded.

    Args:
        path: Of the `.safetensors` file.
        model: Its parameters are written.
        config: Stored inside; its `model` part must be the model's own.
        trained: False marks a mere initialisation, whose scores mean nothing.
        calibration: From logits to P(fake); the identity if left out.
        extra: Further facts, name to text: the data it was trained on, for one.

    Raises:
        ConfigError: If `config.model` is not the model's config.
    """
    if config.model != model.config:
        raise ConfigError(f"{path}: config.model is not the config of the model that is saved")
    # Kernels may lie in memory by channels; in the file all tensors lie alike.
    tensors = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in model.state_dict().items()
    }
    notes = FileNotes(
        hashformer_version=__version__,
        config=config.model_dump(mode="json"),
        calibration=calibration or Calibration(),
        trained=trained,
        tensors_sha256=_digest(tensors),
        extra=dict(extra or {}),
    )
    with atomic_path(Path(path)) as temporary:
        save_file(tensors, temporary, {_KEY: notes.model_dump_json()})


def load_model(source: str | Path) -> LoadedModel:
    """Load weights, by file, by released name or by preset.

    The name of a preset without released weights, and `untrained:` before that of any, stands for its seeded
    initialisation: the file is made once in the cache, marked as not trained, and loaded from there.

    Args:
        source: Path of a `.safetensors` file, a name in `RELEASED`, a preset, or `untrained:` and a preset.

    Raises:
        WeightsError: If there is no such thing, or the file is broken or does not fit.
    """
    name = str(source)
    if name in RELEASED:
        return _load_file(_released_path(name), name)
    path = Path(source)
    if path.suffix in _PICKLES:
        raise WeightsError(
            f"{source}: a PyTorch checkpoint, which can run code when it is opened. Read its tensors with "
            "hashformer.model.weights.read_checkpoint and write a weight file with save_model."
        )
    if path.is_file():
        return _load_file(path, path.stem)
    if name.removeprefix(UNTRAINED) in preset_names():
        with _PRESET_LOCK:
            return _load_preset(name.removeprefix(UNTRAINED))
    known = ", ".join(sorted({*RELEASED, *preset_names()}))
    raise WeightsError(f"{source}: no such weight file, and no weights of that name ({known})")


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of a foreign PyTorch checkpoint, and nothing that could run code.

    Args:
        path: A file that `torch.save` wrote: tensors by name, or such a mapping under `state_dict` or `model`.

    Returns:
        Tensors by name, for `model.load_state_dict`.

    Raises:
        WeightsError: If it cannot be read, or holds anything but tensors and plain values.
    """
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be opened: {error.strerror or error}") from None
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
    ) as error:
        # torch raises any of these, by the kind of damage.
        raise WeightsError(f"{path}: no checkpoint of plain tensors ({_first_line(error)})") from None
    for key in ("state_dict", "model"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict) or not loaded or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise WeightsError(f"{path}: holds no tensors by name")
    return loaded


def _load_preset(name: str) -> LoadedModel:
    path = cache_dir("weights") / f"{name}-seed{PRESET_SEED}-{__version__}.safetensors"
    config = load_config(name)
    if path.is_file():
        try:
            loaded = _load_file(path, path.stem)
        except WeightsError as error:
            _logger.warning("%s; it is made again", error)
        else:
            if loaded.config == config and not loaded.info.trained:
                return loaded
    try:
        save_model(path, _initialised(config.model), config=config, trained=False)
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"{path}: cannot be written ({_first_line(error)}); HASHFORMER_CACHE names another folder"
        ) from None
    return _load_file(path, path.stem)


def _initialised(config: ModelConfig) -> HashFormer:
    # Loading weights must not disturb the caller's chance.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(PRESET_SEED)
        return HashFormer(config)


def _released_path(name: str) -> Path:
    path = Path(str(resources.files("hashformer") / "weights" / f"{name}.safetensors"))
    if not path.is_file():
        raise WeightsError(f"{name}: its file {path} is missing; install the package again")
    found = _sha256(path)
    if found != RELEASED[name]:
        raise WeightsError(f"{name}: {path} has SHA-256 {found}, expected {RELEASED[name]}; install the package again")
    return path


def _load_file(path: Path, name: str) -> LoadedModel:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 — no iterator
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file ({_first_line(error)})") from None
    notes, config = _read_notes(path, metadata)
    model = _initialised(config.model)
    _check_keys(path, model.state_dict(), tensors)
    if notes.tensors_sha256 != _digest(tensors):
        raise WeightsError(f"{path}: damaged: the tensors are not those that were written")
    model.load_state_dict(tensors)
    return LoadedModel(
        model=model.eval().requires_grad_(False),
        config=config,
        calibration=notes.calibration,
        info=WeightsInfo(name=name, sha256=_sha256(path), trained=notes.trained),
        extra=notes.extra,
    )


def _read_notes(path: Path, metadata: Mapping[str, str]) -> tuple[FileNotes, Config]:
    if _KEY not in metadata:
        raise WeightsError(f"{path}: not a HashFormer weight file: no {_KEY!r} in its metadata")
    maker = "an unknown version"
    try:
        data = json.loads(metadata[_KEY])
        maker = str(data.get("hashformer_version", maker))
        notes = FileNotes.parse(data, source="notes")
        return notes, Config.parse(notes.config, source="config")
    except (ConfigError, json.JSONDecodeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise WeightsError(
            f"{path}: written by hashformer {maker}, this is {__version__}, which cannot read it: {reason}"
        ) from None


def _check_keys(path: Path, wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    problems = {
        "missing": sorted(wanted.keys() - found.keys()),
        "unknown": sorted(found.keys() - wanted.keys()),
        "of another shape": [
            f"{key} {tuple(found[key].shape)}, expected {tuple(wanted[key].shape)}"
            for key in sorted(wanted.keys() & found.keys())
            if found[key].shape != wanted[key].shape
        ],
    }
    listed = [f"{what}: {', '.join(keys)}" for what, keys in problems.items() if keys]
    if listed:
        raise WeightsError(f"{path}: the tensors do not fit the config inside; {'; '.join(listed)}")


def _digest(tensors: Mapping[str, Tensor]) -> str:
    whole = hashlib.sha256()
    for name in sorted(tensors):
        whole.update(name.encode())
        whole.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return whole.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
