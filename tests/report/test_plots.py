import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest

from hashformer.report.plots import MAX_POINTS, draw_timeline, pool
from hashformer.results import Second
from report.detections import audio_only, cannot_tell, clear, long_file, scored, three_faces, timeline, track


def texts(svg):
    return [element.text.strip() for element in ET.fromstring(svg).iter("text") if element.text]


def curve_paths(svg, name):
    """Drawn stretches of each curve of one score, as lists of (x, y)."""
    lines = re.findall(rf'<path d="([^"]*)"[^>]*stroke: var\(--plot-{name},', svg)
    stretches = [part for line in lines for part in line.split("M") if part.strip()]
    return [[tuple(map(float, pair)) for pair in re.findall(r"([-\d.]+) ([-\d.]+)", part)] for part in stretches]


def test_a_file_without_scores_has_no_drawing():
    assert draw_timeline(cannot_tell(), threshold=0.5) is None


def test_panels_for_the_file_and_for_each_face_that_was_judged():
    words = texts(draw_timeline(three_faces(), threshold=0.5).svg)
    assert [word for word in words if word == "Whole file" or word.startswith("Face")] == [
        "Whole file",
        "Face 1",
        "Face 2",
    ]


def test_a_single_face_that_is_the_whole_file_is_not_drawn_twice():
    assert "Face 1" not in texts(draw_timeline(scored(), threshold=0.5).svg)


def test_at_most_six_faces_those_with_the_highest_scores():
    drawing = draw_timeline(long_file(), threshold=0.5)
    assert [word for word in texts(drawing.svg) if word.startswith("Face")] == [f"Face {i}" for i in range(1, 7)]
    assert "Of 7 faces with a score, the 6 with the highest are drawn." in drawing.caption


def test_curves_break_where_there_is_no_score():
    drawing = draw_timeline(scored(tracks=[], segments=[]), threshold=0.5)
    before, after = sorted(path for path in curve_paths(drawing.svg, "audio") if len(path) > 4)
    second = (after[-1][0] - before[0][0]) / 30
    assert before[-1][0] - before[0][0] == pytest.approx(20 * second, rel=0.01)
    assert after[0][0] - before[-1][0] == pytest.approx(3 * second, rel=0.01)


def test_a_single_judged_second_is_seen():
    lone = [Second(start_s=i, end_s=i + 1, overall=0.9 if i == 5 else None, audio=None) for i in range(10)]
    drawing = draw_timeline(scored(timeline=lone, tracks=[], segments=[]), threshold=0.5)
    assert any(len(path) == 2 and path[0][0] < path[1][0] for path in curve_paths(drawing.svg, "overall"))


def test_only_scores_that_exist_are_named():
    drawing = draw_timeline(audio_only(), threshold=0.5)
    assert "Sound" in texts(drawing.svg)
    assert "Picture" not in texts(drawing.svg)
    assert "Not judged at any time: picture, picture with sound." in drawing.caption


@pytest.mark.parametrize(("file", "last_tick"), [(clear(), "0:03"), (scored(), "0:30"), (long_file(), "100:00")])
def test_time_axis_suits_the_length(file, last_tick):
    ticks = [word for word in texts(draw_timeline(file, threshold=0.5).svg) if re.fullmatch(r"\d+:\d\d", word)]
    assert ticks[0] == "0:00"
    assert ticks[-1] == last_tick
    assert 3 <= len(ticks) <= 11


def test_long_files_are_thinned_and_the_caption_says_so():
    drawing = draw_timeline(long_file(), threshold=0.5)
    assert "each point is the highest score of 5 seconds" in drawing.caption
    assert len(pool(long_file().timeline, 5)) <= MAX_POINTS
    assert "highest score of" not in draw_timeline(scored(), threshold=0.5).caption


def test_pooling_agrees_with_a_plain_maximum():
    seconds = timeline(0, 103, seed=3, fake=(57,), null=range(20, 40))
    pooled = pool(seconds, 10)
    values = np.array([np.nan if second.sync is None else second.sync for second in seconds])
    expected = [
        None if np.isnan(part).all() else np.nanmax(part) for part in (values[i : i + 10] for i in range(0, 103, 10))
    ]
    assert [second.sync for second in pooled] == expected
    assert [(second.start_s, second.end_s) for second in pooled][-1] == (100, 103)
    assert pool(seconds, 1) == seconds


def test_pooling_keeps_a_gap_between_seconds_a_gap():
    pooled = pool([*timeline(0, 10), *timeline(1000, 10)], 5)
    assert [(second.start_s, second.end_s) for second in pooled] == [(0, 5), (5, 10), (1000, 1005), (1005, 1010)]


def test_shading_of_overlapping_segments_is_one_stretch():
    svg = draw_timeline(scored(tracks=[]), threshold=0.5).svg
    # One for the stretch, one for the legend.
    assert len(re.findall(r'style="fill: var\(--plot-suspect,', svg)) == 2


def test_font_and_colours_are_the_pages():
    for file in (scored(), three_faces()):
        svg = draw_timeline(file, threshold=0.5).svg
        colours = re.findall(r"(?:fill|stroke): ([^;\"]+)", svg)
        assert {colour for colour in colours if not colour.startswith("var(--plot-")} <= {"none"}
        assert "font-family" not in svg
        assert "<style" not in svg
        assert "http" not in svg


def test_the_same_scores_give_the_same_drawing_and_global_settings_stay():
    before = dict(mpl.rcParams)
    file = three_faces()
    assert draw_timeline(file, threshold=0.5) == draw_timeline(file, threshold=0.5)
    assert dict(mpl.rcParams) == before


def test_pyplot_is_not_imported():
    code = "import sys, hashformer.report.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_face_seen_before_the_file_has_scores_is_drawn():
    file = scored(timeline=timeline(0, 5, null=range(5)), tracks=[track(1, n=5)], segments=[])
    assert "Face 1" in texts(draw_timeline(file, threshold=0.5).svg)
