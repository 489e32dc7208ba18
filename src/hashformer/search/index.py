"""Known files, and which of them a file is a copy of."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hashformer.errors import StoreError, WeightsError
from hashformer.results import WeightsInfo
from hashformer.search.bank import Bank
from hashformer.search.coder import Coder
from hashformer.search.codes import FileCodes, FileVectors
from hashformer.search.fit import MIN_FILES, measurable, measure
from hashformer.search.match import COUNTED, Match, find
from hashformer.search.profile import Chance, Profile
from hashformer.search.store import Entry, Store

MAX_EXPECTED = 0.01
"""A file is found if fewer matches as good are expected by chance: one wrong answer in a hundred searches."""
N_SHOWN = 10
PROFILE_KEY = "search"
"""Under which a weight file may hold a profile among its extra notes."""
NOTHING = "nothing in the file could be coded: no face and no sound that is good enough"
UNMEASURED = "and of that nothing was measured: the videos that the index was fitted to lack it"
_logger = logging.getLogger(__name__)


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Span(_Plain):
    """Seconds from the start of a file."""

    start_s: float
    end_s: float


class Found(_Plain):
    """A known file that the query may be a copy of."""

    sha256: str
    name: str
    expected: float | None = Field(
        description="matches as good that are expected by chance in an index of this size; null if not measured"
    )
    evidence: float = Field(description="standard deviations by which windows are nearer than chance, summed")
    distance: float = Field(ge=0, le=1, description="mean share of bits in which matching windows differ")
    windows: int = Field(ge=1, description="windows of the query that match")
    compared: int = Field(ge=1, description="windows of the query that the known file has at this offset")
    query: Span = Field(description="matching seconds of the query")
    known: Span = Field(description="the same in the known file")


class Answer(_Plain):
    """What a search found.

    `status` is `found` if the first candidate is a copy by the threshold, `not_found` if none is, and
    `cannot_tell` if the query has no codes or too few files are known for a threshold.
    """

    status: str = Field(pattern="^(found|not_found|cannot_tell)$")
    reason: str | None = None
    query: str
    query_sha256: str
    n_files: int
    threshold: float = MAX_EXPECTED
    weights: WeightsInfo
    found: list[Found] = Field(description="copies, the surest first")
    candidates: list[Found] = Field(description="what comes next; no copies by the threshold")


class HashIndex:
    """An index folder and the weights that its codes are of. A context manager.

    Args:
        folder: Where it lies.
        coder: The weights; None if nothing is coded, only read.
        profile: For an index that is made now; without it that of the weight file, if it has one.
        create: Make it if it is not there.

    Raises:
        StoreError: If it is not there, damaged, or holds codes of other weights.
    """

    def __init__(
        self, folder: Path, coder: Coder | None = None, *, profile: Profile | None = None, create: bool = False
    ) -> None:
        if profile is None and coder is not None:
            profile = profile_of(coder)
        self._store = Store(folder, weights=coder.weights if coder else None, profile=profile, create=create)
        self.weights, self.profile = self._store.weights, self._store.profile
        self._bank: Bank | None = None

    def add(self, files: Sequence[FileVectors]) -> int:
        """Add coded files, all or none; how many are new."""
        self._bank = None
        return self._store.add([self.profile.encode(file) for file in files])

    def knows(self, sha256: str) -> bool:
        """Whether a file of these bytes is in it."""
        return self._store.known(sha256)

    def remove(self, sha256: str) -> Entry:
        """Remove the file whose SHA-256 begins so."""
        self._bank = None
        return self._store.remove(sha256)

    def entries(self) -> list[Entry]:
        """What is in it."""
        return self._store.entries()

    def search(self, query: FileVectors) -> Answer:
        """Find what a file is a copy of, among the files that are known when this is first called."""
        if self._bank is None:
            self._bank = Bank(self._store.read())
        codes = self.profile.encode(query)
        bank, chance = self._bank, self._chance(self._bank)
        if not codes.n_windows:
            return self._answer(codes, [], NOTHING)
        if chance is None:
            return self._answer(codes, [], _too_few(len(bank.files)))
        if not codes.streams.keys() & chance.spreads.keys():
            return self._answer(codes, [], f"the file has only {' and '.join(codes.streams)}, {UNMEASURED}")
        found = [_found(match, bank, chance) for match in find(codes, bank, chance.spreads)[:N_SHOWN]]
        return self._answer(codes, found, None)

    def _answer(self, query: FileCodes, matches: list[Found], reason: str | None) -> Answer:
        copies = [match for match in matches if match.expected is not None and match.expected <= MAX_EXPECTED]
        status = "cannot_tell" if reason else "found" if copies else "not_found"
        return Answer(
            status=status,
            reason=reason,
            query=query.name,
            query_sha256=query.sha256,
            n_files=len(self._bank.files) if self._bank else 0,
            weights=self.weights,
            found=copies,
            candidates=matches[len(copies) :],
        )

    def _chance(self, bank: Bank) -> Chance | None:
        """What is usual between different videos: measured on the index, anew when it has doubled, else as fitted."""
        if not measurable(bank.files):
            return self.profile.chance
        kept = self._store.chance
        if kept is not None and sum(file.n_windows >= COUNTED for file in bank.files) < 2 * kept.n_files:
            return kept
        chance = measure(bank.files)
        try:
            self._store.keep_chance(chance)
        except StoreError as error:
            _logger.warning("every search measures the index anew: %s", error)
        return chance

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.__exit__()


def _too_few(n_files: int) -> str:
    return (
        f"the index holds {n_files} files and nothing is known of what different videos have in common: at least "
        f"{MIN_FILES} of {COUNTED} windows (4.5 s) are needed, in it or in `hashformer index fit` when it is made"
    )


def profile_of(coder: Coder) -> Profile:
    """The profile that came with the weights; without one the model's own codes are taken.

    Raises:
        WeightsError: If it cannot be read.
    """
    text = coder.extra.get(PROFILE_KEY)
    if text is None:
        return Profile()
    try:
        return Profile.model_validate_json(text)
    except ValidationError as error:
        raise WeightsError(f"{coder.weights.name}: its search profile cannot be read: {error}") from error


def _found(match: Match, bank: Bank, chance: Chance) -> Found:
    known = bank.files[match.place]
    return Found(
        sha256=known.sha256,
        name=known.name,
        expected=chance.expected(match.evidence, len(bank.files)),
        evidence=round(match.evidence, 2),
        distance=round(match.distance, 4),
        windows=match.n_windows,
        compared=match.n_compared,
        query=Span(start_s=match.start_s, end_s=match.end_s),
        known=Span(
            start_s=max(0.0, match.start_s + match.offset_s),
            end_s=max(0.0, min(match.end_s + match.offset_s, known.duration_s)),
        ),
    )
