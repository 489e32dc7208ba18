"""Training draws: a real clip and forgeries of it, or a fake of a corpus; each is decided by seed and number alone."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from hashformer.config import Config
from hashformer.config.forge import ForgeConfig
from hashformer.config.views import ViewConfig
from hashformer.data.features import SoundFeatures
from hashformer.data.finish import Finisher
from hashformer.data.forge import kinds_with
from hashformer.data.forging import Forging, Shown
from hashformer.data.loaded import Example
from hashformer.data.manifest import Row
from hashformer.data.partners import PartnerFinder
from hashformer.data.prepared import check_prepared
from hashformer.data.sampling import balanced_weights
from hashformer.data.stretches import StretchReader
from hashformer.errors import StoreError

_TRIES = 100
"""Files in a row that have nothing to show, before a draw gives up."""


class TrainingClips(Dataset[list[Example]]):
    """Draws of training by their number: `data[k]` is the same list in every process and after every resumption.

    A draw of a real file is the clip as it is and after it its forgeries, all of the same seconds, through the same
    degradation and the same views. A draw of a corpus's own fake is that clip and a real one of the same corpus,
    through the same too: what streams a clip has, and what its corpus looks like, must not tell its label. Within reals
    and within fakes, sources, then people, then files have the same chance.

    Args:
        rows: The manifest's rows to train on.
        root: Where `hashformer preprocess` put them.
        config: Of the model: clips, quality, features.
        forge: What a draw is made of.
        views: None for clips as they are; one for augmented clips; two for pairs of views.
        seed: Decides every draw.
        step_draws: Draws of a step on all devices: those of one step are blind together.

    Raises:
        StoreError: If there is no row, or a row's file was not prepared.
    """

    def __init__(  # noqa: PLR0913  # the data, what is made of it, and what decides it
        self,
        rows: Sequence[Row],
        root: Path,
        *,
        config: Config,
        forge: ForgeConfig,
        views: Sequence[ViewConfig] = (),
        seed: int = 0,
        step_draws: int = 1,
    ) -> None:
        self.rows, self.forge, self.seed, self._step_draws = list(rows), forge, seed, step_draws
        self._maker = _GroupMaker(self.rows, root, config, forge)
        self._finish = Finisher(forge, views, sample_rate_hz=config.clip.sample_rate_hz)
        self._chances = {label: _chances(self.rows, label) for label in (0, 1)}

    def __getitem__(self, draw: int) -> list[Example]:
        """Draw number `draw`, from 0; there is no last.

        Raises:
            StoreError: If no file has a clip in which face or sound are good enough, or a folder is damaged.
        """
        rng = np.random.default_rng((self.seed, draw))
        blind = self.is_blind(draw)
        has_fakes, has_reals = self._chances[1].any(), self._chances[0].any()
        is_fake = bool(has_fakes and (rng.random() < self.forge.corpora_share or not has_reals))
        n_forgeries = 0 if is_fake or rng.random() < self.forge.untouched else self.forge.per_clip
        for _ in range(_TRIES):
            row_idx = int(rng.choice(len(self.rows), p=self._chances[int(is_fake)]))
            group, refused = self._maker(row_idx, rng, n_forgeries=n_forgeries, blind=blind)
            if group:
                finish = partial(self._finish, seed=(self.seed, draw), blind=blind)
                done = finish(group, self.rows[row_idx], row_idx, refused=refused)
                return done + self._companion(row_idx, rng, finish) if is_fake else done
        raise StoreError(f"{_TRIES} files in a row show neither a face nor sound that is good enough. Audit the data.")

    def is_blind(self, draw: int) -> bool:
        """Whether a draw's step shows sound and landmarks alone."""
        step, share = draw // self._step_draws, self.forge.blind
        return int((step + 1) * share) > int(step * share)

    def _companion(
        self, fake_idx: int, rng: np.random.Generator, finish: Callable[..., list[Example]]
    ) -> list[Example]:
        """A real clip of the fake's corpus, or of any where that has none; nothing if there are no reals."""
        same = np.array([row.corpus == self.rows[fake_idx].corpus for row in self.rows])
        chances = self._chances[0] * same if (self._chances[0] * same).any() else self._chances[0]
        for _ in range(_TRIES if chances.any() else 0):
            row_idx = int(rng.choice(len(self.rows), p=chances / chances.sum()))
            group, _ = self._maker(row_idx, rng, n_forgeries=0)
            if group:
                return finish(group, self.rows[row_idx], row_idx, refused=())
        return []


