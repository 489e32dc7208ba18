"""An evaluation as one self-contained HTML page, with JSON and CSV of all its numbers beside it."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from hashformer.cache import atomic_path
from hashformer.evaluate.intervals import Interval
from hashformer.report.html import flatten, page_environment
from hashformer.report.study_axes import interval_text
from hashformer.report.study_curves import curve_points, draw_curves
from hashformer.report.study_parts import Cell, Mistake, Robustness, ScoreSet, Study, Table
from hashformer.report.study_plots import draw_bars, draw_robustness

__all__ = ["Cell", "Mistake", "Robustness", "ScoreSet", "Study", "Table", "to_csv", "to_html", "to_json", "write_study"]

SCHEMA_VERSION = 1
PAGE_NAME, JSON_NAME, CSV_NAME = "study.html", "study.json", "study.csv"


def write_study(study: Study, folder: Path) -> Path:
    """Write `study.html`, `study.json` and `study.csv` into `folder`; each appears when it is whole.

    Returns:
        The page.
    """
    for name, text in ((JSON_NAME, to_json(study)), (CSV_NAME, to_csv(study)), (PAGE_NAME, to_html(study))):
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
    return folder / PAGE_NAME


def to_html(study: Study) -> str:
    """The study as one page: styles and pictures inside, no script, no outside reference."""
    environment = page_environment()
    environment.filters["cell"] = cell_text
    environment.tests["interval"] = lambda cell: isinstance(cell, Interval)
    environment.filters["numeric_columns"] = _numeric_columns
    tables = [*study.tables, *([robustness_table(study.robustness)] if study.robustness else [])]
    return environment.get_template("study.html").render(
        study=study,
        tables=[(table, draw_bars(table)) for table in tables if table.key != "robustness"],
        robustness=next((table for table in tables if table.key == "robustness"), None),
        robustness_drawing=draw_robustness(study.robustness),
        drawings=draw_curves(study.score_sets),
        settings=list(flatten(study.settings)),
    )


def to_json(study: Study) -> str:
    """All numbers of the study as JSON, with the points of the curves as drawn; no pictures."""
    document = {
        "schema_version": SCHEMA_VERSION,
        **_record(study),
        "headline": {name: _plain(cell) for name, cell in study.headline.items()},
        "protocol": dict(study.protocol),
        "warnings": list(study.warnings),
        "tables": {table.key: _table_json(table) for table in study.tables},
        "robustness": [asdict(kind) for kind in study.robustness],
        "curves": {one.name: dict(curve_points(one)) for one in study.score_sets},
        "mistakes": [{k: v for k, v in asdict(one).items() if k != "thumbnail"} for one in study.mistakes],
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(study: Study) -> str:
    """Every number of the tables in one line each: table, row, column, value, low, high, n, reason."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["table", "row", "column", "value", "low", "high", "n", "reason"])
    tables = [*study.tables, *([robustness_table(study.robustness)] if study.robustness else [])]
    for table in tables:
        for row in table.rows:
            for column, cell in zip(table.columns[1:], row[1:], strict=True):
                writer.writerow([table.key, row[0], column, *_csv_cells(cell)])
    return buffer.getvalue()


def robustness_table(kinds: tuple[Robustness, ...]) -> Table:
    """Levels as rows, so that each has room for what it means."""
    rows: list[tuple[Cell, ...]] = []
    for kind in kinds:
        parameters = kind.parameters or ("",) * len(kind.levels)
        for level, parameter, value in zip(kind.levels, parameters, kind.values, strict=True):
            rows.append((f"{kind.kind}, level {level}", parameter, kind.metric, value))
    return Table("robustness", "Robustness", ("Disturbance", "Parameter", "Metric", "Value"), tuple(rows))


def cell_text(cell: Cell) -> str:
    """A cell for the eye; an undefined metric says why."""
    if isinstance(cell, Interval):
        if cell.value is None:
            return f"undefined: {cell.reason}"
        return interval_text(cell)
    if cell is None:
        return "–"
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)


def _numeric_columns(table: Table) -> set[int]:
    columns = range(1, len(table.columns))
    return {i for i in columns if any(isinstance(row[i], int | float | Interval) for row in table.rows)}


def _record(study: Study) -> dict[str, object]:
    return {
        "title": study.title,
        "created": study.created,
        "command": study.command,
        "versions": dict(study.versions),
        "seeds": dict(study.seeds),
        "weights": study.weights.model_dump(mode="json"),
        "manifest_sha256": study.manifest_sha256,
        "settings": dict(study.settings),
    }


def _table_json(table: Table) -> dict[str, object]:
    rows = [{name: _plain(cell) for name, cell in zip(table.columns, row, strict=True)} for row in table.rows]
    return {"title": table.title, "note": table.note, "rows": rows}


def _plain(cell: Cell) -> object:
    return asdict(cell) if isinstance(cell, Interval) else cell


def _csv_cells(cell: Cell) -> Iterator[object]:
    if isinstance(cell, Interval):
        yield from (cell.value, cell.low, cell.high, cell.n, cell.reason)
    else:
        yield from (cell, None, None, None, "")
