"""Whether a graph answers as the network that it was made from."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from hashformer.config import ModelConfig
from hashformer.errors import ExportError
from hashformer.export.runtime import OnnxGraph
from hashformer.model import HashFormer
from hashformer.model.inputs import StreamSpec, stream_specs
from hashformer.types import HEADS, Batch

TOLERANCE = 1e-4
"""Largest difference of a logit that is borne."""
MAX_BITS = 0.01
"""Largest share of the bits of hash codes that may differ: those whose value before the sign is next to zero."""
_SECONDS = (1.0, 0.5)
_ITEMS = (1, 3)
_SEED = 0


@dataclass(frozen=True)
class Agreement:
    """How far two answers to the same batches lie apart.

    Attributes:
        largest: Largest difference of a logit of each head, where it is valid; NaN if it never was.
        differing_bits: Share of the bits of hash codes that differ.
        n_clips: Clips that were compared.
    """

    largest: dict[str, float]
    differing_bits: float
    n_clips: int

    def check(self) -> None:
        """Refuse a graph that answers otherwise.

        Raises:
            ExportError: Naming the head, the difference and what is borne.
        """
        judged = {head: value for head, value in self.largest.items() if not math.isnan(value)}
        worst = max(judged, key=lambda head: judged[head], default=None)
        if worst is not None and judged[worst] > TOLERANCE:
            raise ExportError(
                f"the graph does not answer as the network: logits of {worst} differ by up to {judged[worst]:.2g}, "
                f"at most {TOLERANCE:g} is borne. Nothing was written. Try other versions of torch or onnxruntime."
            )
        if self.differing_bits > MAX_BITS:
            raise ExportError(
                f"the graph does not answer as the network: {self.differing_bits:.1%} of the bits of the hash codes "
                f"differ, at most {MAX_BITS:.0%} are borne. Nothing was written."
            )


@torch.inference_mode()
def compare(model: HashFormer, graph: OnnxGraph, batches: Iterable[Batch]) -> Agreement:
    """Give both the same clips.

    Args:
        model: In eval mode, on the CPU.
        graph: Made from it.
        batches: At least one.

    Raises:
        ExportError: If the two do not agree on what can be judged at all, or an answer is no number.
    """
    largest = dict.fromkeys(HEADS, math.nan)
    n_bits = n_differ = n_clips = 0
    for batch in batches:
        ours, theirs = model(batch), graph(batch)
        for head in HEADS:
            valid = ours.valid[head]
            if not torch.equal(valid, theirs.valid[head]):
                raise ExportError(f"the graph does not answer as the network: {head} is valid for other clips")
            if valid.any():
                difference = _difference(head, ours.logits[head][valid], theirs.logits[head][valid])
                largest[head] = max(difference, 0.0 if math.isnan(largest[head]) else largest[head])
        for name, code in ours.codes.items():
            here = ours.token_present[name].any(1)
            n_bits += code[here].numel()
            n_differ += int((code[here] != theirs.codes[name][here]).sum())
        n_clips += len(ours.logits[HEADS[0]])
    return Agreement(largest=largest, differing_bits=n_differ / max(n_bits, 1), n_clips=n_clips)


def _difference(head: str, ours: Tensor, theirs: Tensor) -> float:
    if not (ours.isfinite().all() and theirs.isfinite().all()):
        raise ExportError(f"logits of {head} are no finite numbers: network {ours.tolist()}, graph {theirs.tolist()}")
    return float((ours - theirs).abs().max())


def generated_batches(config: ModelConfig, *, seed: int = _SEED) -> Iterator[Batch]:
    """Noise in the range of each stream: one and three items, two lengths, every set of streams, with gaps.

    Args:
        config: Of the network.
        seed: Of the noise.
    """
    specs = stream_specs(config)
    chance = torch.Generator().manual_seed(seed)
    face = [name for name in specs if name != "audio"]
    sets = [list(specs), face, [name for name in specs if name == "audio"], face[:1]]
    for streams in [names for place, names in enumerate(sets) if names and names not in sets[:place]]:
        for n_items, duration_s in zip(_ITEMS, _SECONDS, strict=True):
            yield _noise([specs[name] for name in streams], n_items, duration_s, chance)


def _noise(specs: list[StreamSpec], n_items: int, duration_s: float, chance: torch.Generator) -> Batch:
    streams: dict[str, Tensor] = {}
    present: dict[str, Tensor] = {}
    for spec in specs:
        n_frames = max(1, round(duration_s * spec.rate_hz / spec.patch[0])) * spec.patch[0]
        values = torch.rand(n_items, n_frames, *spec.shape, generator=chance)
        if spec.name == "video":
            streams["video"] = values
        elif spec.name == "audio":
            streams["audio"] = spec.mean + spec.std * 2 * (values[..., 0].flatten(2) - 0.5)
        else:
            streams["landmarks"] = values.flatten(2)
        mask = torch.rand(n_items, n_frames, generator=chance) > 0.2
        mask[0] = True
        if len(present) == 1 and n_items > 1:
            mask[-1] = False  # one item lacks a stream altogether
        present[spec.name] = mask
    return Batch(**streams, present=present)