class ForgedValidation(Dataset[list[Example]]):
    """Every row once: a real file as it is and with each kind of forgery, a fake as it is. The same every time.

    Each forgery shows a second of its own, so that these are no pairs.

    Args:
        rows: The manifest's rows to validate on.
        root: Where they were prepared.
        config: Of the model.
        forge: Kinds with a chance above 0 are made; clips are degraded as in training.
        seed: Decides every draw.

    Raises:
        StoreError: If there is no row, or a row's file was not prepared.
    """

    def __init__(self, rows: Sequence[Row], root: Path, *, config: Config, forge: ForgeConfig, seed: int = 0) -> None:
        self.rows, self.seed = list(rows), seed
        self._maker = _GroupMaker(self.rows, root, config, forge)
        self._finish = Finisher(forge, (), sample_rate_hz=config.clip.sample_rate_hz)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row_idx: int) -> list[Example]:
        """The examples of a row; none if nothing of the file can be judged."""
        rng = np.random.default_rng((self.seed, row_idx))
        is_fake = self.rows[row_idx].label == 1
        group, refused = self._maker(row_idx, rng, n_forgeries=0 if is_fake else None)
        return self._finish(group, self.rows[row_idx], row_idx, seed=(self.seed, row_idx), refused=refused)


class _GroupMaker:
    """Reads a stretch of a file and forges it."""

    def __init__(self, rows: Sequence[Row], root: Path, config: Config, forge: ForgeConfig) -> None:
        check_prepared(rows, root)
        self._rows, self._root, self._clip, self._forge = rows, root, config.clip, forge
        self._kinds = kinds_with(forge.autoencoder)
        context = SoundFeatures(config.features, sample_rate_hz=config.clip.sample_rate_hz).context_samples
        self._reader = StretchReader(config.clip, config.quality, span_s=forge.span_s, context_samples=context)
        self._partners = PartnerFinder(rows, root, self._reader)

    def __call__(
        self, row_idx: int, rng: np.random.Generator, *, n_forgeries: int | None, blind: bool = False
    ) -> tuple[list[Shown], list[str]]:
        """The clip of a row and so many forgeries of the same seconds; None: each kind, of seconds of its own.

        Where the picture will not be shown, the kinds are those of the sound, and there is none without it.

        Returns:
            The clips, none if the file has nothing good enough; and the kinds that could not be made.
        """
        stretch = self._reader.draw(self._root / self._rows[row_idx].path, rng)
        if stretch is None:
            return [], []
        if blind and stretch.clip.waveform is None:
            return [], []
        own = np.random.default_rng(rng.integers(2**63))
        chances = {
            name: chance
            for name, chance in self._forge.chances.by_name.items()
            if chance and (not blind or "sound" in self._kinds[name].needs)
        }
        forging = Forging(
            clip=stretch.clip,
            chances={
                name: chance * (not blind or "sound" in self._kinds[name].needs) for name, chance in chances.items()
            },
            partner=self._partners.of(row_idx, stretch, own),
            config=self._clip,
            refused=[],
            kinds=self._kinds,
        )
        group = forging.each(rng) if n_forgeries is None else forging.together(rng, n_forgeries=n_forgeries)
        return group, forging.refused


def _chances(rows: Sequence[Row], label: int) -> NDArray[np.float64]:
    """Chance of each row among those of one label; zeros if there are none."""
    chosen = [i for i, row in enumerate(rows) if row.label == label]
    chances = np.zeros(len(rows))
    if chosen:
        weights = balanced_weights([rows[i] for i in chosen]).astype(np.float64)
        chances[chosen] = weights / weights.sum()
    return chances
