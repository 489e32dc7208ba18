"""docs/cli.md names every verb, and every example is one that the command takes."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from hashformer.cli.main import app

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
INDEX = (Path(__file__).parents[2] / "docs" / "index.md").read_text(encoding="utf-8")
EXAMPLES = sorted(
    set(re.findall(r"`(hashformer [^`]+)`", PAGE))
    | set(re.findall(r"^\$ (hashformer [^#|\n]+)", PAGE + INDEX, re.MULTILINE))
)
GROUP = typer.main.get_command(app)


def command_of(words):
    """The command that the words name, and the words after it."""
    command, rest = GROUP, list(words)
    while rest and hasattr(command, "commands") and rest[0] in command.commands:
        command = command.commands[rest.pop(0)]
    return command, rest


def test_every_verb_has_an_example():
    shown = {shlex.split(example)[1] for example in EXAMPLES}
    assert set(GROUP.commands) <= shown


@pytest.mark.parametrize("example", [example for example in EXAMPLES if "VERB" not in example])
def test_an_example_is_taken(example):
    command, rest = command_of(shlex.split(example)[1:])
    given = [word for word in rest if word.startswith("-")]
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    assert set(given) <= known
    if rest:
        required = {option.opts[0] for option in command.params if option.required and option.opts[0].startswith("-")}
        assert all(set(option.opts) & set(given) for option in command.params if option.opts[0] in required)
