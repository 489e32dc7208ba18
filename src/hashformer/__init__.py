"""HashFormer tells real talking-head video from fake, from picture, sound and facial landmarks."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hashformer.detector import Detector as Detector

from hashformer.version import __version__

__all__ = ["Detector", "__version__"]


def __getattr__(name: str) -> Any:
    # PyTorch and MediaPipe take seconds to import; who asks for a version or a config need not wait.
    if name == "Detector":
        from hashformer.detector import Detector  # noqa: PLC0415

        return Detector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
