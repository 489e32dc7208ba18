"""A synthetic voice that speaks in place of the person, where a text-to-speech program is installed."""

import math
import shutil
import subprocess
import tempfile
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from hashformer.data.forge import waves
from hashformer.data.forge.base import Forged, ForgeryKind
from hashformer.errors import ForgeryError
from hashformer.media.audio import blocks
from hashformer.types import Clip, Floats

PROGRAMS = ("espeak-ng", "espeak")
"""Tried in this order."""
VOICES = ("en-us", "en-gb", "en-us+f2", "en-gb+f4", "en-us+m3", "en-gb+m7", "de", "de+f3", "fr", "fr+f2", "es", "it+f4")
WORDS_PER_MINUTE = (130, 160, 190)
PITCHES = (30, 45, 60)
SENTENCES = (
    "The harbour was quiet when the first boats came in this morning.",
    "We have looked at the figures again, and they do not support that view.",
    "Nobody expected the committee to reach a decision before the summer.",
    "Please take the second street on the left and wait at the corner.",
    "My grandmother kept her recipes in a small blue tin above the stove.",
    "There will be light rain in the north and clear skies in the evening.",
    "I would like to thank everyone who worked on this for so many months.",
    "The train to the coast leaves every hour from platform seven.",
    "It is far too early to say what this means for the people here.",
    "She opened the window, listened for a moment, and closed it again.",
    "Most of the books were damaged by water and cannot be repaired.",
    "Our next guest has spent twenty years measuring the age of old trees.",
    "You can change your answer at any time, but you have to save it first.",
    "The bridge will be closed to cars for at least another three weeks.",
    "He said that he knew nothing about the letter, and I believe him.",
    "Half of the money goes to schools, and the rest pays for new roads.",
)
_TIMEOUT_S = 20
_NOISE_WINDOW = 512
_QUIETEST = 0.1
_MIN_SNR_DB = 15.0
_PAUSE_S = 0.15
_MAX_GAIN_DB = 40.0


def text_to_speech(clip: Clip, partner: Clip | None, *, rng: np.random.Generator, sample_rate_hz: int) -> Forged:
    """Replace the sound by a synthetic voice, as loud as it was and over the clip's own background noise.

    Without that noise the digital silence of a synthesiser's pauses would be all that a detector learns.
    See `Forgery` for arguments; `partner` is not used.

    Raises:
        ForgeryError: If no text-to-speech program is installed, or the clip's sound is silent.
    """
    waveform = waves.heard(clip)
    program = _program()
    voice, pace = str(rng.choice(VOICES)), int(rng.choice(WORDS_PER_MINUTE))
    pitch = int(rng.choice(PITCHES))
    order = rng.permutation(len(SENTENCES))
    spoken = np.zeros(0, np.float32)
    for index in order:
        if len(spoken) >= len(waveform):
            break
        sentence = speak(
            SENTENCES[index], program=program, voice=voice, pace=pace, pitch=pitch, sample_rate_hz=sample_rate_hz
        )
        spoken = np.concatenate([spoken, sentence, np.zeros(round(_PAUSE_S * sample_rate_hz), np.float32)])
    if len(spoken) < len(waveform):
        raise ForgeryError(
            f"{len(waveform) / sample_rate_hz:.0f} s are longer than all sentences together, "
            f"{len(spoken) / sample_rate_hz:.0f} s. Cut shorter clips."
        )
    start = int(rng.integers(0, len(spoken) - len(waveform) + 1))
    level = waves.level_dbfs(waveform)
    noise = _background(waveform, rng)
    noise *= np.float32(min(1.0, 10 ** ((level - _MIN_SNR_DB - waves.level_dbfs(noise)) / 20)))
    voiced = waves.matched(spoken[start : start + len(waveform)], level, max_gain_db=_MAX_GAIN_DB)
    forged = waves.matched(voiced + noise, level, max_gain_db=_MAX_GAIN_DB)
    everything = waves.whole(clip.window)
    return waves.forged_sound(replace(clip, waveform=forged), "text_to_speech", audio=everything, sync=everything)


@lru_cache(maxsize=256)
def speak(sentence: str, *, program: str, voice: str, pace: int, pitch: int, sample_rate_hz: int) -> Floats:
    """Say a sentence; what was said once is remembered by the process.

    Args:
        sentence: Plain text.
        program: Path of espeak-ng or espeak.
        voice: As the program names it.
        pace: Words a minute.
        pitch: 0–99.
        sample_rate_hz: Rate of the result.

    Returns:
        (S,), read-only, without the silence at both ends.

    Raises:
        ForgeryError: If the program fails.
    """
    with tempfile.TemporaryDirectory(prefix="hashformer-") as folder:
        path = Path(folder) / "said.wav"
        command = [program, "-v", voice, "-s", str(pace), "-p", str(pitch), "-w", str(path), sentence]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ForgeryError(
                f"{program} does not speak ({error}). Repair it, or leave text_to_speech out."
            ) from error
        if done.returncode or not path.is_file():
            reason = done.stderr.strip() or f"exit status {done.returncode}"
            raise ForgeryError(f"{program} does not speak ({reason}). Repair it, or leave text_to_speech out.")
        said = np.concatenate([block.samples for block in blocks(path, sample_rate_hz=sample_rate_hz)])
    loud = np.flatnonzero(np.abs(said) > 1e-3)
    if not len(loud):
        raise ForgeryError(f"{program} gave silence in voice {voice}. Repair it, or leave text_to_speech out.")
    said = said[loud[0] : loud[-1] + 1].copy()
    said.flags.writeable = False
    return said


def _program() -> str:
    for name in PROGRAMS:
        path = shutil.which(name)
        if path is not None:
            return path
    raise ForgeryError(
        f"no text-to-speech program is installed ({' or '.join(PROGRAMS)}). Install espeak-ng with the system's "
        "packages, or leave text_to_speech out."
    )


def _background(waveform: Floats, rng: np.random.Generator) -> Floats:
    """Noise with the spectrum and the level of the quietest moments of a sound, as long as it."""
    n_whole = len(waveform) // _NOISE_WINDOW
    pieces = waveform[: n_whole * _NOISE_WINDOW].reshape(n_whole, _NOISE_WINDOW).astype(np.float64)
    powers = np.mean(np.square(pieces), axis=1)
    # Digital silence is no background.
    sounding = np.flatnonzero(powers > 0)
    quietest = sounding[np.argsort(powers[sounding])[: max(1, math.ceil(_QUIETEST * len(sounding)))]]
    spectrum = np.sqrt(np.mean(np.square(np.abs(np.fft.rfft(pieces[quietest] * np.hanning(_NOISE_WINDOW)))), axis=0))
    white = np.fft.rfft(rng.standard_normal(len(waveform)))
    shape = np.interp(np.linspace(0, 1, len(white)), np.linspace(0, 1, len(spectrum)), spectrum)
    noise = np.fft.irfft(white * shape, len(waveform))
    wanted = math.sqrt(float(powers[quietest].mean()))
    return np.asarray(noise * wanted / max(float(np.sqrt(np.mean(np.square(noise)))), 1e-12), np.float32)


KINDS = (ForgeryKind(name="text_to_speech", make=text_to_speech, needs=frozenset({"sound"})),)
