"""Perturbations of known strength, on whole pictures and on sound, to measure how much a detector endures."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hashformer.errors import ConfigError
from hashformer.media.audio import AudioBlock
from hashformer.media.picture import RGB
from hashformer.media.video import GridFrame
from hashformer.perturb.blocks import changed_blocks
from hashformer.perturb.picture import BLOCK_UNIT_PX, PICTURE_CHANGES, Change
from hashformer.perturb.sound import SOUND_CHANGES
from hashformer.perturb.table import KINDS, LITERATURE, Grid
from hashformer.perturb.temporal import TIME_CHANGES, Setting

__all__ = ["KINDS", "LITERATURE", "Grid", "Perturbation"]


@dataclass(frozen=True)
class Perturbation:
    """One kind at one level. Level 0 changes nothing.

    Attributes:
        kind: A key of `KINDS`.
        level: 0 to the number of the kind's levels.
        seed: Of all chance. The same seed gives the same result, and the same draws at every level.

    Raises:
        ConfigError: If there is no such kind or level.
    """

    kind: str
    level: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"there is no perturbation {self.kind!r}. Name one of {', '.join(KINDS)}.")
        n_levels = len(self.grid.levels)
        if not 0 <= self.level <= n_levels:
            raise ConfigError(f"{self.kind} has the levels 0 to {n_levels}, got {self.level}.")
        if self.seed < 0:
            raise ConfigError(f"the seed of a perturbation must not be negative, got {self.seed}.")

    @property
    def grid(self) -> Grid:
        """The kind's row of the table."""
        return KINDS[self.kind]

    @property
    def parameter(self) -> float | None:
        """What the level stands for, in the unit of the grid; None at level 0."""
        return self.grid.levels[self.level - 1] if self.level else None

    def __str__(self) -> str:
        return f"{self.kind}, level {self.level}, seed {self.seed}"

    def pictures(
        self, frames: Iterable[GridFrame], *, fps: int, problems: list[str] | None = None
    ) -> Iterator[GridFrame]:
        """Perturb whole pictures as they come.

        Args:
            frames: Every frame of the grid, in order; nothing is written to them.
            fps: Rate of the grid.
            problems: Takes a line, at the end, if pictures were too small to be changed.

        Returns:
            As many frames. At most about 20 pictures are held.
        """
        parameter = self.parameter
        if parameter is None or self.grid.stream != "picture":
            return iter(frames)
        if self.kind in TIME_CHANGES:
            return TIME_CHANGES[self.kind](frames, parameter, Setting(fps, self.seed))
        return self._each(frames, PICTURE_CHANGES[self.kind], parameter, Setting(fps, self.seed), problems)

    def sound(self, blocks: Iterable[AudioBlock], *, sample_rate_hz: int) -> Iterator[AudioBlock]:
        """Perturb sound as it comes.

        Args:
            blocks: From sample 0, without a gap between them.
            sample_rate_hz: Their rate.

        Returns:
            Blocks of the same places and lengths. At most 24 s are held.
        """
        parameter = self.parameter
        if parameter is None or self.grid.stream != "sound":
            return iter(blocks)
        change = SOUND_CHANGES[self.kind]
        return changed_blocks(blocks, change, parameter, sample_rate_hz=sample_rate_hz, seed=self.seed)

    def _each(
        self,
        frames: Iterable[GridFrame],
        change: Change,
        parameter: float,
        setting: Setting,
        problems: list[str] | None,
    ) -> Iterator[GridFrame]:
        before: RGB | None = None
        after: RGB | None = None
        n_small = 0
        for frame in frames:
            if frame.rgb is None:
                yield frame
                continue
            n_small += min(frame.rgb.shape[:2]) < BLOCK_UNIT_PX
            # A picture that is held is changed once, as it is in a film that was changed before it was sampled.
            if after is None or frame.rgb is not before:
                before, after = frame.rgb, change(frame.rgb, parameter, setting.rng(frame.index))
            yield GridFrame(frame.index, after)
        if self.kind == "block-wise" and n_small and problems is not None:
            problems.append(
                f"block-wise changes no picture below {BLOCK_UNIT_PX} px: {n_small} frames are as they were"
            )
