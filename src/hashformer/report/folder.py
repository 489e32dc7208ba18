"""A folder with what a detection leaves behind: the document, the report, and their hashes."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from hashformer.cache import atomic_path
from hashformer.report.document import write_json
from hashformer.report.html import write_html
from hashformer.results import Document

RESULTS, REPORT, SUMS = "results.json", "report.html", "SHA256SUMS"


def write_folder(document: Document, folder: Path, *, media: Sequence[Path | None] | None = None) -> None:
    """Write `results.json`, `report.html` and `SHA256SUMS`, which `sha256sum -c` checks.

    Args:
        document: What to write.
        folder: Made if it is not there.
        media: As in `html.write_html`.

    Raises:
        OSError: If something cannot be written, or a file to embed not read.
        ConfigError: If the document's settings hold no `timeline.threshold`.
    """
    write_json(document, folder / RESULTS)
    write_html(document, folder / REPORT, media=media)
    sums = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in (RESULTS, REPORT)]
    with atomic_path(folder / SUMS) as temporary:
        temporary.write_text("".join(sums), encoding="ascii", newline="\n")
