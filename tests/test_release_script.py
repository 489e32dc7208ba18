"""The release recipe: each step once, in order, what is done skipped, failures told from single bad files."""

import importlib.util
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from evaluate.score_tables import row, scored, table
from hashformer.data.manifest import Row, read_manifest, write_manifest
from hashformer.data.splits import leaks
from hashformer.errors import ManifestError
from hashformer.model.weights import load_model, save_model

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
STEPS = [
    *("manifest", "preprocess", "forge", "train", "train", "train", "train", "train"),
    *("validate", "validate", "validate", "baselines", "robustness"),
]
STUB = """#!{python}
import os, sys
from pathlib import Path

words = sys.argv[1:]
if words == ["--version"]:
    sys.exit(print(os.environ.get("STUB_VERSION", "1")))
here = Path(__file__).parent
with (here / "calls.txt").open("a") as calls:
    calls.write(" ".join(words) + "\\n")
verb, options = words[0], dict(zip(words, words[1:]))
if verb == os.environ.get("STUB_FAILS"):
    sys.exit(int(os.environ.get("STUB_CODE", "3")))
if verb == "manifest":
    from hashformer.data.manifest import Row, write_manifest
    rows = [Row(path=f"{{i}}.mp4", label=0, identity_source=f"p{{i}}", split="train", corpus="c") for i in range(30)]
    write_manifest([*rows, Row(path="dev.mp4", label=0, identity_source="q", split="val")], Path(options["--output"]))
    sys.exit(0)
places = ("--out", "--output_dir", "--train-autoencoder", "--log_dir")
folder = Path(next(options[name] for name in places if name in options))
names = {{"preprocess": "failures.csv", "validate": "metrics.json", "pretrain": "weights.safetensors"}}
product = folder if verb in ("train", "forge") else folder / names.get(verb, f"{{verb}}.json")
product.parent.mkdir(parents=True, exist_ok=True)
if verb == "validate":
    (product.parent / "scores.parquet").write_bytes(Path(os.environ["STUB_SCORES"]).read_bytes())
if product.name == "weights.safetensors":
    product.write_bytes(Path(os.environ["STUB_WEIGHTS"]).read_bytes())
else:
    product.write_text('{{"thresholds": {{"n": 9, "fpr_1": {{"threshold": 0.9}}, "fpr_5": {{"threshold": 0.7}}}}}}')
sys.exit(1 if verb == os.environ.get("STUB_SOME_FAIL") else 0)
"""


