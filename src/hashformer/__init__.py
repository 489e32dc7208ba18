"""HashFormer tells real talking-head video from fake, from picture, sound and facial landmarks."""

__version__ = "0.1.0"
