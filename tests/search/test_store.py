"""The index on disk: all or nothing, one of two writers waits, readers go on, other weights are refused."""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from hashformer.errors import StoreError
from hashformer.results import WeightsInfo
from hashformer.search.store import FILE_NAME, Store
from search.made_codes import made_codes

WEIGHTS = WeightsInfo(name="some", sha256="a" * 64, trained=True)


def new(folder):
    return Store(folder, weights=WEIGHTS, create=True)


def test_what_is_added_is_read_back(tmp_path):
    files = [made_codes(1), made_codes(2, streams=("video",)), made_codes(3)]
    with new(tmp_path / "deep" / "index") as store:
        assert store.add(files) == 3
        assert store.add(files[:2]) == 0
    with Store(tmp_path / "deep" / "index") as store:
        found = store.read()
        assert [entry.n_windows for entry in store.entries()] == [19, 19, 19]
    for file, again in zip(files, found, strict=True):
        assert (again.sha256, again.name, again.duration_s) == (file.sha256, file.name, file.duration_s)
        assert again.streams.keys() == file.streams.keys()
        for name, part in file.streams.items():
            for field in ("starts_s", "tracks", "codes"):
                assert np.array_equal(getattr(again.streams[name], field), getattr(part, field))


def test_a_file_is_removed_by_the_start_of_its_hash(tmp_path):
    with new(tmp_path) as store:
        store.add([made_codes(1), made_codes(2)])
        with pytest.raises(StoreError, match="'0000': 2 files of that SHA-256"):
            store.remove("0000")
        with pytest.raises(StoreError, match="'': no file"):
            store.remove("")
        assert store.remove(made_codes(2).sha256).name == "file 2.mp4"
        assert [file.name for file in store.read()] == ["file 1.mp4"]
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        assert db.execute("SELECT count(*) FROM codes").fetchone() == (3,)


def test_other_weights_are_refused_with_the_way_out(tmp_path):
    new(tmp_path).__exit__()
    other = WeightsInfo(name="new", sha256="b" * 64, trained=True)
    with pytest.raises(StoreError, match=r"holds codes of weights some \(aaaaaaaaaaaa\).* Name those weights with"):
        Store(tmp_path, weights=other, create=True)


def test_no_index_and_no_database_are_told_apart(tmp_path):
    with pytest.raises(StoreError, match="holds no index"):
        Store(tmp_path)
    assert not (tmp_path / FILE_NAME).exists()
    (tmp_path / FILE_NAME).write_text("no database" * 100)
    with pytest.raises(StoreError, match="cannot be read or written"):
        Store(tmp_path)


def test_an_add_that_fails_leaves_nothing(tmp_path):
    broken = made_codes(2)
    object.__setattr__(broken, "name", None)
    with new(tmp_path) as store:
        with pytest.raises(StoreError, match="NOT NULL"):
            store.add([made_codes(1), broken])
        assert store.entries() == []


def test_reading_goes_on_while_another_adds(tmp_path):
    with new(tmp_path) as writer, Store(tmp_path) as reader:
        writer.add([made_codes(1)])
        writer._db.execute("BEGIN IMMEDIATE")
        writer._add(made_codes(2))
        assert len(reader.read()) == 1
        writer._db.execute("COMMIT")
        assert len(reader.read()) == 2


def add_some(folder, first):
    with new(folder) as store:
        for seed in range(first, first + 10):
            store.add([made_codes(seed)])


@pytest.mark.slow
def test_two_that_add_at_once_lose_nothing(tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=add_some, args=(tmp_path, first)) for first in (0, 5, 100)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    with Store(tmp_path) as store:
        assert len(store.read()) == 25


KILLED = """
import os, signal, sys
from pathlib import Path
from hashformer.search.store import Store
sys.path.insert(0, sys.argv[2])
from search.made_codes import made_codes
with Store(Path(sys.argv[1])) as store:
    store._db.execute("BEGIN IMMEDIATE")
    store._add(made_codes(2))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_an_add_that_is_killed_leaves_nothing(tmp_path, request):
    with new(tmp_path) as store:
        store.add([made_codes(1)])
    tests = request.config.rootpath / "tests"
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(tests)], check=False)
    assert done.returncode == -signal.SIGKILL
    with new(tmp_path) as store:
        assert [file.name for file in store.read()] == ["file 1.mp4"]
        assert store.add([made_codes(2)]) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises((StoreError, PermissionError)):
        new(tmp_path / "index")