@pytest.fixture
def release(tmp_path):
    """Run the script with a command that only leaves what the real one would; gives the verbs it was called with."""
    stub, data, out = tmp_path / "hashformer", tmp_path / "my data", tmp_path / "my out"
    stub.write_text(STUB.format(python=sys.executable))
    stub.chmod(stub.stat().st_mode | stat.S_IXUSR)
    data.mkdir()
    (data / "clips.csv").write_text("path,label,kind\n")

    tiny = load_model("tiny")
    save_model(tmp_path / "tiny.safetensors", tiny.model, config=tiny.config, trained=True, extra={"seed": "0"})

    files = {
        "a.mp4": (0, scored("a.mp4", 0.2, video=0.2)),
        "b.mp4": (0, scored("b.mp4", 0.8, video=0.8)),
        "c.mp4": (1, scored("c.mp4", 0.9, video=0.9)),
        "d.wav": (1, scored("d.wav", 0.3, audio=0.3)),
        "e.mp4": (1, scored("e.mp4")),
    }
    table(tmp_path, [(row(path, label), answer) for path, (label, answer) in files.items()])

    def run(code=0, **settings):
        (tmp_path / "calls.txt").write_text("")
        fixed = {
            "PYTHON": sys.executable,
            "HASHFORMER": str(stub),
            "WORKERS": "1",
            "DEVICE": "cpu",
            "ROBUSTNESS": "blur",
            "STUB_WEIGHTS": str(tmp_path / "tiny.safetensors"),
            "STUB_SCORES": str(tmp_path / "scores.parquet"),
        }
        ran = subprocess.run(
            ["bash", SCRIPTS / "release.sh", data, out],
            env=os.environ | fixed | settings,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == code, ran.stdout + ran.stderr
        run.told = ran.stdout + ran.stderr
        return [line.split() for line in (tmp_path / "calls.txt").read_text().splitlines()]

    run.out = out
    return run


def verbs(calls):
    return [call[0] for call in calls]


def times(release):
    lines = (release.out / "times.txt").read_text().splitlines()
    return [line.split()[0] for line in lines if not line.startswith("#")]


def test_every_step_once_then_none(release):
    calls = release(SEED="5", TRAIN_OPTIONS="--set run.steps=7")
    assert verbs(calls) == STEPS
    train, sync = (" ".join(calls[k]) for k in (3, 4))
    assert "--recipe small " in train
    assert "--recipe small-sync" in sync
    assert "run.steps=7" not in sync
    for call in (train, sync):
        assert f"forge.autoencoder={release.out}/autoencoder.safetensors".replace(" ", "") in call.replace(" ", "")
    assert "--resume" in train
    assert "--seed 5" in train
    assert "--set run.steps=7" in train
    assert "--load_from" not in train
    assert "train/weights.safetensors" in sync
    assert "all.csv" not in train
    assert "dev.csv" not in train
    assert times(release) == [
        *("manifest", "split", "preprocess", "autoencoder", "train", "sync"),
        *(
            "traces",
            "sound",
            "calibrate",
            "thresholds",
            "weights",
            "validate",
            "untrained",
            "rates",
            "baselines",
            "robustness",
        ),
    ]
    assert release(SEED="5", TRAIN_OPTIONS="--set run.steps=7") == []
    assert release.told.count("done before") == 16


def test_a_change_redoes_what_comes_after_it_and_no_more(release):
    release()
    assert verbs(release(TRAIN_OPTIONS="--set run.steps=7")) == STEPS[3:]
    (release.out / "train" / "weights.safetensors").unlink()
    assert verbs(release(TRAIN_OPTIONS="--set run.steps=7")) == ["train"]
    assert verbs(release(STUB_VERSION="2")) == STEPS
    assert verbs(release(STUB_VERSION="2", AUTOENCODER="0", ROBUSTNESS="none")) == STEPS[3:-1]
    plain = release(
        STUB_VERSION="2",
        SYNC="none",
        TRACES="none",
        SOUND="none",
        AUTOENCODER="0",
        PRETRAIN="1",
        ROBUSTNESS="none",
    )
    assert verbs(plain) == ["pretrain", "train", *STEPS[7:-1]]
    assert "pretrain/weights.safetensors" in " ".join(plain[1])
    assert "autoencoder" not in " ".join(plain[1])


def test_a_failed_step_ends_it_and_is_taken_up_again(release):
    calls = release(code=3, STUB_FAILS="train")
    assert verbs(calls) == STEPS[:4]
    assert "train failed with exit code 3" in release.told
    assert "exit 3" in (release.out / "times.txt").read_text()
    assert verbs(release()) == STEPS[3:]


def test_single_files_that_fail_do_not_end_it_but_a_crash_does(release):
    assert verbs(release(STUB_SOME_FAIL="preprocess")) == STEPS
    assert "files failed" in (release.out / "times.txt").read_text()
    # A crash has the same exit code; what an earlier run left does not stand for its result.
    assert verbs(release(code=1, STUB_VERSION="2", STUB_FAILS="preprocess", STUB_CODE="1")) == STEPS[:2]


def test_what_ships_is_in_16_bits_and_has_the_measured_thresholds(release):
    release()
    shipped = load_model(release.out / "small.safetensors")
    assert shipped.calibration.thresholds == {"0.01": 0.9, "0.05": 0.7}
    assert shipped.extra == {"seed": "0", "thresholds_fitted_on": "9 real files, whole, of held-out people"}
    assert shipped.info.trained
    whole, half = (
        path.stat().st_size
        for path in (release.out / "train" / "weights.safetensors", release.out / "small.safetensors")
    )
    assert half < 0.6 * whole


def test_error_rates_are_those_of_each_kind_of_input(release):
    release()
    shipped = load_model(release.out / "small-rates.safetensors")
    assert shipped.config.timeline.threshold == 0.7
    picture, sound = (
        next(rate for rate in json.loads(shipped.extra["error_rates"]) if rate["input"] == name)
        for name in ("picture", "sound")
    )
    assert (picture["n_real"], picture["n_fake"], sound["n_real"], sound["n_fake"]) == (2, 1, 0, 1)
    assert (picture["false_positive_rate"], picture["false_negative_rate"]) == (0.5, 0.0)
    assert (sound["false_positive_rate"], sound["false_negative_rate"]) == (None, 1.0)


@pytest.mark.parametrize(
    ("thresholds", "told"),
    [
        ({"n": 0, "reason": "no real file has a score"}, "hold no thresholds"),
        ({"n": 9, "fpr_1": {"threshold": 0.9}}, "none for 0.05"),
    ],
)
def test_without_the_threshold_nothing_ships(release, tmp_path, thresholds, told):
    release()
    (tmp_path / "empty.json").write_text(json.dumps({"thresholds": thresholds}))
    words = [release.out / "train" / "weights.safetensors", tmp_path / "empty.json", tmp_path / "x.safetensors"]
    ran = subprocess.run(
        [sys.executable, SCRIPTS / "release_weights.py", *words], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert told in ran.stderr
    assert not (tmp_path / "x.safetensors").exists()


def test_wrong_use():
    ran = subprocess.run(["bash", SCRIPTS / "release.sh", "nowhere"], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "usage:" in ran.stderr


@pytest.fixture(scope="module")
def split():
    spec = importlib.util.spec_from_file_location("release_split", SCRIPTS / "release_split.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(corpus, n, n_people, split="train"):
    return [
        Row(path=f"{corpus}/{i}.mp4", label=0, identity_source=f"p{i % n_people}", corpus=corpus, split=split)
        for i in range(n)
    ]


def test_people_and_named_corpora_validate(split):
    given = [*rows("many", 200, 100), *rows("news", 50, 1), *rows("lab", 10, 10), *rows("new", 5, 5, split="val")]
    training, tested = split.divided(given, held_out=["lab"], seed=3)
    shares = {c: [row.split for row in training if row.corpus == c].count("val") for c in ("many", "news", "lab")}
    assert (shares["news"], shares["lab"]) == (0, 10)
    assert 20 < shares["many"] < 60
    assert leaks(training) == []
    assert tested == given[-5:]
    assert split.divided(given, held_out=["lab"], seed=3)[0] == training
    assert split.divided(given, held_out=["lab"], seed=4)[0] != training


def test_nothing_to_hold_out_and_people_on_both_sides(split, tmp_path, capsys):
    with pytest.raises(ManifestError, match="no clip is left to val"):
        split.divided([*rows("news", 50, 1), *rows("new", 5, 5, split="val")])
    with pytest.raises(ManifestError, match="no row of split train is of the corpora 'labs'"):
        split.divided(rows("lab", 10, 10), held_out=["labs"])
    with pytest.raises(ManifestError, match="no clip is left to dev"):
        split.divided([*rows("many", 200, 100), *rows("lab", 10, 10)], held_out=["lab"])
    given = [*rows("many", 90, 90), *rows("other", 5, 5, split="val"), *rows("lab", 10, 10)]
    with pytest.raises(ManifestError, match="1 people or files would be trained and tested on: 'many:p7'"):
        split.divided([*given, Row(path="x.mp4", label=0, identity_source="p7", corpus="many", split="val")])
    write_manifest(given, tmp_path / "all.csv")
    assert split.main([str(tmp_path / "all.csv"), str(tmp_path), "--held_out", " lab ,"]) == 0
    assert {row.corpus for row in read_manifest(tmp_path / "dev.csv")} == {"other"}
    assert split.main([str(tmp_path / "all.csv"), str(tmp_path), "--held_out", "labs"]) == 2
    assert "labs" in capsys.readouterr().err
