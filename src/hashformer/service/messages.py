"""What server and worker tell each other: JSON in a pipe.

Not pickles: a worker reads hostile files, and what it says must not run code in the server.
"""

from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hashformer.results import WeightsInfo

MAX_BYTES = 65_536
MAX_TEXT = 2000


class Task(BaseModel):
    """A file for a worker."""

    model_config = ConfigDict(frozen=True)

    id: str
    path: str
    file: str = Field(description="what it is called in the result")
    folder: str = Field(description="where the result goes")


class Report(BaseModel):
    """What a worker has to say: that it is ready or cannot be, how far it is, how it ended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ready", "broken", "progress", "done", "failed"]
    id: str = ""
    progress: float = Field(0.0, ge=0, le=1)
    code: str = Field("", max_length=40)
    message: str = Field("", max_length=MAX_TEXT)
    timings_s: dict[str, float] = {}
    weights: WeightsInfo | None = None


Message = TypeVar("Message", bound=BaseModel)


class GarbledError(ConnectionError):
    """What came through the pipe is no message: whoever sent it cannot be trusted any more."""


def send(connection: Connection, message: BaseModel) -> None:
    """Send one message."""
    connection.send_bytes(message.model_dump_json().encode())


def receive(connection: Connection, kind: Callable[[str | bytes], Message]) -> Message:
    """Wait for one message.

    Args:
        connection: The pipe.
        kind: What reads it: `Task.model_validate_json` or `Report.model_validate_json`.

    Raises:
        EOFError: If the other side has ended.
        GarbledError: If it is no such message, or longer than any.
    """
    try:
        return kind(connection.recv_bytes(MAX_BYTES))
    except (ConnectionResetError, BrokenPipeError) as error:
        raise EOFError from error
    except (OSError, ValidationError) as error:
        raise GarbledError(f"not a message: {type(error).__name__}") from error
