"""Media and servers that the tests of the service share."""

import pytest

from make_faces import film, speech_like
from make_media import text_named_mp4
from service_process import Server


@pytest.fixture(scope="session")
def talking(tmp_path_factory, man):
    """Two seconds of a man speaking."""
    return film(tmp_path_factory.mktemp("media") / "talking.mp4", man[:16])


@pytest.fixture(scope="session")
def voice(tmp_path_factory):
    """A second of sound, quickly scored."""
    from hashformer.media.writer import write_audio

    path = tmp_path_factory.mktemp("media") / "voice.wav"
    write_audio(path, speech_like(1.5), sample_rate_hz=16_000)
    return path


@pytest.fixture(scope="session")
def no_film(tmp_path_factory):
    return text_named_mp4(tmp_path_factory.mktemp("media") / "bad.mp4")


@pytest.fixture
def server(tmp_path, finder):
    """Start servers; those that still run are ended."""
    started = []

    def start(*options, work_dir=tmp_path / "work", **settings):
        started.append(Server(work_dir, *options, **settings))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.kill()
