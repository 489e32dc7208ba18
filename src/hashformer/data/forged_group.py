"""A real clip and forgeries of it as films that differ in nothing but the forgery, and the rows that describe them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hashformer.config import Config
from hashformer.config.forged_set import ForgedSetConfig
from hashformer.data.degrade import draw_degradation
from hashformer.data.features import SoundFeatures
from hashformer.data.finish import degrade_alike
from hashformer.data.forge import draw_forgery, kinds_with, streams_of
from hashformer.data.forge.base import Forged, Partner, Truth
from hashformer.data.forge.narrow import narrow
from hashformer.data.forge.waves import level_dbfs
from hashformer.data.forging import Forging
from hashformer.data.longest import longest_stretch
from hashformer.data.manifest import FakeSegment, Row
from hashformer.data.partners import PartnerFinder
from hashformer.data.prepared import check_prepared
from hashformer.data.stretches import StretchReader
from hashformer.media.alike import Coding, Film
from hashformer.timebase import Window
from hashformer.types import Clip, Floats

FOLDER = "clips"
"""Of the films, in the forged set."""
_PEAK = 0.98


@dataclass(frozen=True, kw_only=True)
class Member:
    """One film of a group before it is written.

    Attributes:
        row: What is true of it.
        source: Path of the source in the manifest that was forged.
        start_s: Where the film begins in it, seconds.
        film: What it shows, after the degradation; `film.path` is relative to the forged set.
        forged: The forgery, cut to the film's seconds; None for the real clip.
    """

    row: Row
    source: str
    start_s: float
    film: Film
    forged: Forged | None


@dataclass(frozen=True, kw_only=True)
class Group:
    """A real clip, first, and its forgeries; empty if nothing could be made.

    Attributes:
        members: The films.
        coding: The same for all.
        refused: Kinds that the clip did not allow.
        reason: Why it is empty.
    """

    members: tuple[Member, ...]
    coding: Coding
    refused: tuple[str, ...] = ()
    reason: str = ""


class GroupMaker:
    """Makes groups of one split's real files; each is decided by the seed, its path and the files beside it.

    Args:
        rows: Real rows of one split: partners are people of the same split, so that nobody leaks into another.
        root: Where they were prepared.
        config: Clips and their quality.
        settings: What is made.

    Raises:
        StoreError: If there is no row, or a row's file was not prepared.
        WeightsError: If the autoencoder cannot be read.
    """

    def __init__(self, rows: Sequence[Row], root: Path, config: Config, settings: ForgedSetConfig) -> None:
        check_prepared(rows, root)
        self.rows, self.settings = list(rows), settings
        self._root, self._config = root, config
        self._kinds = kinds_with(settings.forge.autoencoder)
        self._context = SoundFeatures(config.features, sample_rate_hz=config.clip.sample_rate_hz).context_samples
        reader = StretchReader(config.clip, config.quality, span_s=settings.max_s, context_samples=self._context)
        self._partners = PartnerFinder(self.rows, root, reader)

    def __call__(self, row_idx: int) -> Group:
        """Make the group of a row.

        Raises:
            StoreError: If the prepared folder is damaged.
            MediaError: If crops or sound cannot be decoded.
        """
        row = self.rows[row_idx]
        rng = np.random.default_rng((self.settings.seed, int(digest(row.corpus, row.path)[:15], 16)))
        coding = self._draw_coding(rng)
        stretch = longest_stretch(
            self._root / row.path, self._config, max_s=self.settings.max_s, context_samples=self._context
        )
        if stretch is None:
            seconds = f"{self._config.clip.duration_s:g} s"
            return Group(members=(), coding=coding, reason=f"shows no face and has no speech for {seconds} on end")
        own, lent = np.random.default_rng(rng.integers(2**63)), dict[Partner, int]()
        forging = Forging(
            clip=stretch.clip,
            chances=self.settings.forge.chances.by_name,
            partner=self._partners.of(row_idx, stretch, own, lent=lent),
            config=self._config.clip,
            refused=[],
            kinds=self._kinds,
        )
        forged, window = self._forge(forging, rng)
        members = self._members(row, stretch.clip, forged, window, lent, rng) if forged else ()
        reason = "" if members else f"allows none of the forgeries: {', '.join(forging.refused) or 'none fits'}"
        return Group(members=members, coding=coding, refused=tuple(forging.refused), reason=reason)

    def _draw_coding(self, rng: np.random.Generator) -> Coding:
        settings, clip = self.settings, self._config.clip
        return Coding(
            fps=clip.fps,
            sample_rate_hz=clip.sample_rate_hz,
            crf=int(rng.integers(settings.min_crf, settings.max_crf + 1)),
            bit_rate=int(rng.integers(settings.min_bit_rate, settings.max_bit_rate + 1)),
        )

    def _forge(self, forging: Forging, rng: np.random.Generator) -> tuple[list[Forged], Window]:
        """So many forgeries of different kinds, and the seconds that all of them have and that show each of them."""
        made: list[Forged] = []
        window, tried = forging.clip.window, list[str]()
        while len(made) < self.settings.per_clip and (
            kind := draw_forgery(forging.chances, streams_of(forging.clip), rng, without=tried, kinds=self._kinds)
        ):
            tried.append(kind.name)
            if (forged := forging.make(kind.name, rng)) is None:
                continue
            common = _common(window, forged.clip.window)
            enough = common.n_frames >= self._config.clip.n_frames
            if enough and all(each.labels(common)["overall"] == 1 for each in (*made, forged)):
                made.append(forged)
                window = common
            else:
                forging.refused.append(kind.name)
        return made, window

    def _members(
        self,
        row: Row,
        clip: Clip,
        forged: Sequence[Forged],
        window: Window,
        lent: Mapping[Partner, int],
        rng: np.random.Generator,
    ) -> tuple[Member, ...]:
        rate_hz = self._config.clip.sample_rate_hz
        cut = [cut_to(each, window, sample_rate_hz=rate_hz) for each in forged]
        clips = [narrow(clip, window, sample_rate_hz=rate_hz), *(each.clip for each in cut)]
        degrading = self.settings.forge
        draw = draw_degradation(degrading.degrade, rng, strength=degrading.strength)
        noise = np.random.default_rng(rng.integers(2**63))
        films = films_of(
            [_without_context(each) for each in degrade_alike(clips, draw, sample_rate_hz=rate_hz)],
            [f"{FOLDER}/{digest(row.corpus, row.path, self.settings.seed, k)[:16]}.mp4" for k in range(len(clips))],
            noise_dbfs=self.settings.noise_dbfs,
            rng=noise,
        )
        original = _real_row(row, films[0])
        rows = [original]
        for each, film in zip(cut, films[1:], strict=True):
            kind = self._kinds[each.kind]
            lender = self.rows[lent[kind.partner]] if kind.partner in lent else row
            rows.append(_forged_row(original, each, film, lender=lender))
        return tuple(
            Member(row=each, source=row.path, start_s=window.start_s, film=film, forged=forgery)
            for each, film, forgery in zip(rows, films, (None, *cut), strict=True)
        )


def digest(*parts: object) -> str:
    """A name that tells nothing, in hexadecimal."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


