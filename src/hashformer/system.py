"""What the operating system must provide, checked before anything fails for want of it.

Run as a script, before the package is installed, it needs nothing but Python itself.
"""

import contextlib
import ctypes
import importlib.util
import os
import sys

MIN_PYTHON = (3, 11)
# Shared libraries that OpenCV and MediaPipe load, and the Debian package of each.
_LIBRARIES = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libGLESv2.so.2": "libgles2",
    "libgthread-2.0.so.0": "libglib2.0-0",
}


def missing_packages() -> list[str]:
    """Debian packages of the shared libraries that cannot be loaded; none except on Linux."""
    return (
        [package for library, package in _LIBRARIES.items() if not _loads(library)] if sys.platform == "linux" else []
    )


def remedy(packages: list[str]) -> str:
    """The one line that installs `packages`."""
    return f"apt-get update && apt-get install -y {' '.join(packages)}"


def share_cores() -> None:
    """Let waiting threads sleep instead of spin; call it before PyTorch is imported.

    Spinning threads fight with the face models and with other programs for the cores: on two cores
    that others use too, the model took four times as long. NumPy solves only small systems here: one
    thread is faster than several that wait for each other. A user's own settings are kept.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def keep_freed_memory() -> None:
    """Have the C library keep the memory that one pass of a network frees, for the next needs as much again.

    Handing large blocks back to the system and taking them anew costs page faults: 15 % of the processor time of a
    training step on a CPU, a third of that of a clip judged by `small`; the peak stays. Without glibc nothing changes.
    """
    no_mmap, no_trim = (-4, 0), (-1, -1)
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(*no_mmap)
        mallopt(*no_trim)


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _check() -> int:
    if sys.version_info < MIN_PYTHON:
        wanted = ".".join(map(str, MIN_PYTHON))
        sys.stderr.write(
            f"Python {wanted} or newer is needed, this is {sys.version.split()[0]}. Set PYTHON=python{wanted}\n"
        )
        return 1
    packages = missing_packages()
    if importlib.util.find_spec("ensurepip") is None:
        packages.append("python3-venv")
    if packages:
        sys.stderr.write(f"The system lacks libraries. This mends it (as root):\n    {remedy(packages)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_check())
