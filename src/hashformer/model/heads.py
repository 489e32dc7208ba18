"""From pooled groups of tokens to logits."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hashformer.config import ModelConfig
from hashformer.model.attention import key_mask
from hashformer.types import HEADS

PARTS = tuple(head for head in HEADS if head != "overall")
_PICTURE = ("video", "landmarks")


class GroupHead(nn.Module):
    """Pooled groups exchange what they know, are averaged, and become logits.

    Multi-head attention over the groups, layer norm, mean, two-layer perceptron; absent groups are
    masked out of attention and mean. A head with one group has nothing to exchange and no attention.
    """

    def __init__(self, n_groups: int, width: int, heads: int, head_dim: int, *, n_out: int = 1) -> None:
        super().__init__()
        self.heads = heads
        self.mixes = n_groups > 1
        if self.mixes:
            self.to_qkv = nn.Linear(width, 3 * heads * head_dim, bias=False)
            self.to_out = nn.Linear(heads * head_dim, width, bias=False)
        self.norm = nn.LayerNorm(width, bias=False)
        self.hidden = nn.Linear(width, width)
        self.out = nn.Linear(width, n_out)

    def forward(self, groups: Tensor, present: Tensor | None) -> Tensor:
        """Judge.

        Args:
            groups: Pooled tokens, (B, G, D).
            present: Which groups are there, (B, G); None if all.

        Returns:
            Logits, (B, n_out).
        """
        x = groups
        if self.mixes:
            q, k, v = self.to_qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
            seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=key_mask(present))
            x = x + self.to_out(seen.transpose(1, 2).flatten(2))
        mean = masked_mean(self.norm(x), present)  # (B, D)
        return self.out(functional.gelu(self.hidden(mean)))  # type: ignore[no-any-return]


def masked_mean(x: Tensor, present: Tensor | None) -> Tensor:
    """Mean over the present rows.

    Args:
        x: (B, N, D).
        present: (B, N); None if all.

    Returns:
        (B, D); zeros where nothing is present.
    """
    if present is None:
        return x.mean(1)
    total = torch.where(present[..., None], x, 0.0).sum(1)
    return total / present.sum(1, keepdim=True).clamp(min=1)


class Heads(nn.Module):
    """All heads, each with the groups that it may read.

    `audio` reads the pooled sound and `video` the pooled picture and landmarks: no group that has seen
    the other side, so that each says what is wrong with its own. `overall`, `sync` and `method` read
    every group, fusion groups too.

    Where a network looks for traces in single frames or in the sound, its answer is that of `video` or `audio`, in the
    place of the tokens', which tell unknown generators less and differ from training to training. With `evidence`, the
    largest of what the tokens say of themselves is added to that of the tokens (multiple-instance learning: one forged
    place makes a forged picture), and `overall` reads no group: it is the largest of the other heads' answers (one
    forged part makes a forged clip), and nothing of it is trained. Given the groups, it learns which streams are there
    before it learns what is forged: docs/experiments.md.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        names = config.modalities
        sizes = {} if config.evidence else {"overall": 2 * len(names)}
        if "video" in names:
            sizes["video"] = sum(name in names for name in _PICTURE)
        if "audio" in names:
            sizes["audio"] = 1
        if "audio" in names and any(name in names for name in _PICTURE):
            sizes["sync"] = 2 * len(names)
        shape = (config.width, config.heads, config.head_dim)
        self.judges = nn.ModuleDict({head: GroupHead(size, *shape) for head, size in sizes.items()})
        self.evidence = config.evidence
        if config.evidence:
            self.where_scale = nn.Parameter(torch.ones(()))
        self.method = GroupHead(2 * len(names), *shape, n_out=len(config.methods)) if config.methods else None

    def forward(
        self,
        own: Mapping[str, Tensor],
        fusion: Mapping[str, Tensor],
        here: Mapping[str, Tensor],
        told: "Told",
    ) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor | None]:
        """Judge.

        Args:
            own: Each stream's pooled tokens, (B, D).
            fusion: Each stream's pooled fusion tokens, (B, D).
            here: For each stream in `own`, the items that have it, (B,) bool.
            told: What was found beside the groups.

        Returns:
            Logits (B,) and validity (B,) of each of `types.HEADS`, and the logits of the generators,
            (B, methods) or None.
        """
        valid = _valid(here)
        picture = {name: own[name] for name in _PICTURE if name in own}
        groups = {"audio": {name: own[name] for name in own if name == "audio"}, "video": picture}
        traces = {"video": told.seen, "audio": told.heard}
        logits = {}
        for head in HEADS:
            mine = groups.get(head, own)
            rest = fusion if head not in groups else {}
            found = traces.get(head)
            if found is not None:
                logits[head] = found
            elif head in self.judges and mine:
                logits[head] = self.judges[head](*_stack(mine, rest, here))[:, 0]
            else:
                logits[head] = valid[head].float() * 0
        if told.apart is not None:
            logits["sync"] = logits["sync"] + told.apart
        if self.evidence:
            if told.where is not None and told.seen is None:
                logits["video"] = logits["video"] + self.where_scale * told.where
            parts = {name: logits[name].detach() if self.training else logits[name] for name in PARTS}
            logits["overall"] = largest_part(parts, valid)
        method = self.method(*_stack(own, fusion, here)) if self.method is not None else None
        return logits, valid, method


def largest_part(logits: Mapping[str, Tensor], valid: Mapping[str, Tensor]) -> Tensor:
    """Soft maximum of the answers for single parts that could be judged, (B,); 0 where none could."""
    answers = torch.stack([logits[name].float() for name in PARTS], 1)
    return soft_maximum(answers, torch.stack([valid[name] for name in PARTS], 1))


class Told(NamedTuple):
    """What was found beside the groups, logits (B,); None what was not looked for.

    Attributes:
        where: Soft maximum of what the video tokens say of themselves.
        apart: Lips and sound do not move together.
        seen: Single frames show traces of forgery.
        heard: The sound does, as synthetic voices do.
    """

    where: Tensor | None = None
    apart: Tensor | None = None
    seen: Tensor | None = None
    heard: Tensor | None = None


def soft_maximum(values: Tensor, present: Tensor) -> Tensor:
    """Logarithm of the mean of the exponentials of the present values.

    Args:
        values: (B, N).
        present: (B, N) bool.

    Returns:
        (B,), near the largest value when one stands out; 0 where nothing is present.
    """
    lowest = torch.finfo(values.dtype).min
    total = torch.where(present, values, lowest).logsumexp(1)
    number = present.sum(1)
    return torch.where(number > 0, total - number.clamp(min=1).log(), 0.0)


def _valid(here: Mapping[str, Tensor]) -> dict[str, Tensor]:
    nowhere = torch.zeros_like(next(iter(here.values())))
    audio, video = here.get("audio", nowhere), here.get("video", nowhere)
    face = video | here.get("landmarks", nowhere)  # lips can be read from landmarks alone
    return {
        "overall": torch.stack(list(here.values())).any(0),
        "video": video,
        "audio": audio,
        "sync": audio & face,
    }


def _stack(
    own: Mapping[str, Tensor], fusion: Mapping[str, Tensor], here: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor]:
    present = [here[name] for name in (*own, *fusion)]
    return torch.stack([*own.values(), *fusion.values()], 1), torch.stack(present, 1)
