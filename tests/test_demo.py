"""The demo, run as `make demo` runs it, in a folder of its own."""

import importlib.util
import json
from pathlib import Path

import av
import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "demo.py"


@pytest.fixture(scope="module")
def demo():
    spec = importlib.util.spec_from_file_location("demo", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pictures(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]


def test_it_scores_both_clips_and_writes_the_report(demo, demo_clip, finder, tmp_path, capsys):
    demo.main(tmp_path)
    printed = capsys.readouterr().out
    assert str(demo_clip) in printed
    assert str(tmp_path / "report.html") in printed
    files = json.loads((tmp_path / "results.json").read_text())["files"]
    assert [file["status"] for file in files] == ["scored", "scored"]
    assert files[0]["sha256"] != files[1]["sha256"]
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") >= 4


def test_the_forgery_changes_the_mouth_and_little_else(demo, demo_clip, finder, tmp_path):
    demo.forge(demo_clip, tmp_path / "forged.mp4")
    forged = pictures(tmp_path / "forged.mp4")
    real = [frame.rgb.astype(int) for frame in demo.frames(demo_clip, fps=demo.FPS)]
    change = np.mean([np.abs(a - b).mean(-1) for a, b in zip(real, forged, strict=False)], axis=0)
    assert change.max() > 6 * np.median(change)
    assert change[: len(change) // 8].mean() < 4, "what lies above the face is untouched but for the codec"
