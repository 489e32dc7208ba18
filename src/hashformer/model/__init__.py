"""The network: tokens, selective attention, pooling, heads, hash codes; and its weight files."""

from hashformer.model.calibration import Calibration, HeadCalibration
from hashformer.model.hashformer import HashFormer
from hashformer.model.weights import LoadedModel, load_model, save_model

__all__ = ["Calibration", "HashFormer", "HeadCalibration", "LoadedModel", "load_model", "save_model"]
