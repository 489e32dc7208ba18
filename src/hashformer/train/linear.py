"""Linear answers to frozen features, solved for over the clips that a training would see."""

import hashlib
import logging
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hashformer.cache import atomic_path
from hashformer.config.train import TrainConfig
from hashformer.data.loaded import Loaded
from hashformer.errors import ConfigError, TrainError
from hashformer.losses.dense import FORGED_SHARE
from hashformer.model import HashFormer
from hashformer.model.inputs import Stream, read_streams
from hashformer.model.sound_traces import SoundTraces
from hashformer.model.traces import Traces
from hashformer.train.data import TrainData
from hashformer.train.logistic import Samples, logistic

_PLACES = 4
"""So many places of a frame, drawn at random, stand for all."""
_DRAWN = (0.25, 0.9)
"""Each frame is seen as it is, and once more drawn smaller by a factor in this range: blur is no sign of forgery."""
_STREAMS = {"traces": "video", "sound_traces": "audio"}
_logger = logging.getLogger(__name__)


def solve(model: HashFormer, config: TrainConfig, data: TrainData, folder: Path) -> int:
    """Solve for the linear answers that `config.optimiser.solve` names, and put them into the model.

    What an epoch's clips gave is kept in a file, and read where it is there: an interrupted run goes on.

    Args:
        model: Changed in place.
        config: Of the run; its epochs and steps say how many clips are drawn.
        data: Loaders.
        folder: Where those files are.

    Returns:
        Batches that were drawn.

    Raises:
        ConfigError: If the network has no such part.
        TrainError: If the clips are all real or all forged to it, or what is kept is of another run.
    """
    model.eval()
    for part in config.optimiser.solve:
        look = getattr(model, part)
        if look is None:
            raise ConfigError(f"optimiser.solve={part}: the network has no such part")
        epochs = [_epoch(part, model, config, data, folder, epoch) for epoch in range(config.run.epochs)]
        images, places = (Samples.joined(each) for each in zip(*epochs, strict=True))
        put_answers(look, images, places, config.optimiser.l2)
        _logger.info(
            "%s: solved for over %d images, %.0f %% forged", part, len(images.forged), 100 * images.forged.mean()
        )
    return config.run.steps


def put_answers(look: Traces | SoundTraces, images: Samples, places: Samples, l2: float) -> None:
    """Solve for the answers of one part, and put them into it.

    Args:
        look: Changed in place.
        images: Summaries of images.
        places: Features at places; not read for sound.
        l2: As for `logistic`.

    Raises:
        TrainError: As `logistic`.
    """
    weight, bias, middle = logistic(images, l2)
    look.answer.load_state_dict({"weight": torch.from_numpy(weight)[None], "bias": torch.tensor([bias])})
    look.middle.copy_(torch.from_numpy(middle))
    if isinstance(look, Traces) and not len(places.forged):
        _logger.warning("no clip says where it is forged: the map of places is left as it is")
    elif isinstance(look, Traces):
        weight, bias, middle = logistic(places, l2)
        bias -= float(weight @ middle)
        state = {"weight": torch.from_numpy(weight)[None, :, None, None], "bias": torch.tensor([bias])}
        look.place.load_state_dict(state)


def _epoch(
    part: str, model: HashFormer, config: TrainConfig, data: TrainData, folder: Path, epoch: int
) -> tuple[Samples, Samples]:
    """What the clips of an epoch give: images, and places of frames (none of sound)."""
    path = folder / f"{part}_{epoch}.npz"
    look: Traces | SoundTraces = getattr(model, part)
    made_for = hashlib.sha256((config.to_yaml() + data.fingerprint).encode())
    for weight in look.features.parameters():
        made_for.update(weight.detach().cpu().numpy().tobytes())
    if path.is_file():
        with np.load(path) as kept:
            if str(kept["made_for"]) != made_for.hexdigest():
                raise TrainError(
                    f"{path}: was made with other settings or features, or of other data. Name another --log_dir."
                )
            return Samples(kept["values"], kept["forged"]), Samples(kept["places"], kept["forged_places"])
    chance = torch.Generator().manual_seed(config.run.seed + epoch)
    found = [_batch(part, model, batch, chance) for batch in data.epoch(epoch)]
    images, places = (Samples.joined(each) for each in zip(*found, strict=True))
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            made_for=made_for.hexdigest(),
            values=images.values,
            forged=images.forged,
            places=places.values,
            forged_places=places.forged,
        )
    return images, places


@torch.inference_mode()
def _batch(part: str, model: HashFormer, batch: Loaded, chance: torch.Generator) -> tuple[Samples, Samples]:
    look: Traces | SoundTraces = getattr(model, part)
    stream = read_streams(batch.batch, model.specs).get(_STREAMS[part])
    width = look.answer.in_features
    places = Samples(np.zeros((0, look.features.out_channels), np.float32), np.zeros(0, np.float32))
    if stream is None:
        return Samples(np.zeros((0, width), np.float32), np.zeros(0, np.float32)), places
    images, all_places = [], [places]
    for shown in [stream, _smaller(stream, chance)] if isinstance(look, Traces) else [stream]:
        found = look.find(shown)
        forged = batch.labels[_STREAMS[part]].repeat_interleave(len(found.present) // len(batch.row_idx))
        known = found.present & ~forged.isnan()
        images.append(Samples(found.summary[known].numpy(), forged[known].numpy()))
        if isinstance(look, Traces) and batch.masks is not None:
            all_places.append(_places(found.features, batch.masks, known, stream, chance))
    return Samples.joined(images), Samples.joined(all_places)


def _smaller(video: Stream, chance: torch.Generator) -> Stream:
    """The frames of a batch drawn smaller, all by one factor, and enlarged again."""
    low, high = map(math.log, _DRAWN)
    factor = math.exp(low + (high - low) * float(torch.rand((), generator=chance)))
    frames = video.values.flatten(0, 1)  # (B·T, C, rows, columns)
    size = [max(1, round(side * factor)) for side in frames.shape[2:]]
    small = functional.interpolate(frames, size=size, mode="bilinear", antialias=True)
    drawn = functional.interpolate(small, size=frames.shape[2:], mode="bilinear")
    return video._replace(values=drawn.reshape(video.values.shape))


def _places(features: Tensor, masks: Tensor, known: Tensor, stream: Stream, chance: torch.Generator) -> Samples:
    """Some places of each frame, and whether they are forged."""
    n_clips, side = len(stream.values), features.shape[2:]
    share = functional.adaptive_avg_pool3d(masks.float()[:, None], (len(features) // n_clips, *side))
    share = share.reshape(len(features), -1)  # (n, h·w)
    index = torch.randint(share.shape[1], (len(features), _PLACES), generator=chance)
    values = features.flatten(2).gather(2, index[:, None].expand(-1, features.shape[1], -1)).transpose(1, 2)
    wanted = share.gather(1, index)
    told = known[:, None] & ~wanted.isnan()
    return Samples(values[told].numpy(), (wanted[told] > FORGED_SHARE).float().numpy())
