"""`hashformer diffmap`: where a manipulated film or picture differs from the real one."""

import json as jsonlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from hashformer.errors import MediaError

if TYPE_CHECKING:
    from hashformer.evaluate.diffmap import Summary
    from hashformer.evaluate.pairs import Pair
    from hashformer.media.picture import RGB

REGIONS = {"all": "whole picture", "face": "inside the face", "rest": "outside the face"}


def diffmap(
    real: Annotated[Path, typer.Argument(help="A film or a picture.")],
    fake: Annotated[Path, typer.Argument(help="Its manipulated version.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for diffmap.png, .mp4 (films) and .json.")],
    fps: Annotated[int, typer.Option(min=1, help="Moments a second at which films are compared.")] = 16,
    by_face: Annotated[
        bool, typer.Option("--by-face", help="Cut out the largest face of both, upright, and compare these.")
    ] = False,
    threshold: Annotated[int, typer.Option(min=1, max=255, help="A pixel changed by so much counts, of 255.")] = 8,
) -> None:
    """Compare a real film or picture with its manipulated version: pixels, structure (SSIM) and texture.

    Films are aligned by time: the moment that each shows at i / fps seconds. The PNG of a film is its most
    different moment.
    """
    from hashformer.cache import atomic_path
    from hashformer.config import FaceConfig
    from hashformer.evaluate.pairs import FacePoints, is_picture, pairs
    from hashformer.media.writer import write_video
    from hashformer.report.diffmap import to_png

    notes: list[str] = []
    found = _Found(threshold)
    with FacePoints(FaceConfig()) as points:
        panels = found.take(pairs(real, fake, points, fps=fps, by_face=by_face, notes=notes))
        if is_picture(real):
            for _ in panels:
                pass
        else:
            first = next(panels, None)
            if first is not None:
                write_video(out / "diffmap.mp4", _chained(first, panels), fps=fps)
    if found.worst is None:
        raise MediaError(f"{real} and {fake}: no moment can be compared: {'; '.join(notes) or 'no picture'}.")
    with atomic_path(out / "diffmap.png") as temporary:
        temporary.write_bytes(to_png(found.worst))
    document = _document(found, notes, real=str(real), fake=str(fake), fps=fps, by_face=by_face)
    with atomic_path(out / "diffmap.json") as temporary:
        temporary.write_text(jsonlib.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    _show(document, out)


@dataclass
class _Found:
    """Gathers numbers while the panels pass by; keeps the panel of the most different moment."""

    threshold: int
    times_s: list[float] = field(default_factory=list)
    parts: dict[str, list["Summary"]] = field(default_factory=lambda: {name: [] for name in REGIONS})
    worst: "RGB | None" = None
    worst_s: float = 0.0
    _most: float = -1.0

    def take(self, given: "Iterator[Pair]") -> "Iterator[RGB]":
        from hashformer.evaluate.diffmap import difference_maps, hull_mask, summarise_maps
        from hashformer.report.diffmap import panel

        for pair in given:
            maps = difference_maps(pair.real, pair.fake)
            whole = summarise_maps(maps, changed=self.threshold)
            self.times_s.append(pair.time_s)
            self.parts["all"].append(whole)
            if pair.landmarks is not None:
                face = hull_mask(pair.landmarks, pair.real.shape)
                self.parts["face"].append(summarise_maps(maps, face, changed=self.threshold))
                self.parts["rest"].append(summarise_maps(maps, ~face, changed=self.threshold))
            drawn = panel(pair, maps)
            if (whole.difference or 0.0) > self._most:
                self._most, self.worst, self.worst_s = whole.difference or 0.0, drawn, pair.time_s
            yield drawn


def _chained(first: "RGB", rest: "Iterator[RGB]") -> "Iterator[RGB]":
    yield first
    for drawn in rest:
        if drawn.shape != first.shape:
            raise MediaError("the picture changes its size in mid-film; compare its parts, or use --by-face.")
        yield drawn


def _document(found: _Found, notes: list[str], **about: object) -> dict[str, Any]:
    from hashformer.evaluate.diffmap import pooled

    per_moment = [
        {"time_s": time_s, **asdict(part)} for time_s, part in zip(found.times_s, found.parts["all"], strict=True)
    ]
    return {
        "schema_version": 1,
        **about,
        "changed_threshold": found.threshold,
        "n_moments": len(found.times_s),
        "n_moments_with_face": len(found.parts["face"]),
        "most_different_s": found.worst_s,
        "regions": {name: asdict(pooled(parts)) for name, parts in found.parts.items()},
        "moments": per_moment,
        "notes": notes,
    }


def _show(document: dict[str, Any], out: Path) -> None:
    console = Console(highlight=False, markup=False)
    changed = f"changed by {document['changed_threshold']} or more"
    table = Table(title=f"{document['n_moments']} moments compared")
    table.add_column("")
    for heading in ("mean difference", "SSIM", "texture distance", changed):
        table.add_column(heading, justify="right")
    for name, title in REGIONS.items():
        entry = document["regions"][name]
        if entry["n_pixels"]:
            values = [f"{entry[key]:.4f}" for key in ("difference", "ssim", "texture")]
            table.add_row(title, *values, f"{entry['changed']:.1%}")
    console.print(table)
    if not document["regions"]["face"]["n_pixels"]:
        console.print("No face was found in the real one: inside and outside are not told apart.")
    for note in document["notes"]:
        console.print(note, soft_wrap=True)
    console.print(f"Most different at {document['most_different_s']:.2f} s. Wrote {out}/diffmap.*", soft_wrap=True)
