"""Detections as one JSON document, its hash, and the schema that it keeps."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from hashformer.cache import atomic_path
from hashformer.results import SCHEMA_VERSION, Detection, Document

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_DISTRIBUTIONS = {
    "hashformer": ("hashformer",),
    "torch": ("torch",),
    "numpy": ("numpy",),
    "av": ("av",),
    "mediapipe": ("mediapipe",),
    # One module, four builds under four names.
    "opencv": ("opencv-contrib-python", "opencv-python", "opencv-python-headless", "opencv-contrib-python-headless"),
}


def make_document(
    files: Sequence[Detection], *, settings: Mapping[str, object], created: str | None = None
) -> Document:
    """Gather the answers for some files into one document.

    Args:
        files: One answer for each file that was asked for, in that order.
        settings: Every setting that decides a score: `Config.model_dump(mode="json")`.
        created: When, ISO 8601, UTC; now if None.
    """
    return Document(
        created=created or datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        settings=dict(settings),
        files=list(files),
    )


def versions() -> dict[str, str]:
    """Versions of Python, hashformer and the libraries that decide a score, without importing them."""
    found = {name: _first_version(distributions) for name, distributions in _DISTRIBUTIONS.items()}
    return {**found, "python": platform.python_version()}


def _first_version(distributions: Sequence[str]) -> str:
    for name in distributions:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "not installed"


def to_json(document: Document) -> str:
    """The document as indented JSON; keys in the order of the schema, letters of any script as they are."""
    return document.model_dump_json(indent=2) + "\n"


def sha256_of(document: Document) -> str:
    """SHA-256, as hexadecimal digits, of the very bytes that `write_json` writes."""
    return hashlib.sha256(to_json(document).encode()).hexdigest()


def write_json(document: Document, path: Path) -> None:
    """Write the document to `path`, UTF-8; a reader sees the old file or the whole new one."""
    with atomic_path(path) as temporary:
        temporary.write_text(to_json(document), encoding="utf-8", newline="\n")


class _AsWritten(GenerateJsonSchema):
    """Describes what is written rather than what is accepted: a field with a default is always there."""

    schema_dialect = DIALECT

    def field_is_required(self, field: Any, total: bool) -> bool:
        return True


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the document.

    Pictures of faces, which are kept out of the document, are not in it.
    """
    schema = Document.model_json_schema(mode="serialization", schema_generator=_AsWritten)
    schema["properties"]["schema_version"] |= {"const": SCHEMA_VERSION}
    head = {
        "$schema": DIALECT,
        "$id": f"urn:hashformer:schema:detection:{SCHEMA_VERSION}",
        "title": "HashFormer detection document",
        "version": SCHEMA_VERSION,
    }
    return head | {key: value for key, value in schema.items() if key not in head}
