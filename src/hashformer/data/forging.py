"""Forgeries of one clip, and which seconds of them are shown."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from hashformer.config import ClipConfig
from hashformer.data.forge import FORGERIES, draw_forgery, streams_of
from hashformer.data.forge.base import Forged, ForgeryKind, Partner
from hashformer.data.forge.narrow import narrow
from hashformer.errors import ForgeryError
from hashformer.timebase import Window
from hashformer.types import Clip, Frames

FindPartner = Callable[[Partner], Clip | None]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A clip of the model's length, and what was done to it.

    Attributes:
        clip: The clip.
        kind: Name of the forgery; "" for none.
        labels: Of the forgery; None for a clip as it is in the corpus.
        mask: How far each pixel was forged, (T, H, W) uint8; None if the forgery does not tell.
    """

    clip: Clip
    kind: str = ""
    labels: Mapping[str, float] | None = None
    mask: Frames | None = None


@dataclass
class Forging:
    """Draws kinds and makes them of one clip.

    Attributes:
        clip: Real.
        chances: How often each kind is drawn.
        partner: Finds the second clip of a kind.
        config: Length and rates of what is shown.
        refused: Kinds that this clip did not allow.
        kinds: Those that there are, by name.
    """

    clip: Clip
    chances: Mapping[str, float]
    partner: FindPartner
    config: ClipConfig
    refused: list[str]
    kinds: Mapping[str, ForgeryKind] = field(default_factory=lambda: FORGERIES)

    def together(self, rng: np.random.Generator, *, n_forgeries: int) -> list[Shown]:
        """The real clip and so many forgeries, all of the same seconds, which show every one of them.

        Fewer forgeries if too few kinds can be made of the clip.

        Returns:
            The real clip first; nothing if no second of it shows what it should.
        """
        starts = self._starts(self.clip)
        made: list[Forged] = []
        tried: list[str] = []
        while len(made) < n_forgeries and (
            kind := draw_forgery(self.chances, streams_of(self.clip), rng, without=tried, kinds=self.kinds)
        ):
            tried.append(kind.name)
            forged = self.make(kind.name, rng)
            common = None if forged is None else starts & self._showing(forged)
            if forged is not None and common:
                made.append(forged)
                starts = common
            elif forged is not None:
                self.refused.append(kind.name)
        if not starts:
            return []
        window = self._window(starts, rng)
        real = Shown(clip=self._narrow(self.clip, window))
        return [real, *(self._shown(forged, window) for forged in made)]

    def each(self, rng: np.random.Generator) -> list[Shown]:
        """The real clip and every kind once, each showing seconds of its own."""
        starts = self._starts(self.clip)
        if not starts:
            return []
        shown = [Shown(clip=self._narrow(self.clip, self._window(starts, rng)))]
        for name, kind in self.kinds.items():
            if self.chances.get(name, 0) <= 0 or not kind.needs <= streams_of(self.clip):
                continue
            forged = self.make(name, rng)
            if forged is None:
                continue
            if own := self._showing(forged) & starts:
                shown.append(self._shown(forged, self._window(own, rng)))
            else:
                self.refused.append(name)
        return shown

    def make(self, name: str, rng: np.random.Generator) -> Forged | None:
        """One forgery; None, and a name more in `refused`, if the clip does not allow it."""
        kind = self.kinds[name]
        # A generator of its own: how much one kind draws does not change what comes after it.
        own = np.random.default_rng(rng.integers(2**63))
        partner = None if kind.partner == "none" else self.partner(kind.partner)
        try:
            if kind.partner != "none" and (partner is None or not kind.needs <= streams_of(partner)):
                raise ForgeryError(f"{name}: no second clip")
            return kind.make(self.clip, partner, rng=own, sample_rate_hz=self.config.sample_rate_hz)
        except ForgeryError:
            self.refused.append(name)
            return None

    def _starts(self, clip: Clip) -> set[int]:
        """First frames from which a clip can be shown: with the face, if there is one, for long enough."""
        n_frames, window = self.config.n_frames, clip.window
        starts = range(window.first_frame, window.last_frame - n_frames + 1)
        if clip.landmarks is None:
            return set(starts)
        seen = np.concatenate([[0], np.cumsum(~np.isnan(clip.landmarks[:, 0, 0]))])
        enough = self.config.min_frames * n_frames
        at = {start: start - window.first_frame for start in starts}
        return {start for start, i in at.items() if seen[i + n_frames] - seen[i] >= enough}

    def _showing(self, forged: Forged) -> set[int]:
        """First frames from which at least half as much of the forgery is seen as can be seen at once."""
        starts = self._starts(forged.clip)
        spans = [span for group in forged.spans.values() for span in group]
        seen = {}
        for start in starts:
            window = Window(start, self.config.n_frames, self.config.fps)
            overlaps = [min(end, window.end_s) - max(begin, window.start_s) for begin, end in spans]
            if forged.labels(window)["overall"] == 1:
                seen[start] = max(overlaps)
        most = max(seen.values(), default=0.0)
        return {start for start, seconds in seen.items() if seconds >= most / 2}

    def _window(self, starts: Collection[int], rng: np.random.Generator) -> Window:
        return Window(int(rng.choice(sorted(starts))), self.config.n_frames, self.config.fps)

    def _narrow(self, clip: Clip, window: Window) -> Clip:
        return narrow(clip, window, sample_rate_hz=self.config.sample_rate_hz)

    def _shown(self, forged: Forged, window: Window) -> Shown:
        clip = self._narrow(forged.clip, window)
        first = window.first_frame - forged.clip.window.first_frame
        mask = None if forged.mask is None else forged.mask[first : first + window.n_frames]
        return Shown(clip=clip, kind=forged.kind, labels=forged.labels(window), mask=mask)
