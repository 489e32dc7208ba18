import base64

import cv2
import numpy as np

from hashformer.evaluate.pictures import HEIGHT_PX, picture_uri
from hashformer.media import probe
from hashformer.media.writer import write_audio, write_video
from hashformer.preprocess.extract import extract
from hashformer.preprocess.record import PrepareSettings, Source
from hashformer.preprocess.store import write_samples
from make_faces import film, speech_like


def decoded(uri):
    head, data = uri.split(",", 1)
    assert head == "data:image/jpeg;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)


def test_the_first_picture_of_a_film(tmp_path):
    red = np.zeros((90, 160, 3), np.uint8) + np.array([200, 0, 0], np.uint8)
    write_video(tmp_path / "a.mp4", [red, red * 0], fps=1)
    bgr = decoded(picture_uri("a.mp4", base_dir=tmp_path, prepared=None))
    assert bgr.shape == (HEIGHT_PX, round(160 * HEIGHT_PX / 90), 3)
    assert bgr[..., 2].mean() > 150
    assert bgr[..., 0].mean() < 60


def test_the_first_face_of_a_prepared_file(tmp_path, man, detector):
    path = film(tmp_path / "man.mp4", man[:8])
    info = probe(path)
    samples = extract(path, info, detector.config, detector._finder)
    source = Source(path="man.mp4", sha256="0" * 64, media=info)
    write_samples(tmp_path / "p" / "man.mp4", samples, source=source, settings=PrepareSettings.of(detector.config))
    assert decoded(picture_uri("man.mp4", base_dir=None, prepared=tmp_path / "p")).shape == (HEIGHT_PX, HEIGHT_PX, 3)


def test_what_shows_nothing_has_no_picture(tmp_path):
    write_audio(tmp_path / "a.wav", speech_like(1.0), sample_rate_hz=16_000)
    (tmp_path / "b.mp4").write_text("no film")
    for name in ("a.wav", "b.mp4", "none.mp4"):
        assert picture_uri(name, base_dir=tmp_path, prepared=None) is None
    assert picture_uri("a.wav", base_dir=None, prepared=tmp_path) is None
