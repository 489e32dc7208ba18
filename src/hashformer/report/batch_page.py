"""The overview of a batch: one page with every file, the most suspect first, to search and to filter."""

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from hashformer.cache import atomic_path
from hashformer.report import wording
from hashformer.report.batch_record import TABLE_NAME, BatchNotes, Row
from hashformer.report.html import page_environment
from hashformer.report.wording import VerdictKind

PAGE_NAME = "index.html"

KINDS: dict[VerdictKind, str] = {
    "fake": "Likely fake",
    "clear": "No sign of forgery",
    "untrained": "No verdict",
    "unknown": "Cannot tell",
    "unread": "Could not be read",
}


def write_page(rows: Sequence[Row], path: Path, *, notes: BatchNotes, n_left: int = 0) -> None:
    """Write the overview; a reader sees the old page or the whole new one.

    Args:
        rows: Every file that is done.
        path: Where to; links to results are relative to it.
        notes: What the scores were made with.
        n_left: Files that wait still.
    """
    page = to_page(rows, notes=notes, n_left=n_left)
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")


def to_page(rows: Sequence[Row], *, notes: BatchNotes, n_left: int = 0) -> str:
    """The overview as one page: it opens offline, and its one script is named by its hash."""
    script = resources.files("hashformer.report").joinpath("templates/batch.js").read_text(encoding="utf-8")
    counts = Counter(row.kind for row in rows)
    environment = page_environment()
    environment.filters["score"] = partial(wording.score_text, threshold=notes.threshold)
    environment.filters["clock"] = wording.clock
    environment.filters["href"] = href
    return environment.get_template("batch.html").render(
        rows=sorted(rows, key=_rank),
        kinds=[(kind, words, counts[kind]) for kind, words in KINDS.items() if counts[kind]],
        notes=notes,
        n_left=n_left,
        table_name=TABLE_NAME,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        script=script,
        script_sha256=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
    )


def href(name: str) -> str:
    """A link to a file beside the page; no name can make it lead elsewhere."""
    return "./" + quote(name, errors="surrogatepass")


def _rank(row: Row) -> tuple[float, str, str]:
    """By score, the highest first; then what cannot be told, then what could not be read."""
    order = {"scored": -(row.score or 0.0), "cannot_tell": 1.0, "error": 2.0}
    return order[row.status], row.name.casefold(), row.name
