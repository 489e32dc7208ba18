"""The grids: every kind of perturbation, its levels, and whose they are. Data, no code."""

from dataclasses import dataclass
from typing import Literal

Stream = Literal["picture", "sound"]

DEEPER_FORENSICS = "DeeperForensics-1.0"
DF_TCB = "DF-TCB"
OWN = "HashFormer"
"""No grid is shared by the literature: these levels are this project's own."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """One kind of perturbation.

    Attributes:
        name: As the command line and the tables of results have it.
        stream: What it changes.
        levels: Its parameter at level 1, 2, …; level 0 changes nothing.
        unit: What the parameter counts.
        source: Whose levels these are.
    """

    name: str
    stream: Stream
    levels: tuple[float, ...]
    unit: str
    source: str


_GRIDS = (
    Grid(
        name="saturation",
        stream="picture",
        levels=(0.4, 0.3, 0.2, 0.1, 0.0),
        unit="factor of the chroma",
        source=DEEPER_FORENSICS,
    ),
    Grid(
        name="contrast",
        stream="picture",
        levels=(0.85, 0.725, 0.6, 0.475, 0.35),
        unit="factor of the pixel",
        source=DEEPER_FORENSICS,
    ),
    Grid(
        name="block-wise",
        stream="picture",
        levels=(16, 32, 48, 64, 80),
        unit="blocks of 8 x 8 for each whole 256 px of the shorter side",
        source=DEEPER_FORENSICS,
    ),
    Grid(
        name="gaussian-noise",
        stream="picture",
        levels=(0.001, 0.002, 0.005, 0.01, 0.05),
        unit="variance in YCbCr of 0 to 1",
        source=DEEPER_FORENSICS,
    ),
    Grid(
        name="gaussian-blur",
        stream="picture",
        levels=(7, 9, 13, 17, 21),
        unit="px, side of the kernel; sigma is a sixth of it",
        source=DEEPER_FORENSICS,
    ),
    Grid(
        name="pixelation",
        stream="picture",
        levels=(2, 3, 4, 5, 6),
        unit="factor down and up",
        source=DEEPER_FORENSICS,
    ),
    Grid(
        name="video-compression",
        stream="picture",
        levels=(30, 32, 35, 38, 40),
        unit="CRF of H.264",
        source=DEEPER_FORENSICS,
    ),
    Grid(
        name="block-wise-crop",
        stream="picture",
        levels=(16, 32, 48, 64, 80),
        unit="blocks of 1/32 of the shorter side",
        source=OWN,
    ),
    Grid(name="frame-rate", stream="picture", levels=(10, 8, 6, 4, 2), unit="fps", source=DF_TCB),
    Grid(name="h264", stream="picture", levels=(23, 30, 37, 44, 51), unit="CRF", source=DF_TCB),
    Grid(name="h265", stream="picture", levels=(27, 33, 39, 45, 51), unit="CRF", source=DF_TCB),
    Grid(name="motion-blur", stream="picture", levels=(1, 2, 3, 4, 6), unit="frames on each side", source=DF_TCB),
    # The benchmark names the kind; how many frames at which level is not published with it.
    Grid(name="black-frames", stream="picture", levels=(2, 4, 8, 16, 24), unit="of 32 frames", source=OWN),
    Grid(name="corrupted-run", stream="picture", levels=(8, 16, 24), unit="of 32 frames, in a row", source=DF_TCB),
    Grid(
        name="corrupted-blocks",
        stream="picture",
        levels=(8, 16, 24),
        unit="of 32 frames, in blocks of 4",
        source=DF_TCB,
    ),
    Grid(name="jpeg", stream="picture", levels=(90, 70, 50, 30, 10), unit="quality", source=OWN),
    Grid(name="white-noise", stream="sound", levels=(30, 20, 15, 10, 5), unit="dB SNR", source=OWN),
    Grid(name="aac", stream="sound", levels=(128, 64, 48, 32, 16), unit="kb/s", source=OWN),
    Grid(name="low-pass", stream="sound", levels=(7, 5, 4, 3, 2), unit="kHz", source=OWN),
    Grid(name="gain", stream="sound", levels=(-3, -6, -12, -18, -24), unit="dB", source=OWN),
    Grid(name="resample", stream="sound", levels=(11_025, 8_000, 6_000, 5_000, 4_000), unit="Hz and back", source=OWN),
    Grid(name="reverberation", stream="sound", levels=(0.2, 0.4, 0.6, 0.8, 1.2), unit="s RT60", source=OWN),
)

KINDS: dict[str, Grid] = {grid.name: grid for grid in _GRIDS}
"""Every kind by name, picture first."""
LITERATURE = tuple(grid.name for grid in _GRIDS if grid.source == DEEPER_FORENSICS)
"""The seven kinds whose mean AUC over five levels is what papers print."""
