"""Forgeries made from real clips, so that a detector can be trained on real video alone."""

from collections.abc import Collection, Mapping
from types import ModuleType

import numpy as np

from hashformer.data.forge import blend, moments, mouth, puppet, resynthesis, sound, speech, vocoder
from hashformer.data.forge.base import ForgeryKind, Stream
from hashformer.data.forge.neural import neural_kind_from
from hashformer.errors import ConfigError
from hashformer.types import Clip

__all__ = ["FORGERIES", "draw_forgery", "kinds_with", "streams_of"]

_MODULES: tuple[ModuleType, ...] = (blend, puppet, resynthesis, mouth, moments, sound, vocoder, speech)

FORGERIES: dict[str, ForgeryKind] = {kind.name: kind for module in _MODULES for kind in module.KINDS}
"""Every forgery that needs nothing but clips, by its name."""


def kinds_with(autoencoder: str) -> Mapping[str, ForgeryKind]:
    """Every forgery, by its name: with `neural_resynthesis` if there is an autoencoder for it.

    Args:
        autoencoder: File that `Autoencoder.save` wrote; "" for none.

    Raises:
        WeightsError: If the file cannot be read.
    """
    if not autoencoder:
        return FORGERIES
    kind = neural_kind_from(autoencoder)
    return {**FORGERIES, kind.name: kind}


def streams_of(clip: Clip) -> frozenset[Stream]:
    """What of a clip can be forged."""
    here: set[Stream] = set()
    if clip.frames is not None:
        here.add("picture")
    if clip.waveform is not None:
        here.add("sound")
    return frozenset(here)


def draw_forgery(
    chances: Mapping[str, float],
    streams: Collection[Stream],
    rng: np.random.Generator,
    *,
    without: Collection[str] = (),
    kinds: Mapping[str, ForgeryKind] = FORGERIES,
) -> ForgeryKind | None:
    """Draw a kind that a clip allows.

    Args:
        chances: How often each kind is drawn, against the others; kinds that it does not name are not drawn.
        streams: What the clip has.
        rng: Source of chance.
        without: Kinds that were tried already.
        kinds: Those that there are.

    Returns:
        A kind; None if no kind is left that fits.

    Raises:
        ConfigError: If `chances` gives one to a kind that there is not.
    """
    for name, chance in chances.items():
        if chance > 0 and name not in kinds:
            raise ConfigError(f"{name!r} is no forgery; there are {', '.join(kinds)}.")
    fitting = [
        kind
        for name, kind in kinds.items()
        if chances.get(name, 0) > 0 and name not in without and kind.needs <= set(streams)
    ]
    if not fitting:
        return None
    weights = np.array([chances[kind.name] for kind in fitting])
    return fitting[int(rng.choice(len(fitting), p=weights / weights.sum()))]
