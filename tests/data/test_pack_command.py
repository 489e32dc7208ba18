"""`hashformer pack`: shards that carry labels if a manifest is given."""

import pytest
import typer
from typer.testing import CliRunner

from hashformer.cli.pack import pack
from hashformer.data.manifest import write_manifest
from hashformer.data.shards import entries_of, packed_row
from hashformer.errors import StoreError
from make_corpus import make_corpus

app = typer.Typer()
app.command()(pack)


@pytest.fixture
def corpus(tmp_path):
    rows = make_corpus(tmp_path / "prepared")
    write_manifest(rows, tmp_path / "m.csv")
    return tmp_path, rows


def test_rows_of_the_manifest_are_packed_with_their_files(corpus):
    root, rows = corpus
    done = CliRunner().invoke(app, [str(root / "prepared"), str(root / "s"), "--manifest", str(root / "m.csv")])
    assert done.exit_code == 0
    packed = [packed_row(entry)[0] for entry in entries_of(root / "s")]
    assert sorted(packed, key=lambda row: row.path) == sorted(rows, key=lambda row: row.path)


def test_without_a_manifest_there_are_no_labels(corpus):
    root, _ = corpus
    assert CliRunner().invoke(app, [str(root / "prepared"), str(root / "s")]).exit_code == 0
    with pytest.raises(StoreError, match="packed without"):
        packed_row(next(iter(entries_of(root / "s"))))
