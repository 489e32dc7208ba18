"""A small convolutional autoencoder of faces: its decoder gives real frames the texture of generated ones."""

import json
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, Self

import cv2
import numpy as np
import torch
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from hashformer.cache import atomic_path
from hashformer.config.base import Settings
from hashformer.errors import ConfigError, TrainError, WeightsError
from hashformer.types import Frames

_KEY = "hashformer.autoencoder"
_CHUNK = 32
"""Frames that are reconstructed at once: bounds the memory."""
_POOL_FRAMES = 6000
"""Frames held for training; further ones replace earlier ones by lot."""
_SPARE = 4 / 3
"""Frames are held this much larger than the network reads them, so that cut-outs are not blurred twice."""
_logger = logging.getLogger(__name__)


class AutoencoderSettings(Settings):
    """Shape of the autoencoder.

    Attributes:
        size_px: Side of the square that it reads and writes.
        channels: After each halving of the side, so their number says how narrow the middle is.
        latent_channels: At the narrowest place.
        upsample: How the decoder enlarges: a convolution after repeating pixels (`resize`), or a transposed
            convolution, which leaves a faint grid.
        noise: Standard deviation of what is added to the middle in training, whose values lie in −1 to 1:
            the bottleneck of a VAE with fixed variance.
    """

    size_px: int = Field(default=96, ge=32, le=256)
    channels: tuple[int, ...] = Field(default=(24, 48, 96), min_length=1)
    latent_channels: int = Field(default=32, ge=1)
    upsample: Literal["resize", "transposed"] = "resize"
    noise: float = Field(default=0.05, ge=0)

    def model_post_init(self, _: object) -> None:
        """Refuse sides that cannot be halved so often."""
        if self.size_px % self.step_px:
            raise ValueError(f"size_px must be a multiple of {self.step_px}, got {self.size_px}")

    @property
    def step_px(self) -> int:
        """How many pixels' width one place in the middle stands for."""
        return int(2 ** len(self.channels))


