"""What training minimises: alignment, self-distillation, masked autoencoding, classification."""

from hashformer.losses.total import Losses, Objective
from hashformer.losses.used import freeze_unused, unused_parameters

__all__ = ["Losses", "Objective", "freeze_unused", "unused_parameters"]
