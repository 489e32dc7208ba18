"""Files that are made once: in the right place, and never half."""

import pytest

from hashformer.cache import atomic_path, cache_dir


def test_the_place_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv("HASHFORMER_CACHE", str(tmp_path))
    assert cache_dir("assets") == tmp_path / "assets"
    assert (tmp_path / "assets").is_dir()


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [("linux", "XDG_CACHE_HOME", "hashformer/x"), ("win32", "LOCALAPPDATA", "hashformer/x")],
)
def test_each_platform_has_its_custom(monkeypatch, tmp_path, platform, variable, expected):
    monkeypatch.delenv("HASHFORMER_CACHE", raising=False)
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setenv(variable, str(tmp_path))
    assert cache_dir("x") == tmp_path / expected


def test_a_file_appears_whole(tmp_path):
    with atomic_path(tmp_path / "new" / "file.txt") as temporary:
        temporary.write_text("all")
        assert not (tmp_path / "new" / "file.txt").exists()
    assert (tmp_path / "new" / "file.txt").read_text() == "all"
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.txt"]
    assert path.read_text() == "old"
