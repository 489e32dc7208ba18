"""The launch scripts: valid, and they start the command under torchrun."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.mark.parametrize("name", ["launch.sh", "pre_train.sh", "train.sh", "val.sh"])
def test_scripts_are_valid(name):
    checked = subprocess.run(["bash", "-n", SCRIPTS / name], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.slow
def test_a_script_passes_options_and_failure_on(tmp_path):
    if not (Path(sys.executable).parent / "hashformer").is_file():
        pytest.skip("the command is not installed beside the interpreter")
    environment = os.environ | {"PYTHON": sys.executable, "NPROC": "1", "OMP_NUM_THREADS": "1"}
    options = ["--base_dir", tmp_path, "--manifest", tmp_path / "none.csv", "--log_dir", tmp_path, "--recipe", "tiny"]
    ran = subprocess.run(
        ["bash", SCRIPTS / "train.sh", *map(str, options)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode != 0
    assert "none.csv" in ran.stderr
