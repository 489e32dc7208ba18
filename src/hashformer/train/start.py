"""The network that a run begins with: fresh, or from a weight file."""

import logging
from pathlib import Path

import torch

from hashformer.config import Config
from hashformer.config.train import TrainConfig
from hashformer.errors import WeightsError
from hashformer.model import HashFormer
from hashformer.model.pretrained import load_image_weights
from hashformer.model.weights import load_model

FREE = (
    "where_head",
    "methods",
    "dropout",
    "stem_frozen_stride",
    "duration_s",
    "stride_s",
    "lip_sync",
    "lip_sync_lags",
    "evidence",
    "trace_stride",
    "trace_frames",
    "sound_trace_stride",
)
"""Settings that a run may change on weights that it starts from: no shared tensor depends on them."""
_FRESH = (
    "where_head.",
    "heads.method.",
    "heads.where_scale",
    "heads.judges.overall.",
    "lip_sync.",
    "traces.",
    "sound_traces.",
)
"""Where the tensors stand that a weight file may lack, or have in another shape."""
_READS = ("model", "clip", "features")
"""Parts of the config that weights are made for."""
_logger = logging.getLogger(__name__)


def initial_model(config: TrainConfig, load_from: Path | str | None) -> HashFormer:
    """Build the network of a run.

    Args:
        config: Of the run; its seed decides fresh weights.
        load_from: A weight file or preset; None for fresh weights.

    Raises:
        WeightsError: If there are no such weights, or they were made for another network or for other clips.
        ConfigError: If image weights are asked for, and the network has nothing that reads them.
        AssetError: If image weights are asked for and cannot be fetched.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.run.seed)
        model = HashFormer(config.config.model)
    if config.image_weights == "imagenet":
        load_image_weights(model)
    if load_from is None:
        return model
    loaded = load_model(load_from)
    if other := _differences(config.config, loaded.config):
        raise WeightsError(
            f"{load_from}: was made for another network or other clips than the recipe says: {'; '.join(other)}. "
            "Take the recipe, and the --set, that it was trained with."
        )
    given, wanted = loaded.model.state_dict(), model.state_dict()
    fits = {name: x for name, x in given.items() if name in wanted and x.shape == wanted[name].shape}
    fresh = sorted(wanted.keys() - fits.keys())
    if bad := [name for name in fresh if not name.startswith(_FRESH)]:
        raise WeightsError(f"{load_from}: lacks the tensors {', '.join(bad)}")
    model.load_state_dict(fits, strict=False)
    if fresh:
        _logger.info("%s: these start afresh: %s", load_from, ", ".join(fresh))
    return model


def _differences(asked: Config, given: Config) -> list[str]:
    return [
        f"config.{part}.{name} is {getattr(getattr(given, part), name)!r}, the recipe says {value!r}"
        for part in _READS
        for name, value in getattr(asked, part)
        if value != getattr(getattr(given, part), name) and name not in FREE
    ]
