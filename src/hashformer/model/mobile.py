"""Inverted bottlenecks on each frame: the first stages of EfficientNet-Lite0, as a stem for picture tokens.

Normalisation is folded into the convolutions: there is no norm layer, so a frame's features rest on that
frame alone, in training as in use.
"""

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

STAGES: tuple[tuple[int, int, int, int, int], ...] = (
    # kernel, stride, expansion, channels, blocks
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
)
"""EfficientNet-Lite0 up to a stride of 32 (Tan and Le 2019, arXiv 1905.11946; "lite": no squeeze-excitation, ReLU6)."""
FIRST_CHANNELS = 32
_BN_EPS = 1e-3


class SameConv2d(nn.Conv2d):
    """A convolution by an odd kernel that pads as the published weights were trained with: TensorFlow's `SAME`.

    At a stride of 2 an even side has its longer margin at its end. With equal margins features come out of step by a
    pixel of each stage, and tell much less of unknown generators: docs/experiments.md.
    """

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1, *, groups: int = 1) -> None:
        super().__init__(before, after, kernel, stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """Take (B, C, H, W) to (B, C', ⌈H / stride⌉, ⌈W / stride⌉)."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return nn.functional.conv2d(x, self.weight, self.bias, 1, kernel // 2, groups=self.groups)
        rows, columns = ((kernel - 3) // 2 + side % 2 for side in x.shape[2:])
        end = (kernel - 1) // 2
        return super().forward(nn.functional.pad(x, [columns, end, rows, end]))


class InvertedBottleneck(nn.Module):
    """Expand by 1 × 1, convolve each channel, project by 1 × 1; add the input where shapes agree."""

    def __init__(self, channels: tuple[int, int], *, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels[0] * expansion
        self.expand = nn.Conv2d(channels[0], wide, 1) if expansion > 1 else None
        self.depthwise = SameConv2d(wide, wide, kernel, stride, groups=wide)
        self.project = nn.Conv2d(wide, channels[1], 1)
        self.adds = stride == 1 and channels[0] == channels[1]

    def forward(self, x: Tensor) -> Tensor:
        """Take (B, C, H, W) to (B, C', H / stride, W / stride)."""
        y = x if self.expand is None else nn.functional.relu6(self.expand(x), inplace=True)
        y = self.project(nn.functional.relu6(self._convolve(y), inplace=True))
        return x + y if self.adds else y  # type: ignore[no-any-return]

    def _convolve(self, x: Tensor) -> Tensor:
        learns = torch.is_grad_enabled() and (x.requires_grad or self.depthwise.weight.requires_grad)
        if x.is_cuda or not learns:
            return self.depthwise(x)  # type: ignore[no-any-return]
        # The backward pass of this convolution takes three times as long in bf16 as in fp32 on a CPU.
        with torch.autocast(x.device.type, enabled=False):
            return self.depthwise(x.float())  # type: ignore[no-any-return]


class MobileNet(nn.Sequential):
    """The stages that lead to a given stride.

    Args:
        stride: 4, 8, 16 or 32: pixels of the picture to one step of the features.
        frozen_stride: The layers up to this stride keep their weights and cost no backward pass; 0: none.
        last_blocks: So many blocks of the last stage are kept; None: all.
    """

    def __init__(self, stride: int, *, frozen_stride: int = 0, last_blocks: int | None = None) -> None:
        layers: list[nn.Module] = [SameConv2d(3, FIRST_CHANNELS, 3, 2), nn.ReLU6(inplace=True)]
        channels, reached, in_last = FIRST_CHANNELS, 2, 0
        n_frozen = len(layers) if frozen_stride >= reached else 0
        for kernel, step, expansion, width, blocks in STAGES:
            if reached * step > stride:
                break
            reached *= step
            for block, (before, after) in enumerate(pairwise([channels, *[width] * blocks])):
                layers.append(
                    InvertedBottleneck(
                        (before, after), kernel=kernel, stride=step if block == 0 else 1, expansion=expansion
                    )
                )
            channels, in_last = width, blocks
            n_frozen = len(layers) if frozen_stride >= reached else n_frozen
        if reached != stride:
            raise ValueError(f"stride must be 4, 8, 16 or 32, got {stride}")
        if last_blocks is not None:
            layers = layers[: len(layers) - in_last + min(last_blocks, in_last)]
        super().__init__(*layers)
        for module in self.modules():  # without a norm, fresh features would vanish on the way
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        for layer in layers[:n_frozen]:
            layer.requires_grad_(False)
        self.out_channels = channels


def fold(tensors: Mapping[str, Tensor], net: MobileNet) -> dict[str, Tensor]:
    """Turn a published EfficientNet-Lite0 checkpoint into the weights of `net`, normalisation folded in.

    Args:
        tensors: With the names that the PyTorch port of EfficientNet uses (`_conv_stem`, `_blocks.0._bn1`, ...).
        net: Which stages are wanted.

    Returns:
        A state dict for `net`.
    """
    folded = _conv(tensors, "_conv_stem", "_bn0", "0")
    # The checkpoint saw (value · 255 − 127) / 128; the model's streams are (value − 0.5) / 0.25.
    folded["0.bias"] = folded["0.bias"] + folded["0.weight"].sum((1, 2, 3)) * (0.5 * 255 - 127) / 128
    folded["0.weight"] = folded["0.weight"] * (0.25 * 255 / 128)
    blocks = [name for name, layer in net.named_children() if isinstance(layer, InvertedBottleneck)]
    for number, name in enumerate(blocks):
        old = f"_blocks.{number}."
        if f"{old}_expand_conv.weight" in tensors:
            folded |= _conv(tensors, f"{old}_expand_conv", f"{old}_bn0", f"{name}.expand")
        folded |= _conv(tensors, f"{old}_depthwise_conv", f"{old}_bn1", f"{name}.depthwise")
        folded |= _conv(tensors, f"{old}_project_conv", f"{old}_bn2", f"{name}.project")
    return folded


def _conv(tensors: Mapping[str, Tensor], conv: str, norm: str, name: str) -> dict[str, Tensor]:
    scale = tensors[f"{norm}.weight"] / torch.sqrt(tensors[f"{norm}.running_var"] + _BN_EPS)
    return {
        f"{name}.weight": tensors[f"{conv}.weight"] * scale[:, None, None, None],
        f"{name}.bias": tensors[f"{norm}.bias"] - tensors[f"{norm}.running_mean"] * scale,
    }
