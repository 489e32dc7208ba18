"""The report in a real browser: player and timeline follow each other, and nothing is asked for."""

import base64
import gzip
import hashlib
import shutil

import pytest

from hashformer.evidence import explain
from hashformer.report.document import make_document
from hashformer.report.html import write_html
from make_faces import film
from report.detections import document_of, explained

CHROMIUM = shutil.which("chromium")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no chromium")]
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")


@pytest.fixture(scope="module")
def talking(tmp_path_factory, man):
    return film(tmp_path_factory.mktemp("films") / "<script>alert(1)<script>.mp4", man[:24])


@pytest.fixture(scope="module")
def document(detector, talking):
    return make_document([explain(detector, talking)], settings=detector.config.model_dump(mode="json"))


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A page that fails the test when it asks the network or its script breaks."""
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    wrong = []
    page.on("request", lambda request: wrong.append(request.url) if request.url.startswith("http") else None)
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    yield page
    page.close()
    assert not wrong


def opened(page, path):
    page.goto(path.as_uri())
    return page


def until(page, condition):
    """Wait for a condition; Playwright's own way is a script that the page's policy refuses."""
    for _ in range(300):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(100)
    raise AssertionError(condition)


def test_the_file_plays_and_the_timeline_goes_along(page, document, talking, tmp_path):
    write_html(document, tmp_path / "report.html", media=[talking])
    opened(page, tmp_path / "report.html")
    until(page, "document.querySelector('video').readyState >= 1")
    slider = page.get_by_role("slider", name="Place in the file")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuenow") == "1.0"
    assert slider.get_attribute("aria-valuetext").startswith("0:01.0, All together 0.")
    until(page, "Math.abs(document.querySelector('video').currentTime - 1) < 0.01")
    page.evaluate("document.querySelector('video').currentTime = 2")
    until(page, "document.querySelector('.seek').getAttribute('aria-valuenow') === '2.0'")
    box = slider.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 30)
    end_s = float(slider.get_attribute("data-end"))
    until(page, f"Math.abs(document.querySelector('video').currentTime - {end_s / 2}) < 0.05")


def test_a_moment_leads_to_its_place(page, document, talking, tmp_path):
    write_html(document, tmp_path / "report.html", media=[talking])
    opened(page, tmp_path / "report.html")
    button = page.locator(".strip button.goto").first
    button.focus()
    page.keyboard.press("Enter")
    at = float(button.get_attribute("data-at"))
    assert float(page.locator(".seek").get_attribute("aria-valuenow")) == pytest.approx(at, abs=0.06)


def test_a_chosen_file_is_compared_with_the_one_scored(page, document, talking, tmp_path):
    write_html(document, tmp_path / "report.html")
    opened(page, tmp_path / "report.html")
    page.locator("input[type=file]").set_input_files(talking)
    page.get_by_text("This is the file that was scored").wait_for(timeout=30_000)
    other = tmp_path / "other.mp4"
    other.write_bytes(talking.read_bytes() + b"\0")
    page.locator("input[type=file]").set_input_files(other)
    page.get_by_text("This is not the file that was scored").wait_for(timeout=30_000)


def test_the_page_checks_itself_and_notices_a_changed_picture_or_record(page, tmp_path):
    document, path = document_of(explained()), tmp_path / "report.html"
    write_html(document, path)
    opened(page, path).get_by_role("button", name="Check this page").click()
    page.get_by_text("They match: results.json and all 15 pictures").wait_for(timeout=30_000)
    page.evaluate(
        "document.images[0].src = document.images[2].src.slice(0, -8) + 'AAAA' + document.images[2].src.slice(-4)"
    )
    page.get_by_role("button", name="Check this page").click()
    page.get_by_text("1 of 15 pictures are not those recorded.").wait_for(timeout=30_000)
    page.evaluate(
        f"document.getElementById('results').textContent = '{base64.b64encode(gzip.compress(b'{}')).decode()}'"
    )
    page.get_by_role("button", name="Check this page").click()
    page.get_by_text("results.json is not the one recorded").wait_for(timeout=30_000)


def test_the_saved_record_has_the_hash_that_is_stated(page, tmp_path):
    write_html(document_of(explained()), tmp_path / "report.html")
    opened(page, tmp_path / "report.html")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save results.json").click()
    download.value.save_as(tmp_path / "saved.json")
    stated = page.locator("#record-sha256").text_content()
    assert hashlib.sha256((tmp_path / "saved.json").read_bytes()).hexdigest() == stated


def test_it_fits_a_phone_and_prints(page, tmp_path):
    write_html(document_of(explained()), tmp_path / "report.html")
    page.set_viewport_size({"width": 390, "height": 800})
    opened(page, tmp_path / "report.html")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.emulate_media(media="print")
    assert not page.locator(".player, .seek, .controls").filter(visible=True).count()
    assert page.get_by_text("timeline.threshold").is_visible()
