"""The three commands as a user types them."""

import json

import pytest
import typer
from typer.testing import CliRunner

from hashformer.cli.audit import audit
from hashformer.cli.doctor import doctor
from hashformer.cli.manifest import manifest
from hashformer.data.manifest import read_manifest
from hashformer.data.splits import leaks
from hashformer.errors import ManifestError
from make_media import text_named_mp4

app = typer.Typer()
for verb in (manifest, doctor, audit):
    app.command()(verb)


def run(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    if isinstance(done.exception, ManifestError):
        raise done.exception
    return done


@pytest.fixture
def small(corpus, clip):
    """Ten people, a real and a fake of each, and a table of them."""
    root = corpus(clip, *(f"{kind}/{i}.mp4" for kind in ("real", "fake") for i in range(10)))
    lines = [f"{kind}/{i}.mp4,{kind},p{i}" for kind in ("real", "fake") for i in range(10)]
    (root / "list.csv").write_text("\n".join(["path,label,identity", *lines]))
    return root


def test_a_manifest_by_identity(small, tmp_path):
    out = tmp_path / "m.csv"
    done = run("manifest", "folder", small, "-o", out, "--split", "identity", "--fractions", "0.6,0.2,0.2")
    assert done.exit_code == 0
    rows = read_manifest(out)
    assert [sum(r.split == s for r in rows) for s in ("train", "val", "test")] == [12, 4, 4]
    assert leaks(rows) == []
    assert "Wrote 20 rows" in done.stderr
    assert "train: 6 real, 6 fake" in done.stderr


def test_without_an_output_the_rows_go_to_stdout(small):
    done = run("manifest", "folder", small)
    assert done.stdout.startswith("path,label,video_fake,")
    assert len(done.stdout.splitlines()) == 21
    assert "no split: 10 real, 10 fake" in done.stderr


def test_missing_files_are_counted_and_left_out(small, tmp_path):
    (small / "fake/3.mp4").unlink()
    done = run("manifest", "folder", small, "-o", tmp_path / "m.csv")
    assert done.exit_code == 1
    assert "1 listed files are missing and were left out:\n  fake/3.mp4" in done.stderr
    assert len(read_manifest(tmp_path / "m.csv")) == 19


def test_a_file_of_splits(small, tmp_path):
    (tmp_path / "s.csv").write_text("path,split\nreal/1.mp4,train\nfake,test\nelse/9.mp4,test\n")
    done = run("manifest", "folder", small, "-o", tmp_path / "m.csv", "--split", tmp_path / "s.csv")
    assert {r.split for r in read_manifest(tmp_path / "m.csv")} == {"train", "test"}
    assert "9 files are not in" in done.stderr
    assert "1 entries of it are not here: 'else/9.mp4'" in done.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--split", "official"], "folder has no official split here"),
        (["--split", "identiy"], "neither official, identity, identity-drop, nor a file"),
        (["--split", "identity", "--fractions", "1,1,1"], "must add up to 1"),
    ],
)
def test_wrong_splits(small, words, why):
    with pytest.raises(ManifestError, match=why):
        run("manifest", "folder", small, *words)


def test_fractions_must_be_three_numbers(small):
    done = run("manifest", "folder", small, "--split", "identity", "--fractions", "0.5,0.5")
    assert done.exit_code == 2
    assert "three numbers" in done.stderr


def test_rows_that_name_nobody_are_told(small, tmp_path):
    text = (small / "list.csv").read_text().replace("real/0.mp4,real,p0", "real/0.mp4,real,")
    (small / "list.csv").write_text(text)
    done = run("manifest", "folder", small, "-o", tmp_path / "m.csv", "--split", "identity")
    assert "1 rows name nobody" in done.stderr


def test_identity_drop(small, tmp_path):
    done = run("manifest", "folder", small, "-o", tmp_path / "m.csv", "--split", "identity-drop")
    assert "0 rows show people of two splits and were left out" in done.stderr


def test_a_healthy_and_an_ill_corpus(small):
    done = run("doctor", "folder", small)
    assert done.exit_code == 0
    assert "20 files listed\n0 missing" in done.stdout
    text_named_mp4(small / "real/0.mp4")
    done = run("doctor", "folder", small, "--json")
    assert done.exit_code == 1
    assert list(json.loads(done.stdout)["corrupt"]) == ["real/0.mp4"]
    done = run("doctor", "folder", small, "--quick")
    assert done.exit_code == 0
    assert "corrupt files were not looked for" in done.stdout


def test_an_audit(small, tmp_path):
    run("manifest", "folder", small, "-o", tmp_path / "m.csv")
    done = run("audit", tmp_path / "m.csv", "--root", small)
    assert done.exit_code == 0
    assert "0 people are in more than one split" in done.stdout
    assert "0 shortcuts: none found" in done.stdout
    (small / "real/0.mp4").unlink()
    done = run("audit", tmp_path / "m.csv", "--root", small, "--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert (told["n_rows"], list(told["unreadable"]), told["shortcuts"]) == (20, ["real/0.mp4"], [])


@pytest.mark.shared_data
def test_the_shared_clips(shared_data, tmp_path):
    done = run("manifest", "folder", shared_data, "-o", tmp_path / "m.csv", "--split", "official")
    assert done.exit_code == 0
    done = run("audit", tmp_path / "m.csv", "--root", shared_data, "--sample", 20, "--json")
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert told["n_rows"] > 1000
    assert told["leaks"] == []
    assert told["n_files"] == 40
    assert told["features"]
