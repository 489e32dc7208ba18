"""Where training may start from: public image weights for what looks at pictures through MobileNet."""

import torch

from hashformer.assets import IMAGE_WEIGHTS, asset_path
from hashformer.errors import ConfigError
from hashformer.model.hashformer import HashFormer
from hashformer.model.mobile import MobileNet, fold


def load_image_weights(model: HashFormer) -> None:
    """Give a mobile stem and the features for traces what EfficientNet-Lite0 learnt on ImageNet.

    The file is fetched once, then cached.

    Raises:
        ConfigError: If the model has neither.
        AssetError: If the file is missing, broken or cannot be fetched.
    """
    nets = [layer for layer in model.modules() if isinstance(layer, MobileNet)]
    if not nets:
        raise ConfigError(
            "image weights fit model.stem=mobile or model.trace_stride with video, got "
            f"stem={model.config.stem}, trace_stride={model.config.trace_stride}"
        )
    tensors = torch.load(asset_path(IMAGE_WEIGHTS), map_location="cpu", weights_only=True)
    for net in nets:
        net.load_state_dict(fold(tensors, net))
