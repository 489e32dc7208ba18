"""A small corpus of real media: quick to make, copied where many files are needed."""

import shutil

import pytest

from hashformer.media.writer import write_audio
from make_media import beeps, flash_and_beep


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """One second of flash and beep, H.264 and AAC, the beep from the start."""
    return flash_and_beep(tmp_path_factory.mktemp("clip") / "clip.mp4", duration_s=1.0, at_s=(0.0,), fps=10)


@pytest.fixture(scope="session")
def silent_start(tmp_path_factory):
    """Two seconds of sound, silent for the first half second."""
    path = tmp_path_factory.mktemp("sound") / "late.wav"
    write_audio(path, beeps(2.0, (0.5,)), sample_rate_hz=16_000)
    return path


@pytest.fixture
def corpus(tmp_path):
    """Copy files to names below a root whose path has spaces and parentheses."""
    root = tmp_path / "a corpus (v1)"

    def place(source, *names):
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, root / name)
        return root

    return place
