"""Detections as one self-contained HTML page: it opens offline, prints, and asks nothing of the network."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hashformer.cache import atomic_path
from hashformer.report import wording
from hashformer.report.plots import Timeline, draw_timeline
from hashformer.report.wording import Verdict
from hashformer.results import Detection, Document, Thumbnail


@dataclass(frozen=True)
class _Entry:
    """One file as the page shows it."""

    number: int
    name: str
    file: Detection
    verdict: Verdict
    timeline: Timeline | None
    trained: bool


def write_html(document: Document, path: Path, *, title: str = "Deepfake detection report") -> None:
    """Write the report on `document` to `path`; a reader sees the old file or the whole new one.

    Raises:
        ConfigError: If the document's settings hold no `timeline.threshold`.
    """
    page = to_html(document, title=title)
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")


def to_html(document: Document, *, title: str = "Deepfake detection report") -> str:
    """The report on `document` as one page: styles and pictures inside, no script, no outside reference.

    Args:
        document: What to report; faces are shown if its tracks still hold their thumbnails.
        title: Heading of the page.

    Raises:
        ConfigError: If the document's settings hold no `timeline.threshold`.
    """
    threshold = wording.threshold_of(document)
    entries = [_entry(number, file, threshold) for number, file in enumerate(document.files, start=1)]
    return (
        _environment(threshold)
        .get_template("report.html")
        .render(
            title=title,
            document=document,
            entries=entries,
            threshold=threshold,
            untrained=[entry for entry in entries if not entry.trained],
            settings=list(flatten(document.settings)),
        )
    )


def _entry(number: int, file: Detection, threshold: float) -> _Entry:
    return _Entry(
        number=number,
        name=PurePath(file.path).name or file.path,
        file=file,
        verdict=wording.verdict(file, threshold),
        timeline=draw_timeline(file, threshold=threshold),
        trained=wording.scores_count(file),
    )


def page_environment() -> Environment:
    """Templates in which all text is escaped and no character may hide or turn what follows.

    File names are hostile input.
    """
    environment = Environment(
        loader=PackageLoader("hashformer.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_show,
    )
    environment.filters |= {"moment": wording.moment, "drawing": Markup}
    return environment


def _environment(threshold: float) -> Environment:
    environment = page_environment()
    environment.filters |= {
        "score": lambda score: wording.score_text(score, threshold),
        "clock": wording.clock,
        "size": wording.size_text,
        "data_uri": _data_uri,
    }
    environment.globals |= {
        "score_names": wording.SCORE_NAMES,
        "score_meanings": wording.SCORE_MEANINGS,
        "not_judged": wording.NOT_JUDGED,
    }
    return environment


def _show(value: Any) -> Any:
    return wording.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _data_uri(thumbnail: Thumbnail) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(thumbnail.jpeg).decode("ascii")


def flatten(settings: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Nested settings as rows: `clip.duration_s`, 1.0."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
