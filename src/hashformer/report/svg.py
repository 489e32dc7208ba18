"""A matplotlib figure as an element of a page: it takes the page's font and colours, also dark ones."""

import io
import re
from collections.abc import Mapping

import matplotlib as mpl
from matplotlib.figure import Figure

# What matplotlib writes for a file of its own, and what fits an element in a page.
_TO_INLINE = (
    (r'<g id="[^"]*"', "<g"),
    (r"xlink:href=", "href="),
    (r"font: bold ([\d.]+px) [^;\"]*", r"font-weight: 600; font-size: \1"),
    (r"font: ([\d.]+px) [^;\"]*", r"font-size: \1"),
    (r"font-family: [^;\"]*; ?", ""),
)

# Colours are the page's business: each is drawn in the hue given here, which is unlike any other, and
# becomes a CSS variable with that hue as fallback. The hues are Okabe and Ito's, safe for colour-blind eyes.
COLOURS = {
    "ink": "#1c2733",
    "muted": "#5a6877",
    "grid": "#d9dfe6",
    "threshold": "#7a4b9d",
    "suspect": "#f2c14e",
    "overall": "#1c2732",
    "video": "#0072b2",
    "audio": "#d55e00",
    "sync": "#00815d",
}


def inline_svg(figure: Figure, salt: str, colours: Mapping[str, str] = COLOURS) -> str:
    """The figure as an SVG element that takes font and colours from the page it stands in.

    The same figure and salt give the same bytes. Names inside hold a hash of the salt, so that drawings with
    different salts can share a page.

    Args:
        figure: What to draw.
        salt: Different for each drawing of a page.
        colours: By name, hues that the figure uses; each becomes the CSS variable `--plot-` and its name, with
            the hue as fallback.
    """
    buffer = io.StringIO()
    # Text stays text, so that it can be searched.
    with mpl.rc_context({"svg.hashsalt": salt, "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    size = re.search(r'viewBox="[^"]*"', svg)
    body = svg[svg.index("<g ") :]
    for pattern, replacement in _TO_INLINE:
        body = re.sub(pattern, replacement, body)
    for name, colour in colours.items():
        body = body.replace(colour, f"var(--plot-{name}, {colour})")
    return f'<svg aria-hidden="true" stroke-linejoin="round" {size.group() if size else ""}>{body}'
