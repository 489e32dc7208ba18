"""The terms of the loss that know of a forgery where it is, what it was made of, and whether sound and lips fit."""

from collections.abc import Mapping

import torch
from torch import Tensor

from hashformer.config import LossConfig
from hashformer.losses.classification import head_labels
from hashformer.losses.dense import pair_parts, where_loss
from hashformer.losses.gather import total_over_devices, world_size
from hashformer.losses.terms import Term, term
from hashformer.model import HashFormer
from hashformer.model.lipsync import lag_loss
from hashformer.types import ModelOutput


def where_term(model: HashFormer, output: ModelOutput, masks: Tensor | None, n_frames: int) -> Term:
    """Which video tokens are forged.

    Args:
        model: With a head that says so.
        output: Of the model.
        masks: As for `where_loss`; None if they are known of no clip.
        n_frames: Frames of the batch's video, 0 without one.
    """
    head, spec = model.where_head, model.specs["video"]
    # Every device takes part in the sum and finds every gradient, whatever its own batch lacks.
    nothing = sum(parameter.sum() * 0 for parameter in head.parameters()) if head is not None else 0
    logits, present = output.where, output.token_present.get("video")
    skipped = {}
    if logits is None or masks is None or present is None:
        skipped = {"tokens": "no clip of the batch has both a picture and a mask"}
        like = next(iter(output.logits.values()))
        logits, present, grid = like[:1, None], torch.zeros(1, 1, dtype=torch.bool, device=like.device), (1, 1, 1)
        masks = torch.full((1, 1, 1, 1), float("nan"), device=like.device)
    else:
        grid = (n_frames // spec.patch[0], *spec.grid)
    value = where_loss(logits, masks, present, grid) + nothing
    return term(value, {} if skipped else {"tokens": value}, skipped)


def lag_term(output: ModelOutput, labels: Mapping[str, Tensor]) -> Term:
    """Lag 0 stands out where lips and sound belong together.

    Args:
        output: Of the model.
        labels: `sync` is read: 0 where they do, (B,).
    """
    if output.lags is None:
        like = next(iter(output.logits.values()))
        return term(like.sum() * 0, {}, {"clips": "no clip of the batch has lips and sound"})
    together = output.valid["sync"] & (labels["sync"] == 0)
    number = total_over_devices(together.sum().float())
    value = lag_loss(output.lags, together) * world_size() / number.clamp(min=1)
    return term(value, {"clips": value}, {})


def pair_term(config: LossConfig, output: ModelOutput, labels: Mapping[str, Tensor], pairs: Tensor | None) -> Term:
    """Mean over the heads for which there are pairs.

    Args:
        config: The margin.
        output: Of the model.
        labels: As for `head_labels`.
        pairs: As for `pair_parts`; None if there are none.
    """
    here = {name: mask.any(1) for name, mask in output.token_present.items()}
    wanted = head_labels(labels, here)
    pairs = _table_of_pairs(pairs, next(iter(output.logits.values())))
    parts = pair_parts(output.logits, output.valid, wanted, pairs, margin=config.pair_margin)
    value = torch.stack([logit.sum() * 0 for logit in output.logits.values()]).sum()
    if parts:
        value = value + torch.stack(list(parts.values())).mean()
    skipped = {
        head: "no pair of a real clip and a forgery counts for it" for head in output.logits if head not in parts
    }
    return term(value, parts, skipped)


def _table_of_pairs(pairs: Tensor | None, like: Tensor) -> Tensor:
    """The pairs, or an empty table of them."""
    return torch.zeros(0, 2, dtype=torch.int64, device=like.device) if pairs is None else pairs
