"""The overview of a batch in a real browser: the filter shows what is asked for, by keyboard too."""

import shutil

import pytest

from hashformer.report.batch_page import write_page
from hashformer.report.batch_record import BatchNotes, Row
from hashformer.results import WeightsInfo

NOTES = BatchNotes(weights=WeightsInfo(name="some", sha256="a" * 64, trained=True), options={}, threshold=0.5)


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser, tmp_path):
    def row(name, kind, score, **facts):
        status = "scored" if score is not None else "cannot_tell"
        return Row(name=name, path=name, kind=kind, verdict=kind, status=status, score=score, **facts)

    rows = [
        row("press/anna.mp4", "fake", 0.9),
        row("press/berta.mp4", "clear", 0.2),
        row("home/carl.mp4", "unknown", None, reason="no face was found"),
    ]
    write_page(rows, tmp_path / "index.html", notes=NOTES)
    opened = browser.new_page(viewport={"width": 390, "height": 800})
    faults = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    opened.goto(f"file://{tmp_path / 'index.html'}")
    yield opened
    opened.close()
    assert faults == []


def shown(page):
    return [row.locator("bdi").first.inner_text() for row in page.locator("tbody tr").all() if row.is_visible()]


@pytest.mark.slow
def test_the_filter_shows_what_is_asked_for(page):
    assert shown(page) == ["press/anna.mp4", "press/berta.mp4", "home/carl.mp4"]
    page.get_by_label("Search").fill("PRESS ber")
    assert shown(page) == ["press/berta.mp4"]
    assert page.get_by_role("status").inner_text() == "1 of 3 files shown"
    page.get_by_role("button", name="Show all").click()
    page.get_by_label("Score at least").fill("0.5")
    assert shown(page) == ["press/anna.mp4"]
    page.get_by_label("Score at least").fill("0")
    page.get_by_label("Likely fake (1)").focus()
    page.keyboard.press("Space")
    assert shown(page) == ["press/berta.mp4", "home/carl.mp4"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
