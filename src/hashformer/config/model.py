"""What the network looks like; every part that the paper ablates is a switch here."""

from pydantic import Field

from hashformer.config.base import Settings


class ModelConfig(Settings):
    """Shape of the HashFormer network."""

    width: int = Field(512, ge=8, description="token width D")
