"""Media files in and out: the only place that decodes and encodes."""

from hashformer.media.info import probe

__all__ = ["probe"]
