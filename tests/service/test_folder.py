"""The work folder: what is made, published and erased in it."""

import pytest

from hashformer.errors import StoreError
from hashformer.service.folder import REPORT, RESULT, WorkFolder


@pytest.fixture
def folder(tmp_path):
    return WorkFolder(tmp_path / "new" / "work")


def write_attempt(folder, job_id, number, *names):
    attempt = folder.attempt(job_id, number)
    attempt.mkdir()
    for name in names:
        (attempt / name).write_text(name)


def test_nobody_else_may_look_inside(folder):
    assert {path.stat().st_mode & 0o777 for path in folder.root.iterdir()} == {0o700}


def test_what_a_worker_wrote_becomes_the_result_at_once(folder):
    write_attempt(folder, "a", 1, RESULT, REPORT)
    folder.publish("a", 1)
    assert (folder.result("a").read_text(), folder.report("a").read_text()) == (RESULT, REPORT)
    assert not folder.attempt("a", 1).exists()
    folder.drop_result("a")
    folder.drop_result("a")
    assert not folder.result("a").exists()


def test_a_later_result_takes_the_place_of_an_earlier_one(folder):
    for number in (1, 2):
        write_attempt(folder, "a", number, RESULT, REPORT)
        folder.publish("a", number)
    assert folder.result("a").is_file()


def test_half_a_result_is_none(folder):
    write_attempt(folder, "a", 1, RESULT)
    with pytest.raises(StoreError, match="wrote no"):
        folder.publish("a", 1)


def test_what_belongs_to_no_job_is_erased_and_nothing_outside(folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    folder.upload("a", ".mp4").write_text("x")
    folder.upload("b", ".mp4").write_text("x")
    folder.new_part().write_text("x")
    write_attempt(folder, "c", 1, RESULT)
    (folder.results / "link").symlink_to(outside)
    (folder.results / "d").mkdir()
    assert folder.drop_orphans(uploads=["a.mp4"], results=["d"]) == 4
    assert folder.upload("a", ".mp4").exists()
    assert (folder.results / "d").exists()
    assert (outside / "kept").exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="Name another --work-dir"):
        WorkFolder(tmp_path / "file" / "work")
