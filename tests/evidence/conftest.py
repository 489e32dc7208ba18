"""Small models that were taught to look at one region, and nothing else."""

from dataclasses import dataclass

import pytest
import torch

from hashformer.config import Config, load_config
from hashformer.model import HashFormer
from hashformer.model.calibration import Calibration
from hashformer.model.inputs import read_streams
from hashformer.model.weights import LoadedModel
from hashformer.results import WeightsInfo
from hashformer.types import Batch

N_STEPS = 60


def loaded_of(model, *, calibration=None, extra=None):
    return LoadedModel(
        model=model.eval().requires_grad_(False),
        config=Config.model_validate({**load_config("tiny").model_dump(), "model": model.config.model_dump()}),
        calibration=calibration or Calibration(),
        info=WeightsInfo(name="taught", sha256="0" * 64, trained=True),
        extra=extra or {},
    )


def small_model(name, **changes):
    config = load_config("tiny").model.model_copy(update={"modalities": (name,), "hashing": False, **changes})
    return HashFormer(config)


def film(n, *, fake, seed):
    """Noise, with a bright mark on the 4 × 4 grid's row 1, columns 1 and 2, in what is fake: (n, 8, 3, 32, 32)."""
    video = torch.rand(n, 8, 3, 32, 32, generator=torch.Generator().manual_seed(seed)) * 0.4
    video[:fake, :, :, 8:16, 8:24] += 0.6
    return Batch(video=video, present={})


def sound(n, *, fake, seed):
    """Noise, with a loud patch at steps 2 and 3, band 5, in what is fake: (n, 100, 128)."""
    audio = torch.randn(n, 100, 128, generator=torch.Generator().manual_seed(seed)) - 10
    audio[:fake, 40:80, 80:96] += 8
    return Batch(audio=audio, present={})


@dataclass
class Taught:
    """A model, one fake clip as its streams, and where the mark is, in the shape of `Places`."""

    name: str
    loaded: LoadedModel
    streams: dict
    mark: torch.Tensor


@pytest.fixture(scope="session", params=["video", "audio"])
def taught(request):
    name = request.param
    make = {"video": film, "audio": sound}[name]
    mark = torch.zeros((4, 4) if name == "video" else (5, 8), dtype=torch.bool)
    mark[(1, slice(1, 3)) if name == "video" else (slice(2, 4), 5)] = True
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = small_model(name, video_patch_px=8)
        optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
        labels = torch.tensor([1.0] * 8 + [0.0] * 8)
        for step in range(N_STEPS):
            logit = model(make(16, fake=8, seed=step)).logits["overall"]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logit, labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    loaded = loaded_of(model)
    return Taught(name, loaded, read_streams(make(1, fake=1, seed=999), model.specs), mark)
