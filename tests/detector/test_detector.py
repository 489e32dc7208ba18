"""The detector as a whole: one path, whatever the way the data came."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hashformer.config import load_config
from hashformer.detector import Detector
from hashformer.errors import ConfigError, WeightsError
from hashformer.media import probe
from hashformer.model import HashFormer
from hashformer.model.weights import save_model
from hashformer.preprocess.extract import extract
from make_faces import film
from make_media import make_long


@pytest.fixture(scope="module")
def talking(tmp_path_factory, man):
    return film(tmp_path_factory.mktemp("films") / "talking.mp4", (man * 2)[:48])


def test_prepared_samples_score_as_the_file_does(detector, talking):
    samples = extract(talking, probe(talking), detector.config, detector._finder)
    scores = [clip.scores["overall"] for clip in detector.score_samples(list(samples)) if clip.track_id is not None]
    found = detector.detect(talking)
    highest = sorted(scores, reverse=True)[: -(-len(scores) // 2)]
    assert found.score == pytest.approx(float(np.mean(highest)), abs=1e-6)


def test_the_batch_size_decides_nothing(detector, talking):
    with Detector("tiny", batch_size=3) as other:
        assert other.detect(talking).score == pytest.approx(detector.detect(talking).score, abs=1e-5)


def test_progress_runs_to_the_end(detector, talking):
    calls = []
    detector.detect(talking, progress=lambda done_s, total_s: calls.append((done_s, total_s)))
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert calls[-1][0] >= 4.5
    assert calls[-1][1] == pytest.approx(6.0, abs=0.2)


def test_no_such_weights(finder):
    with pytest.raises(WeightsError, match="small"):
        Detector("no-such-weights")


@pytest.mark.parametrize("device", ["cuda:99", "abacus"])
def test_no_such_device(device):
    with pytest.raises(ConfigError, match=device):
        Detector("tiny", device=device)


def test_the_answer_names_the_weights(detector, talking):
    weights = detector.detect(talking).weights
    assert weights.name.startswith("tiny")
    assert weights.trained is False
    assert len(weights.sha256) == 64


PEAK = """
import re, sys
from hashformer.detector import Detector
with Detector(sys.argv[1]) as detector:
    found = detector.detect(sys.argv[2])
status = open("/proc/self/status").read()  # the peak of this process alone: ru_maxrss begins with its parent's
print(found.duration_s, int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) / 1024)
"""


@pytest.mark.slow
def test_the_laptop_detector_needs_less_than_a_gigabyte(finder, talking):
    done = subprocess.run(
        [sys.executable, "-c", PEAK, "small", str(talking)], capture_output=True, text=True, check=True
    )
    assert float(done.stdout.split()[1]) < 1000


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length_of_the_file(finder, tmp_path, man):
    """100 minutes against one, through every stage; one frame a second, so that it ends today."""
    tiny = load_config("tiny").model_dump()
    tiny["clip"] |= {"fps": 1, "duration_s": 4.0, "stride_s": 4.0}
    tiny["model"] |= {"video_rate_hz": 1, "landmark_rate_hz": 1}
    config = type(load_config("tiny")).parse(tiny)
    weights = tmp_path / "slow.safetensors"
    save_model(weights, HashFormer(config.model), config=config, trained=False)
    once = film(tmp_path / "once.mp4", (man * 5)[:160])
    peaks = []
    for minutes in (1, 100):
        path = make_long(tmp_path / f"{minutes}.mp4", 60.0 * minutes, source=once)
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(weights), str(path)], capture_output=True, text=True, check=True
        )
        duration_s, peak_mb = map(float, done.stdout.split())
        assert duration_s == pytest.approx(60.0 * minutes, rel=0.02)
        peaks.append(peak_mb)
        Path(path).unlink()
    assert peaks[1] - peaks[0] < 100
