"""HTML that the service shows, and what a browser may do with it."""

import base64
import hashlib
from html.parser import HTMLParser
from importlib import resources

SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "SAMEORIGIN",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
"""The policy of answers that are no page."""


def read_page() -> str | None:
    """The page of the service, one file; None if this installation has none."""
    page = resources.files("hashformer.service") / "web" / "index.html"
    return page.read_text(encoding="utf-8") if page.is_file() else None


def page_policy(html: str) -> str:
    """What the page may do: run its own scripts, play what was picked, ask this service; nothing else."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_sources(html)}",
            "style-src 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "media-src 'self' data: blob:",
            "font-src data:",
            "connect-src 'self'",
            "frame-src 'self' blob:",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


def report_policy(html: str) -> str:
    """What a report may do: run its own scripts, in a world of its own that cannot ask the service."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_sources(html)}",
            "style-src 'unsafe-inline'",
            "img-src data: blob:",
            "media-src data: blob:",
            "font-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'self'",
            "sandbox allow-scripts allow-downloads allow-modals",
        )
    )


def _sources(html: str) -> str:
    """The inline scripts of a page, each by its hash, for `script-src`."""
    found = _Scripts()
    found.feed(html)
    found.close()
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in found.texts]
    return " ".join(f"'sha256-{digest}'" for digest in dict.fromkeys(digests)) or "'none'"


class _Scripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.texts: list[str] = []
        self._is_inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script" and "src" not in dict(attrs):
            self._is_inside = True
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._is_inside = self._is_inside and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._is_inside:
            self.texts[-1] += data
