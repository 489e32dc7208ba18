"""Which patches masked training hides, and which whole streams modality dropout does."""

from dataclasses import replace

import torch
from torch import Tensor

from hashformer.types import MODALITIES, Batch

Grid = tuple[int, int, int]
"""Patches along time, rows (bins of a spectrogram) and columns."""


class SharedChance:
    """Chance for one device's part of a joined batch: the very draws that one device would make for the whole.

    Args:
        seed: The same on every device.
        part: Which part this device has.
        n_parts: Devices; all have equally many items.
    """

    def __init__(self, seed: int, *, part: int = 0, n_parts: int = 1) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.part, self.n_parts = part, n_parts

    def rand(self, n_items: int, size: int) -> Tensor:
        """Uniform numbers in 0–1 for this device's items, (n_items, size)."""
        whole = torch.rand(self.n_parts * n_items, size, generator=self.generator)
        return whole[self.part * n_items :][:n_items]


Chance = SharedChance | torch.Generator | None
"""A source of chance; None is torch's own."""


def _rand(n_items: int, size: int, chance: Chance) -> Tensor:
    if isinstance(chance, SharedChance):
        return chance.rand(n_items, size)
    return torch.rand(n_items, size, generator=chance)


def sample_mask(
    n_items: int, grid: Grid, *, ratio: float, mode: str = "unstructured", generator: Chance = None
) -> Tensor:
    """Draw the patches to hide, equally many in every item.

    Args:
        n_items: Items B of the batch.
        grid: Patches along each axis.
        ratio: Share to hide, between 0 and 1. Unstructured hides the whole number nearest to it, the
            other modes as many whole steps, rows or places as come nearest; at least one patch is
            hidden and one left.
        mode: `unstructured`; `time` or `frame`: whole steps of time; `freq`: whole rows; `time_freq`:
            steps and rows; `tube`: the same places at every step.
        generator: Source of chance; torch's own if left out.

    Returns:
        True where hidden, (B, N), time slowest.

    Raises:
        ValueError: If the mode is unknown, or there is nothing of which to hide one and leave one.
    """
    steps, rows, columns = grid
    if mode == "unstructured":
        return _draw(n_items, steps * rows * columns, ratio, generator)
    shape = (n_items, steps, rows, columns)
    if mode in ("time", "frame"):
        return _draw(n_items, steps, ratio, generator)[:, :, None, None].expand(shape).flatten(1)
    if mode == "freq":
        return _draw(n_items, rows, ratio, generator)[:, None, :, None].expand(shape).flatten(1)
    if mode == "tube":
        return _draw(n_items, rows * columns, ratio, generator)[:, None, :].expand(-1, steps, -1).flatten(1)
    if mode == "time_freq":
        n_steps, n_rows = steps_and_rows(steps, rows, ratio)
        in_time = _pick(n_items, steps, n_steps, generator)[:, :, None, None]
        in_rows = _pick(n_items, rows, n_rows, generator)[:, None, :, None]
        return (in_time | in_rows).expand(shape).flatten(1)
    raise ValueError(f"unknown mask mode {mode!r}; known: unstructured, time, frame, freq, tube, time_freq")


def steps_and_rows(steps: int, rows: int, ratio: float) -> tuple[int, int]:
    """How many steps and rows to hide so that together they hide `ratio`, each about the same share.

    Returns:
        Of the pairs whose union comes within half a step or row of the ratio, the most even one.

    Raises:
        ValueError: If the grid is a single step or row.
    """
    if steps < 2 or rows < 2:
        raise ValueError(f"time_freq needs at least two steps and two rows, got {steps} and {rows}")

    def badness(pair: tuple[int, int]) -> tuple[float, float]:
        hidden = 1 - (1 - pair[0] / steps) * (1 - pair[1] / rows)
        miss = abs(hidden - ratio)
        return (max(miss, 0.5 / max(steps, rows)), abs(pair[0] / steps - pair[1] / rows) + miss)

    return min(((a, b) for a in range(1, steps) for b in range(1, rows)), key=badness)


def _draw(n_items: int, size: int, ratio: float, generator: Chance) -> Tensor:
    if not 0 < ratio < 1 or size < 2:
        raise ValueError(f"cannot hide a share of {ratio:g} of {size}: at least one must be hidden and one left")
    return _pick(n_items, size, min(max(round(ratio * size), 1), size - 1), generator)


def _pick(n_items: int, size: int, count: int, generator: Chance) -> Tensor:
    rank = _rand(n_items, size, generator).argsort(1).argsort(1)
    return rank < count


def drop_modalities(batch: Batch, probability: float, *, generator: Chance = None) -> Batch:
    """Mark whole streams of single items as absent, each by chance; an item keeps at least one it has.

    Args:
        batch: Left as it is.
        probability: For each stream of each item.
        generator: Source of chance; torch's own if left out.

    Returns:
        The same tensors with new presence masks.
    """
    present = {}
    for name in MODALITIES:
        values = getattr(batch, name)
        if values is not None:
            given = batch.present.get(name)
            everywhere = torch.ones(values.shape[:2], dtype=torch.bool, device=values.device)
            present[name] = everywhere if given is None else given
    if not present:
        return batch
    has = torch.stack([mask.any(1) for mask in present.values()], 1).cpu()  # (B, streams)
    keep = has & (_rand(has.shape[0], has.shape[1], generator) >= probability)
    favourite = torch.where(has, _rand(has.shape[0], has.shape[1], generator), -1.0).argmax(1)
    rescued = torch.nn.functional.one_hot(favourite, has.shape[1]).bool() & has
    keep = torch.where(keep.any(1, keepdim=True), keep, rescued)
    return replace(
        batch,
        present={name: mask & keep[:, i, None].to(mask.device) for i, (name, mask) in enumerate(present.items())},
    )
