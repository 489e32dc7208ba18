"""The README's code runs, its commands exist, its links lead somewhere."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from make_faces import film

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, man, finder):
    """A folder with the clip.mp4 that the examples speak of."""
    folder = tmp_path_factory.mktemp("readme")
    film(folder / "clip.mp4", man[:16])
    return folder


def run(command, folder):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.split("\n")[0])
def test_python_blocks_run(folder, code):
    done = run([sys.executable, "-c", code], folder)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "line", [line.split("#")[0].strip() for block in blocks("bash") for line in block.splitlines() if line.strip()]
)
def test_commands_run(folder, line):
    done = run(shlex.split(line), folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"\$ make (\w+)", README):
        assert re.search(rf"^([\w ]+ )?{target}( [\w ]+)?:", makefile, re.MULTILINE)


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http)([^)#]+)", README))
def test_links_lead_to_files(link):
    assert (ROOT / link).exists()
