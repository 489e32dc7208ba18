"""The mobile stem: its shapes, what it looks at, and the folding of normalisation."""

import pytest
import torch
from torch import nn

from hashformer.config import ModelConfig, load_config
from hashformer.model import HashFormer
from hashformer.model.inputs import Stream, stream_specs
from hashformer.model.mobile import FIRST_CHANNELS, STAGES, MobileNet, fold
from hashformer.model.tokens import MobileStem
from hashformer.model.weights import load_model, save_model

EPS = 1e-3


class TensorFlowConv2d(nn.Conv2d):
    """Pads so that ⌈side / stride⌉ steps fit, the odd row and column at the end."""

    def forward(self, x):
        margins = []
        for side in (x.shape[3], x.shape[2]):
            steps = -(-side // self.stride[0])
            total = max((steps - 1) * self.stride[0] + self.kernel_size[0] - side, 0)
            margins += [total // 2, total - total // 2]
        return super().forward(nn.functional.pad(x, margins))


def published(generator):
    """Random tensors with the names and shapes of the PyTorch port's checkpoint, and their layers with norms."""
    tensors, layers = {}, []

    def layer(conv_name, norm_name, conv):
        norm = nn.BatchNorm2d(conv.out_channels, eps=EPS)
        for value in (norm.weight, norm.bias, norm.running_mean):
            nn.init.normal_(value, std=0.5, generator=generator)
        nn.init.uniform_(norm.running_var, 0.5, 2, generator=generator)
        nn.init.normal_(conv.weight, std=0.1, generator=generator)
        tensors[f"{conv_name}.weight"] = conv.weight.detach()
        tensors.update({f"{norm_name}.{key}": value for key, value in norm.state_dict().items()})
        return nn.Sequential(conv, norm.eval())

    layers.append(layer("_conv_stem", "_bn0", TensorFlowConv2d(3, FIRST_CHANNELS, 3, 2, bias=False)))
    before, number = FIRST_CHANNELS, 0
    for kernel, stride, expansion, width, blocks in STAGES:
        for block in range(blocks):
            wide, name = before * expansion, f"_blocks.{number}."
            step = stride if block == 0 else 1
            parts = []
            if expansion > 1:
                parts.append(layer(f"{name}_expand_conv", f"{name}_bn0", nn.Conv2d(before, wide, 1, bias=False)))
            conv = TensorFlowConv2d(wide, wide, kernel, step, groups=wide, bias=False)
            parts.append(layer(f"{name}_depthwise_conv", f"{name}_bn1", conv))
            parts.append(layer(f"{name}_project_conv", f"{name}_bn2", nn.Conv2d(wide, width, 1, bias=False)))
            layers.append((parts, step == 1 and before == width))
            before, number = width, number + 1
    return tensors, layers


def with_norms(layers, n_blocks, pixels):
    """The slow plain form: every convolution followed by its normalisation, input as the checkpoint saw it."""
    x = nn.functional.relu6(layers[0]((pixels * 255 - 127) / 128))
    for parts, adds in layers[1 : n_blocks + 1]:
        y = x
        for part in parts[:-1]:
            y = nn.functional.relu6(part(y))
        y = parts[-1](y)
        x = x + y if adds else y
    return x


@pytest.mark.parametrize("side", [64, 50])  # 50 has odd sides on its way
@pytest.mark.parametrize(("stride", "n_blocks"), [(8, 5), (16, 11), (32, 15)])
def test_folding_keeps_the_features(stride, n_blocks, side):
    generator = torch.Generator().manual_seed(0)
    tensors, layers = published(generator)
    net = MobileNet(stride)
    net.load_state_dict(fold(tensors, net))
    pixels = torch.rand(2, 3, side, side, generator=generator)
    expected = with_norms(layers, n_blocks, pixels)
    # Zero padding stands for another grey in the two forms, so the border differs by a trace.
    ours = net((pixels - 0.5) / 0.25)
    assert ours.shape == expected.shape == (2, net.out_channels, *[-(-side // stride)] * 2)
    torch.testing.assert_close(ours, expected, atol=0.02 * float(expected.std()), rtol=0.02)


def test_frozen_stages_have_no_gradient_and_the_rest_has():
    net = MobileNet(16, frozen_stride=8)
    net(torch.randn(1, 3, 32, 32)).sum().backward()
    learnt = [parameter.requires_grad for parameter in net.parameters()]
    assert learnt == sorted(learnt)
    assert any(learnt)
    assert not all(learnt)
    assert all((parameter.grad is not None) == parameter.requires_grad for parameter in net.parameters())


def test_an_odd_stride_is_refused():
    with pytest.raises(ValueError, match="stride must be 4, 8, 16 or 32, got 12"):
        MobileNet(12)


def test_only_the_chosen_frames_are_looked_at():
    config = ModelConfig(stem="mobile", stem_frames=2, video_patch_frames=4, video_size_px=32)
    stem = MobileStem(stream_specs(config)["video"], config.stem_frames, 0)
    values = torch.randn(1, 8, 3, 32, 32, requires_grad=True)
    features = stem(Stream(values, None).values)
    assert features.shape == (1, 2 * 2 * 2, stem.patch_values)
    features.sum().backward()
    seen = values.grad.abs().sum((0, 2, 3, 4)) > 0
    assert seen.tolist() == [True, False, True, False] * 2


def test_weights_of_a_mobile_stem_are_saved_and_read_back(tmp_path):
    config = load_config("tiny")
    config = config.model_copy(
        update={"model": config.model.model_copy(update={"stem": "mobile", "video_patch_px": 8})}
    )
    model = HashFormer(config.model)
    save_model(tmp_path / "m.safetensors", model, config=config, trained=True)
    loaded = load_model(tmp_path / "m.safetensors").model.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in model.state_dict().items())