def cut_to(forged: Forged, window: Window, *, sample_rate_hz: int) -> Forged:
    """A forgery cut to fewer seconds: clip, mask and spans."""
    first = window.first_frame - forged.clip.window.first_frame
    return replace(
        forged,
        clip=narrow(forged.clip, window, sample_rate_hz=sample_rate_hz),
        mask=None if forged.mask is None else forged.mask[first : first + window.n_frames],
        spans={
            truth: tuple(
                type(span)(max(span.start_s, window.start_s), min(span.end_s, window.end_s))
                for span in spans
                if min(span.end_s, window.end_s) > max(span.start_s, window.start_s)
            )
            for truth, spans in forged.spans.items()
        },
    )


def films_of(clips: Sequence[Clip], paths: Sequence[str], *, noise_dbfs: float, rng: np.random.Generator) -> list[Film]:
    """Films of clips of the same seconds, their sound brought to one level over the same faint noise.

    Args:
        clips: Without context.
        paths: Of the films.
        noise_dbfs: Level of the noise, so that no film begins with a silence of its own.
        rng: Where the noise is drawn from, once for all.

    Returns:
        Films in the same order. The level is that of the first, or less where a film's peaks do not allow it.
    """
    sounds = [clip.waveform for clip in clips]
    if all(sound is not None for sound in sounds):
        heard = [sound for sound in sounds if sound is not None]
        noise = rng.standard_normal(len(heard[0])) * 10 ** (noise_dbfs / 20)
        sounds = [np.asarray(np.clip(sound + noise, -1, 1), np.float32) for sound in _levelled(heard)]
    return [
        Film(path=Path(path), frames=clip.frames, waveform=sound)
        for clip, path, sound in zip(clips, paths, sounds, strict=True)
    ]


def _levelled(sounds: Sequence[Floats]) -> list[Floats]:
    levels = [level_dbfs(sound) for sound in sounds]
    if not all(map(np.isfinite, levels)):
        return list(sounds)
    # Peaks above the level, in decibels: who has the highest decides how loud all can be.
    rooms = [20 * np.log10(_PEAK / np.abs(sound).max()) + level for sound, level in zip(sounds, levels, strict=True)]
    wanted = min(levels[0], *rooms)
    gains = [10 ** ((wanted - level) / 20) for level in levels]
    return [np.asarray(sound * gain, np.float32) for sound, gain in zip(sounds, gains, strict=True)]


def _without_context(clip: Clip) -> Clip:
    if clip.waveform is None:
        return clip
    sound = clip.waveform[clip.context_samples : len(clip.waveform) - clip.context_samples]
    return replace(clip, waveform=sound, context_samples=0)


def _common(one: Window, other: Window) -> Window:
    first = max(one.first_frame, other.first_frame)
    return Window(first, min(one.last_frame, other.last_frame) - first, one.fps)


def _real_row(row: Row, film: Film) -> Row:
    has_picture, has_sound = film.frames is not None, film.waveform is not None
    return replace(
        row,
        path=film.path.as_posix(),
        video_fake=False if has_picture else None,
        audio_fake=False if has_sound else None,
        sync_fake=False if has_picture and has_sound else None,
        method="real",
        original="",
        fake_segments=(),
    )


def _forged_row(original: Row, forged: Forged, film: Film, *, lender: Row) -> Row:
    start_s = forged.clip.window.start_s
    segments = [
        FakeSegment(round(span.start_s - start_s, 4), round(span.end_s - start_s, 4), truth)
        for truth, spans in forged.spans.items()
        for span in spans
    ]

    def is_fake(truth: Truth) -> bool | None:
        return bool(forged.spans[truth]) if truth in forged.spans else None

    return replace(
        original,
        path=film.path.as_posix(),
        label=1,
        video_fake=is_fake("video"),
        audio_fake=is_fake("audio"),
        sync_fake=is_fake("sync"),
        method=forged.kind,
        identity_source=lender.identity_source,
        identity_target=original.identity_source,
        original=original.path,
        fake_segments=tuple(sorted(segments)),
    )
