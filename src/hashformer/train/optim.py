"""Which weights learn how fast, and how the learning rate goes."""

import math
from collections.abc import Sequence
from typing import Any

from torch import nn

from hashformer.config.train import OptimiserConfig
from hashformer.errors import ConfigError
from hashformer.losses import Objective

_LEARNED_TOKENS = ("queries", "ask")
"""Last names of parameters that are tokens, not weights of a layer; so are those under `fusion`."""
_STEMS = "model.tokenizers."


def decays(name: str, n_dims: int) -> bool:
    """Whether a parameter of this name decays: matrices do; biases, norms and learned tokens do not."""
    return n_dims > 1 and name.rsplit(".", 1)[-1] not in _LEARNED_TOKENS and ".fusion." not in name


def parameter_groups(objective: Objective, peak_lr: float, config: OptimiserConfig) -> list[dict[str, Any]]:
    """The parameters that are trained, as groups for AdamW.

    Args:
        objective: Parameters without a gradient are left out.
        peak_lr: Highest learning rate.
        config: Weight decay, and the factor of the stems.
    """
    groups: dict[tuple[bool, bool], dict[str, Any]] = {}
    for name, parameter in objective.named_parameters():
        if not parameter.requires_grad:
            continue
        key = (name.startswith(_STEMS), decays(name, parameter.dim()))
        if key not in groups:
            groups[key] = {
                "params": [],
                "lr": peak_lr * (config.stem_lr if key[0] else 1.0),
                "weight_decay": config.weight_decay if key[1] else 0.0,
            }
        groups[key]["params"].append(parameter)
    return list(groups.values())


def train_only(model: nn.Module, parts: Sequence[str]) -> None:
    """Leave all of a network as it is but these parts, by their dotted names; no part: nothing is changed.

    Raises:
        ConfigError: If the network has no such part, or nothing of it was to be trained.
    """
    for part in parts:
        if not any(name.startswith(f"{part}.") and weight.requires_grad for name, weight in model.named_parameters()):
            raise ConfigError(f"optimiser.only={part}: the network has no such part that a loss trains")
    for name, weight in model.named_parameters():
        if parts and not name.startswith(tuple(f"{part}." for part in parts)):
            weight.requires_grad_(False)


def lr_factor(step: int, *, warmup_steps: int, steps: int, least: float) -> float:
    """Learning rate of a step, as a share of its peak.

    Args:
        step: From 0; the first step of a warm-up is not lost to a rate of zero.
        warmup_steps: Over which it rises to 1.
        steps: Of the whole run.
        least: Where the cosine ends.
    """
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    done = min(1.0, (step - warmup_steps) / max(1, steps - warmup_steps))
    return least + (1 - least) * 0.5 * (1 + math.cos(math.pi * done))
