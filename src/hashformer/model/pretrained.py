"""Where training may start from: public image weights for the mobile stem."""

import torch

from hashformer.assets import IMAGE_STEM, asset_path
from hashformer.errors import ConfigError
from hashformer.model.hashformer import HashFormer
from hashformer.model.mobile import fold
from hashformer.model.tokens import MobileStem


def load_image_stem(model: HashFormer) -> None:
    """Give the picture stem the weights that EfficientNet-Lite0 learnt on ImageNet; fetched once, then cached.

    Raises:
        ConfigError: If the model has no mobile stem.
        AssetError: If the file is missing, broken or cannot be fetched.
    """
    stem = model.tokenizers["video"].stem if "video" in model.tokenizers else None
    if not isinstance(stem, MobileStem):
        raise ConfigError(f"image weights fit model.stem=mobile with video, got stem={model.config.stem}")
    tensors = torch.load(asset_path(IMAGE_STEM), map_location="cpu", weights_only=True)
    stem.net.load_state_dict(fold(tensors, stem.net))
