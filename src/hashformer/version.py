"""The version, where every part may import it."""

__version__ = "0.1.0"
