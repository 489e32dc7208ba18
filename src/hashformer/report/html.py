"""Detections as one self-contained HTML page: it opens offline, plays its files, prints, and asks for nothing."""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePath
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hashformer.cache import atomic_path
from hashformer.report import rests_on, wording
from hashformer.report.document import sha256_of, to_json
from hashformer.report.player import Player, players
from hashformer.report.plots import Timeline, draw_timeline
from hashformer.report.wording import Verdict
from hashformer.results import Detection, Document


@dataclass(frozen=True)
class _Entry:
    """One file as the page shows it."""

    number: int
    name: str
    file: Detection
    verdict: Verdict
    timeline: Timeline | None
    trained: bool
    player: Player | None


def write_html(
    document: Document,
    path: Path,
    *,
    title: str = "Deepfake detection report",
    media: Sequence[Path | None] | None = None,
) -> None:
    """Write the report on `document` to `path`; a reader sees the old file or the whole new one.

    Args:
        document: As in `to_html`.
        path: Of the page.
        title: As in `to_html`.
        media: As in `to_html`.

    Raises:
        ConfigError: If the document's settings hold no `timeline.threshold`.
        OSError: If it cannot be written, or a file to embed not read.
    """
    page = to_html(document, title=title, media=media)
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")


def to_html(
    document: Document, *, title: str = "Deepfake detection report", media: Sequence[Path | None] | None = None
) -> str:
    """The report on `document` as one page: styles, script, pictures and the document inside, no outside reference.

    Args:
        document: What to report; pictures are shown if it still holds them, as one read back from JSON does not.
        title: Heading of the page.
        media: For each file of the document, where it lies, so that the page can play it: a small one that browsers
            can play is put into the page. None for a file or for all: the reader can open it in the page.

    Raises:
        ConfigError: If the document's settings hold no `timeline.threshold`.
        ValueError: If there are not as many media as files.
        OSError: If a file to embed cannot be read.
    """
    threshold = wording.threshold_of(document)
    playing = players(document.files, media)
    entries = [
        _entry(number, file, threshold, player)
        for number, (file, player) in enumerate(zip(document.files, playing, strict=True), start=1)
    ]
    script = resources.files("hashformer.report").joinpath("templates/report.js").read_text(encoding="utf-8")
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
            script=script,
            script_sha256=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
            document_sha256=sha256_of(document),
            packed=base64.b64encode(gzip.compress(to_json(document).encode(), mtime=0)).decode("ascii"),
        )
    )


def _entry(number: int, file: Detection, threshold: float, player: Player | None) -> _Entry:
    return _Entry(
        number=number,
        name=PurePath(file.path).name or file.path,
        file=file,
        verdict=wording.verdict(file, threshold),
        timeline=draw_timeline(file, threshold=threshold),
        trained=wording.scores_count(file),
        player=player,
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
        "points": _points,
        "occlusion": rests_on.occlusion_words,
        "hottest": rests_on.hottest_words,
        "unusual": rests_on.how_unusual,
        "limits": rests_on.limits,
        "score_name": rests_on.score_name,
    }
    environment.globals |= {
        "score_names": wording.SCORE_NAMES,
        "score_meanings": wording.SCORE_MEANINGS,
        "not_judged": wording.NOT_JUDGED,
        "map_names": rests_on.MAP_NAMES,
    }
    return environment


def _show(value: Any) -> Any:
    return wording.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _data_uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def _points(timeline: Timeline) -> str:
    """What the page tells of each moment: start, end and the scores in the order of `SCORE_NAMES`."""
    rows = [
        [second.start_s, second.end_s, *(_short(getattr(second, name)) for name in wording.SCORE_NAMES)]
        for second in timeline.seconds
    ]
    return json.dumps(rows, separators=(",", ":"))


def _short(score: float | None) -> float | None:
    return None if score is None else round(score, 3)


def flatten(settings: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Nested settings as rows: `clip.duration_s`, 1.0."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
