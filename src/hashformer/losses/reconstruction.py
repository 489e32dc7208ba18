"""How far reconstructed patches are from those that were hidden."""

import torch
from torch import Tensor

from hashformer.losses.reduce import weighted_mean


def normalise_patches(values: Tensor) -> Tensor:
    """Take each patch to mean 0 and variance 1.

    Args:
        values: (B, N, P).

    Returns:
        (B, N, P). A patch that is all one value becomes zeros.

    Source: He et al. 2021, arXiv 2111.06377, section 3 "Reconstruction target".
    """
    values = values.float()
    variance, mean = torch.var_mean(values, dim=-1, keepdim=True)
    return (values - mean) / (variance + 1e-6).sqrt()


def reconstruction_loss(predicted: Tensor, patches: Tensor, present: Tensor | None = None) -> Tensor:
    """Mean squared error of hidden patches, normalised one by one.

    Args:
        predicted: Of the hidden patches only, (B, n, P).
        patches: The same patches as they were, (B, n, P).
        present: Those that were there at all, (B, n); None if all.

    Returns:
        A scalar, 0 if none was there.

    Source: docs/method.md, "Masked autoencoding".
    """
    error = (predicted.float() - normalise_patches(patches.detach())).square().mean(-1)
    return weighted_mean(error, present)
