"""What workers may say: one of them may have been taken over by the file that it read."""

from multiprocessing import Pipe

import pytest

from hashformer.service.messages import MAX_BYTES, GarbledError, Report, Task, receive, send


@pytest.fixture
def pipe():
    ours, theirs = Pipe()
    yield ours, theirs
    ours.close()
    theirs.close()


def hear(connection):
    return receive(connection, Report.model_validate_json)


def test_messages_go_through_as_they_are(pipe):
    ours, theirs = pipe
    report = Report(kind="done", id="a", timings_s={"model": 0.5})
    send(theirs, report)
    assert hear(ours) == report
    task = Task(id="a", path="/x", file="ø.mp4", folder="/y")
    send(ours, task)
    assert receive(theirs, Task.model_validate_json) == task


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\x80\x04\x95",
        b"null",
        b'{"kind": "eval"}',
        b'{"kind": "done", "more": 1}',
        b'{"kind": "progress", "progress": 7}',
        b'{"kind": "done", "timings_s": {"x": "y"}}',
        b" " * (MAX_BYTES + 1),
    ],
)
def test_nonsense_is_no_message(pipe, said):
    ours, theirs = pipe
    theirs.send_bytes(said)
    with pytest.raises(GarbledError):
        hear(ours)


def test_a_closed_pipe_is_the_end(pipe):
    ours, theirs = pipe
    theirs.close()
    with pytest.raises(EOFError):
        hear(ours)
