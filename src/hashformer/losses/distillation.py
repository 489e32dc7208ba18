"""How far predicted embeddings are from their targets."""

from torch import Tensor
from torch.nn import functional

from hashformer.losses.reduce import weighted_mean


def embedding_loss(
    predicted: Tensor, target: Tensor, present: Tensor | None = None, weights: Tensor | None = None
) -> Tensor:
    """Mean squared distance between predicted tokens and the targets, each target first normalised.

    Args:
        predicted: (B, N, D).
        target: Tokens of the teacher, (B, N, D); no gradient flows into them.
        present: Tokens that count, (B, N); None if all.
        weights: How much each counts, (B, N), such as where landmarks are; None if alike.

    Returns:
        A scalar, 0 if no token counts. Targets have mean 0 and variance 1 over D, so that a constant
        prediction costs 1 and shrinking the embeddings gains nothing.

    Source: docs/method.md, "Self-distillation"; normalised targets after Baevski et al. 2022, arXiv 2202.03555.
    """
    wanted = functional.layer_norm(target.detach().float(), target.shape[-1:])
    return weighted_mean((predicted.float() - wanted).square().mean(-1), present, weights)
