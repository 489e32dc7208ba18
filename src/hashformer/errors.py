"""Every error that HashFormer raises on purpose: one family, so that a caller can catch it whole."""


class HashFormerError(Exception):
    """Base of all errors whose message is meant for the user: the value, the limit and the way out."""


class SetupError(HashFormerError):
    """The machine lacks something that the package needs."""


class ConfigError(HashFormerError):
    """A setting is unknown or out of range."""


class MediaError(HashFormerError):
    """A media file cannot be opened, decoded or written."""


class AssetError(HashFormerError):
    """A model file of others is missing, broken, or could not be fetched."""


class StoreError(HashFormerError):
    """Results or prepared data cannot be written or read back."""


class WeightsError(HashFormerError):
    """A weight file is missing, broken, or does not fit the model."""


class ExportError(HashFormerError):
    """A model cannot be written in another format, or what was written does not answer as it does."""


class ShapeError(HashFormerError):
    """A tensor has a shape that the model cannot take."""


class ManifestError(HashFormerError):
    """A corpus or a manifest is not laid out as it should be, or cannot be split as asked."""


class ForgeryError(HashFormerError):
    """A clip cannot be forged in the way that was asked for."""


class TrainError(HashFormerError):
    """Training cannot go on: the loss is not finite, memory is used up, or a checkpoint does not fit."""


class EvaluationError(HashFormerError):
    """What was asked of an evaluation cannot be computed from what it was given."""
