"""Debian's Chromium, driven by Playwright, and a visitor who notices what a page must not do."""

import shutil
from contextlib import contextmanager

import pytest

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 300_000
"""Machines that run tests may be busy; nothing here waits so long on an idle one."""


@contextmanager
def chromium():
    """A browser; skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e '.[dev]'")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no Chromium on this machine: apt-get install -y chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def visitor(browser, address, **options):
    """A page in a profile of its own, before it has gone anywhere.

    At the end it must have asked nobody but `address`, and have met no error of its own.
    """
    asked, wrong = [], []
    context = browser.new_context(base_url=address, **options)
    context.on("request", lambda request: asked.append(request.url))
    context.on("weberror", lambda error: wrong.append(str(error.error)))
    # Refused requests are named by the browser on its own account; a breach of the page's policy is not one of them.
    context.on("console", lambda said: said.type == "error" and "Failed to load resource" not in said.text and wrong.append(said.text))
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    yield page
    context.close()
    assert asked
    assert [url for url in asked if not url.startswith((f"{address}/", "blob:", "data:"))] == []
    assert wrong == []
