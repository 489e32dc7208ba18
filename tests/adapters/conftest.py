"""What the tests of the adapters share: trees of empty files, made from their paths."""

import pytest


@pytest.fixture
def tree(tmp_path):
    """Make empty files below a root whose name has spaces and parentheses."""
    root = tmp_path / "my corpora (copy)"
    root.mkdir()

    def make(*paths):
        for path in paths:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).touch()
        return root

    return make
