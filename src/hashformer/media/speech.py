"""How much of a sound is speech, as Silero VAD hears it."""

import threading
from functools import cache
from typing import Any

import torch
from torch.nn.functional import pad

from hashformer.config import SPEECH_RATE_HZ
from hashformer.types import Floats

_FRAME = 512
"""Samples of which speech or not is said at once, 32 ms."""
_SPEECH = 0.5
"""From this probability on, a frame is speech."""
_LOCK = threading.Lock()


def speech_share(waveform: Floats) -> float:
    """Say how much of a sound is speech.

    Args:
        waveform: Mono sound at `SPEECH_RATE_HZ`, (S,) float32 in −1 to 1.

    Returns:
        Share of its frames of 32 ms that are speech rather than not, 0–1; the last one is filled up with silence.
    """
    sound = pad(torch.tensor(waveform, dtype=torch.float32), (0, max(0, _FRAME - len(waveform))))
    # The network keeps what it heard last: one thread at a time, and each sound from the start.
    with _LOCK, torch.inference_mode():
        network = _network()
        network.reset_states()
        probabilities = network.audio_forward(sound, SPEECH_RATE_HZ)  # (1, N)
    return float((probabilities >= _SPEECH).double().mean())


@cache
def _network() -> Any:
    """The network, loaded when it is first needed."""
    n_threads = torch.get_num_threads()
    from silero_vad import load_silero_vad  # noqa: PLC0415 -- importing it sets the process to one thread

    network = load_silero_vad()
    torch.set_num_threads(n_threads)
    return network
