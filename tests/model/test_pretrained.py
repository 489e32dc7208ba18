"""Public image weights in the mobile stem and in the features for traces."""

import pytest
import torch

from hashformer.config import ModelConfig, load_config
from hashformer.errors import ConfigError
from hashformer.model import HashFormer
from hashformer.model.pretrained import load_image_weights

SMALL = {"width": 32, "depth": 1, "heads": 2, "head_dim": 16, "feedforward": 32, "fusion_tokens": 2}


def test_a_model_that_has_nothing_for_them_is_refused():
    with pytest.raises(ConfigError, match=r"got stem=linear, trace_stride=0"):
        load_image_weights(HashFormer(load_config("tiny").model))


@pytest.mark.assets
@pytest.mark.usefixtures("image_stem")
def test_the_published_weights_fill_the_stem_and_know_an_edge_from_a_plane():
    model = HashFormer(ModelConfig(stem="mobile", video_patch_px=16, modalities=("video",), trace_stride=8, **SMALL))
    load_image_weights(model)
    net = model.tokenizers["video"].stem.net
    plane = torch.zeros(1, 3, 64, 64)
    edge = plane.clone()
    edge[..., 32:] = 2.0
    with torch.inference_mode():
        flat, cut = net(plane), net(edge)
    features = model.traces.features
    assert all(torch.equal(weight, net.state_dict()[name]) for name, weight in features.state_dict().items())
    assert flat.isfinite().all()
    assert float((cut - flat)[..., 1:3].abs().mean()) > float(flat[..., 1:-1, 1:-1].std()) * 0.1
