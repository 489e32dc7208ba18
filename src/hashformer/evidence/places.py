"""From tokens to places on the face or in the spectrogram, and back."""

import torch
from torch import Tensor

from hashformer.model.inputs import StreamSpec


class Places:
    """The places of one stream's patches.

    Picture patches of all moments that show the same place on the face count as one: a face stands still in its
    crop, and what is hidden for part of a clip only shows again. Sound patches are places by time and pitch.

    Args:
        spec: Of the stream.
        n_tokens: Tokens N of a clip.
    """

    def __init__(self, spec: StreamSpec, n_tokens: int) -> None:
        rows, columns = spec.grid
        self.steps = n_tokens // (rows * columns)
        self.by_time = spec.name == "audio"
        self.shape = (self.steps, rows) if self.by_time else (rows, columns)

    def gather(self, values: Tensor, present: Tensor) -> Tensor:
        """Values of tokens as values of places: the mean over the moments that are there.

        Args:
            values: (N,).
            present: Which tokens are there, (N,).

        Returns:
            `shape`: rows and columns of the face, or time and pitch, the lowest first.
        """
        if self.by_time:
            return torch.where(present, values, 0.0).reshape(self.shape)
        there = present.reshape(self.steps, *self.shape)
        total = torch.where(there, values.reshape(self.steps, *self.shape), 0.0).sum(0)
        return total / there.sum(0).clamp(min=1)

    def spread(self, chosen: Tensor) -> Tensor:
        """A choice of places, (B, *shape), as a choice of tokens, (B, N)."""
        if self.by_time:
            return chosen.flatten(1)
        return chosen[:, None].expand(-1, self.steps, -1, -1).flatten(1)

    def seen(self, values: Tensor) -> Tensor:
        """Values of places as an eye expects them: the face as it is; time to the right, high pitch above."""
        return values.T.flip(0) if self.by_time else values


def hottest(heat: Tensor, share: float) -> Tensor:
    """The hottest places, (rows, columns) bool: the whole number nearest to `share` of all, one at least."""
    number = max(1, round(share * heat.numel()))
    marked = torch.zeros(heat.numel(), dtype=torch.bool, device=heat.device)
    marked[heat.flatten().argsort(descending=True, stable=True)[:number]] = True
    return marked.reshape(heat.shape)


def moved(marked: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """The same shape at other places: shifted, and where it leaves the grid taken in on the other side.

    Of all shifts, drawn in random order, those that share the fewest places with the shape itself come first.

    Args:
        marked: (rows, columns) bool.
        number: Shifts wanted.
        generator: Source of chance, on the CPU.

    Returns:
        (n, rows, columns) bool, n the lesser of `number` and of the shifts that there are.
    """
    rows, columns = marked.shape
    order = (torch.randperm(rows * columns - 1, generator=generator) + 1).tolist()
    shifted = [torch.roll(marked, divmod(place, columns), (0, 1)) for place in order]
    shifted.sort(key=lambda other: int((other & marked).sum()))
    return torch.stack(shifted[:number])