class Autoencoder(nn.Module):
    """Encoder and decoder, both purely convolutional."""

    def __init__(self, settings: AutoencoderSettings) -> None:
        super().__init__()
        self.settings = settings
        widths, latent = settings.channels, settings.latent_channels
        encoder: list[nn.Module] = []
        for before, after in zip((3, *widths), widths, strict=False):
            encoder += [nn.Conv2d(before, after, 3, 2, 1), nn.SiLU()]
        encoder += [_Residual(widths[-1]), nn.Conv2d(widths[-1], latent, 1)]
        decoder: list[nn.Module] = [nn.Conv2d(latent + 3, widths[-1], 3, 1, 1)]
        decoder += [_Residual(widths[-1]), _Residual(widths[-1])]
        for before, after in zip(widths[::-1], (*widths[-2::-1], 16), strict=True):
            decoder += [_enlarge(before, after, settings.upsample), nn.SiLU()]
        decoder.append(nn.Conv2d(16, 3, 3, 1, 1))
        self.encoder, self.decoder = nn.Sequential(*encoder), nn.Sequential(*decoder)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # 1.8 times as fast on a CPU

    def forward(self, pictures: Tensor, *, noise: Tensor | None = None) -> Tensor:
        """Encode and decode.

        Colours pass the middle as means of blocks, and the decoder adds what a smooth enlargement of these
        lacks: a few hundred steps of training suffice then.

        Args:
            pictures: RGB in 0–1, (B, 3, size, size).
            noise: Added to the middle, (B, latent, size / 2ⁿ, size / 2ⁿ).

        Returns:
            (B, 3, size, size), about 0–1.
        """
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        colours = F.avg_pool2d(pictures, self.settings.step_px) - 0.5  # (B, 3, size / 2ⁿ, size / 2ⁿ)
        middle: Tensor = self.encoder(2 * pictures - 1)
        middle = middle.tanh()
        details = self.decoder(torch.cat([middle if noise is None else middle + noise, colours], dim=1))
        coarse = F.interpolate(colours, size=pictures.shape[-2:], mode="bilinear")
        return torch.as_tensor(coarse + details / 4 + 0.5)

    @torch.no_grad()
    def reconstruct(
        self,
        frames: Frames,
        *,
        side_px: int | None = None,
        flicker: float = 0.0,
        rng: np.random.Generator | None = None,
    ) -> Frames:
        """What the decoder makes of real frames, at their own size.

        Args:
            frames: (T, 3, H, W) uint8, square or nearly so.
            side_px: Of the square that frames are resized to for it; the side that it was trained at if left out.
                A smaller one gives smoother frames.
            flicker: Standard deviation of noise in the middle, drawn anew for each frame.
            rng: Where the noise is drawn from; needed if there is any.

        Returns:
            (T, 3, H, W) uint8.

        Raises:
            ValueError: If `flicker` is not 0 and there is no `rng`, or `side_px` cannot be halved often enough.
        """
        if flicker and rng is None:
            raise ValueError(f"flicker={flicker:g} needs an rng to draw it from")
        side = self.settings.size_px if side_px is None else side_px
        if side < self.settings.step_px or side % self.settings.step_px:
            raise ValueError(f"side_px must be a multiple of {self.settings.step_px}, got {side}")
        height, width = frames.shape[-2:]
        made = np.empty_like(frames)
        for first in range(0, len(frames), _CHUNK):
            small = np.stack([_resized(frame, side) for frame in frames[first : first + _CHUNK]])
            noise = None
            if rng is not None and flicker:
                drawn = rng.normal(0, flicker, (len(small), *self.latent_shape(side)))
                noise = torch.from_numpy(drawn.astype(np.float32))
            decoded = self(torch.from_numpy(small).float() / 255, noise=noise)
            pixels = (decoded.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
            for index, picture in enumerate(np.ascontiguousarray(pixels)):
                enlarged = cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC)
                made[first + index] = np.moveaxis(np.asarray(enlarged, np.uint8), -1, 0)
        return made

    def save(self, path: str | Path) -> None:
        """Write weights and settings to a `.safetensors` file; it appears whole or not at all."""
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()}
        with atomic_path(Path(path)) as temporary:
            save_file(tensors, temporary, {_KEY: self.settings.model_dump_json()})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote, ready to reconstruct.

        Raises:
            WeightsError: If it is no such file, is broken, or does not fit its own settings.
        """
        try:
            with safe_open(path, framework="pt") as file:
                notes = (file.metadata() or {}).get(_KEY)
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 — no iterator
            if notes is None:
                raise WeightsError(f"{path}: no face autoencoder: {_KEY!r} is not in its metadata")
            with torch.random.fork_rng(devices=[]):
                loaded = cls(AutoencoderSettings.parse(json.loads(notes), source=str(path)))
            loaded.load_state_dict(tensors)
        except (SafetensorError, OSError, RuntimeError, json.JSONDecodeError, ConfigError) as error:
            raise WeightsError(f"{path}: not a readable autoencoder file ({str(error)[:200]})") from None
        return loaded.eval().requires_grad_(False)

    def latent_shape(self, side_px: int) -> tuple[int, int, int]:
        """Channels, height and width of the middle for a square picture."""
        side = side_px // self.settings.step_px
        return self.settings.latent_channels, side, side


def train_autoencoder(
    frames: Iterable[Frames],
    *,
    steps: int,
    seed: int,
    settings: AutoencoderSettings | None = None,
    batch_size: int = 16,
) -> Autoencoder:
    """Learn to reconstruct faces, from square cut-outs of all sizes, whole crops to mouths.

    A step of 16 cut-outs takes 0.14 s on one core; 1,200 steps, three minutes, give faces of the right
    colours whose skin, teeth and hair have lost their detail.

    Args:
        frames: Crops of real clips, (T, 3, H, W) uint8 each; read once, black ones (gaps) left out.
        steps: Of the optimiser.
        seed: Decides the weights and everything drawn.
        settings: Shape; the default one if left out.
        batch_size: Cut-outs in a step.

    Raises:
        TrainError: If there is no frame to learn from, or the loss is not finite.
    """
    settings = settings or AutoencoderSettings()
    rng = np.random.default_rng(seed)
    pool = _pool(frames, round(settings.size_px * _SPARE), rng)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Autoencoder(settings)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=max(steps, 2), pct_start=0.1)
    for step, batch in zip(range(steps), _batches(pool, settings.size_px, batch_size, rng), strict=False):
        pictures = torch.from_numpy(batch).float() / 255
        noise = rng.normal(0, settings.noise, (batch_size, *model.latent_shape(settings.size_px))).astype(np.float32)
        loss = _loss(model(pictures, noise=torch.from_numpy(noise)), pictures)
        if not torch.isfinite(loss):
            raise TrainError(f"step {step}: the autoencoder's loss is {loss.item()}; the frames may be damaged")
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 50 == 0:
            _logger.info("autoencoder step %d of %d: loss %.4f", step, steps, loss.item())
    return model.eval().requires_grad_(False)


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.GroupNorm(8 if width % 8 == 0 else 1, width), nn.SiLU(), nn.Conv2d(width, width, 3, 1, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        changed: Tensor = self.change(features)
        return features + changed


def _enlarge(before: int, after: int, how: str) -> nn.Module:
    if how == "transposed":
        return nn.ConvTranspose2d(before, after, 3, 2, 1, output_padding=1)
    return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, 1, 1))


def _loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Absolute error of pixels, and of their differences to the right and down at three sizes."""
    loss = (made - wanted).abs().mean()
    for _ in range(3):
        for axis in (-1, -2):
            loss = loss + (made.diff(dim=axis) - wanted.diff(dim=axis)).abs().mean()
        made, wanted = F.avg_pool2d(made, 2), F.avg_pool2d(wanted, 2)
    return loss


def _pool(frames: Iterable[Frames], side: int, rng: np.random.Generator) -> Frames:
    held: list[Frames] = []
    n_seen = 0
    for clip in frames:
        for frame in clip:
            if not frame.any():
                continue
            n_seen += 1
            slot = len(held) if len(held) < _POOL_FRAMES else int(rng.integers(n_seen))
            if slot < _POOL_FRAMES:
                held[slot : slot + 1] = [_resized(frame, side)]
    if not held:
        raise TrainError("no frame with a face to train the autoencoder on; pass crops of prepared clips")
    return np.stack(held)


def _batches(pool: Frames, size_px: int, batch_size: int, rng: np.random.Generator) -> Iterator[Frames]:
    side = pool.shape[-1]
    while True:
        batch = []
        for index in rng.integers(len(pool), size=batch_size):
            part = round(side * rng.uniform(0.45, 1))
            top, left = rng.integers(side - part + 1, size=2)
            cutout = _resized(pool[index][:, top : top + part, left : left + part], size_px)
            batch.append(cutout[..., ::-1] if rng.random() < 0.5 else cutout)
        yield np.stack(batch)


def _resized(frame: Frames, side: int) -> Frames:
    picture = cv2.merge([np.ascontiguousarray(plane) for plane in frame])
    how = cv2.INTER_AREA if frame.shape[-1] > side else cv2.INTER_LINEAR
    return np.ascontiguousarray(np.moveaxis(cv2.resize(picture, (side, side), interpolation=how), -1, 0))
