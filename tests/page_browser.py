"""Debian's Chromium, driven by Playwright, and a visitor who notices what a page must not do."""

import shutil
from contextlib import contextmanager

import pytest

from service_process import until

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

NAMELESS = """() => {
  const all = "a, button, input, select, textarea, summary, [tabindex='0'], progress, img, [role=slider], [role=img]";
  const named = (e) => [
    e.getAttribute("aria-label"), e.getAttribute("alt"), e.textContent,
    ...[...(e.labels ?? [])].map((one) => one.textContent),
    ...(e.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent),
  ].join("").trim();
  return [...document.querySelectorAll(all)].filter((e) => e.checkVisibility() && !named(e)).map((e) => e.outerHTML);
}"""
"""Controls and pictures on show that have no name to be called by."""
PALE = """() => {
  const rgba = (text) => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
  const over = (top, below) => top.slice(0, 3).map((c, i) => c * top[3] + below[i] * (1 - top[3]));
  const ground = (e) => {
    const own = rgba(getComputedStyle(e).backgroundColor);
    return own[3] === 1 ? own : over(own, e.parentElement ? ground(e.parentElement) : [255, 255, 255]);
  };
  const light = (colour) => colour.slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const pale = [];
  let seen = 0;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement, style = getComputedStyle(e), drawing = e.closest("svg");
    if (!node.data.trim() || !e.checkVisibility() || ["SCRIPT", "STYLE"].includes(e.tagName)) continue;
    seen += 1;
    const behind = ground(drawing?.parentElement ?? e);
    const both = [light(over(rgba(drawing ? style.fill : style.color), behind)), light(behind)];
    const contrast = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
    const size = parseFloat(style.fontSize), isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (contrast < (isLarge ? 3 : 4.5)) pale.push(`${contrast.toFixed(2)}: ${node.data.trim()}`);
  }
  return { seen, pale };
}"""
"""Texts on show, and those that stand out too little from what lies behind them, as WCAG 2 computes it (level AA)."""
CUT = """() => [...document.querySelectorAll("main *")]
  .filter((e) => e.checkVisibility() && !e.closest(".unseen") && !e.closest("svg"))
  .filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.outerHTML)"""
"""What stands out of the screen on its right."""


@contextmanager
def chromium():
    """A browser; skips where there is none."""
    reason = "playwright is not installed: pip install -e '.[dev]'"
    playwright = pytest.importorskip("playwright.sync_api", reason=reason)
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
    context.on("console", lambda said: wrong.append(said.text) if _is_error(said) else None)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    yield page
    context.close()
    assert asked
    assert [url for url in asked if not url.startswith((f"{address}/", "blob:", "data:"))] == []
    assert wrong == []


def wait_until(page, expression):
    """Ask the page until it says yes. Playwright's own way evaluates text in the page, which its policy forbids."""
    until(lambda: page.evaluate(expression))


def _is_error(said):
    # Refused requests are named by the browser on its own account; a breach of the page's policy is another matter.
    return said.type == "error" and "Failed to load resource" not in said.text
