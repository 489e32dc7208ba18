"""Work in processes: all of it is done, and a death is told."""

import os
import signal

import pytest

from hashformer.errors import SetupError
from hashformer.preprocess.workers import run_workers


class Add:
    """Adds a number; dies at -1."""

    def __init__(self, number):
        self.number = number

    def __call__(self, item):
        if item == -1:
            os.kill(os.getpid(), signal.SIGKILL)
        return item + self.number, os.getpid()


def test_one_process_does_the_work_itself():
    assert list(run_workers(Add, 5, [1, 2, 3], workers=1)) == [(6, os.getpid()), (7, os.getpid()), (8, os.getpid())]
    assert list(run_workers(Add, 5, [], workers=3)) == []


@pytest.mark.slow
def test_several_processes_do_everything_once():
    done = list(run_workers(Add, 5, list(range(20)), workers=2))
    assert sorted(number for number, _ in done) == list(range(5, 25))
    assert os.getpid() not in {process for _, process in done}


def test_a_death_is_told():
    with pytest.raises(SetupError, match="a worker process was killed"):
        list(run_workers(Add, 5, [1, -1, 2], workers=2))
