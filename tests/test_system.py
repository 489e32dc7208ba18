"""What the system must provide is named with the line that mends it."""

import ctypes
import subprocess
import sys
from pathlib import Path

from hashformer import system


def test_this_machine_has_all():
    assert system.missing_packages() == []


def test_a_missing_library_is_named_by_its_package(monkeypatch):
    real = ctypes.CDLL

    def without_gl(name):
        if name == "libGL.so.1":
            raise OSError(name)
        return real(name)

    monkeypatch.setattr(system.ctypes, "CDLL", without_gl)
    assert system.missing_packages() == ["libgl1"]
    assert system.remedy(["libgl1"]) == "apt-get update && apt-get install -y libgl1"


def test_it_runs_as_a_script_without_the_package():
    done = subprocess.run([sys.executable, "-I", str(Path(system.__file__))], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
