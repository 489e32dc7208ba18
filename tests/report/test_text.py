"""The summary that a terminal shows: every fact of the answer, and nothing that could deceive."""

import pytest

from hashformer.report.text import summary, timing_table
from report.detections import KINDS, cannot_tell, document_of, error, hostile, long_file, scored, three_faces, untrained


def lines_of(file):
    return summary(file, document_of(file)).splitlines()


def test_a_scored_file():
    file = scored()
    lines = lines_of(file)
    assert lines[0] == file.path
    assert lines[1].startswith("  Likely fake")
    assert "P(fake), 1 = fake" in lines[2]
    assert sum(line.startswith("  suspect ") for line in lines) == len(file.segments)


def test_every_face_has_a_line():
    lines = lines_of(three_faces())
    assert [line.split(":")[0] for line in lines if line.startswith("  face ")] == ["  face 1", "  face 2", "  face 3"]


@pytest.mark.parametrize(("kind", "words"), [(cannot_tell, "Cannot tell: "), (error, "Could not be read: ")])
def test_what_was_not_scored_has_its_reason_and_no_number(kind, words):
    file = kind()
    lines = lines_of(file)
    assert lines[1] == f"  {words}{file.reason}"
    assert not any("score" in line for line in lines[2:] if not line.startswith("  note:"))


def test_untrained_weights_give_no_verdict_and_no_suspect_seconds():
    lines = lines_of(untrained())
    assert "No verdict" in lines[1]
    assert not any("suspect" in line for line in lines)


def test_many_stretches_are_cut_short_and_counted():
    file = long_file()
    many = file.model_copy(update={"segments": scored().segments[:1] * 14})
    lines = lines_of(many)
    assert sum(line.startswith("  suspect ") for line in lines) == 10
    assert "  and 4 more suspect stretches" in lines


def test_a_hostile_name_stays_one_line():
    file = hostile().model_copy(update={"path": "a\nb\x1b[31m.mp4"})
    lines = lines_of(file)
    assert lines[0] == r"a\nb\x1b[31m.mp4"
    assert not any(ord(char) < 32 for line in lines for char in line)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_warning_is_a_note(kind):
    file = kind()
    assert sum(line.startswith("  note: ") for line in lines_of(file)) == len(file.warnings)


def test_timings_add_up():
    files = [
        scored(timings_s={"decode": 1.0, "model": 2.0}, duration_s=6.0),
        scored(timings_s={"model": 1.0}, duration_s=2.0),
    ]
    table = timing_table(files)
    rows = {line.split()[0]: line.split()[1:] for line in table.splitlines()[1:-1]}
    assert rows["model"] == ["3.00", "75%", "2.7"]
    assert rows["detect"] == ["0.00", "0%", "-"]
    assert rows["all"] == ["4.00", "100%", "2.0"]
    assert table.endswith("8.0 s of media in 2 files")


def test_what_elapsed_is_told_beside_the_sum_of_overlapping_stages():
    file = scored(timings_s={"decode": 1.0, "model": 2.0, "elapsed": 2.5, "evidence": 0.5}, duration_s=6.0)
    rows = {line.split()[0]: line.split()[1:] for line in timing_table([file]).splitlines()[1:-1]}
    assert rows["all"] == ["3.50", "100%", "1.7"]
    assert rows["elapsed"] == ["3.00", "86%", "2.0"]


def test_no_file_was_timed():
    assert "all             0.00      -            -" in timing_table([error()])
