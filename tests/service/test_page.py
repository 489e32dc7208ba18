"""The page in a real browser, at a real server: from the upload to the report, and what goes wrong on the way."""

import hashlib
import json
import os
import signal

import pytest

from page_browser import chromium, visitor, wait_until
from service_process import Server, until

KEY = "a-key-that-opens-the-service"


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def running(browser, tmp_path_factory, finder):
    """One server for all tests of this file; each leaves it idle."""
    server = Server(tmp_path_factory.mktemp("service") / "work", max_queue=2).wait_ready()
    yield server
    assert server.stop() == 0


@pytest.fixture
def page(browser, running):
    with visitor(browser, running.address) as found:
        found.goto("/")
        yield found


def row(page, name):
    return page.locator(".job", has_text=name)


def wait_for(page, name, words):
    row(page, name).locator(".state", has_text=words).wait_for()


def shown_id(page):
    return page.evaluate("wanted()")


def test_from_upload_to_report(running, page, talking):
    page.set_input_files("#choose", talking)
    page.locator("#result .file").wait_for()
    told = page.locator("#told").inner_text()
    assert "talking.mp4: Uploading" in told
    assert "talking.mp4: No verdict: untrained weights" in told
    (file,) = running.job(shown_id(page))["result"]["files"]
    result = page.locator("#result")
    assert result.locator(".verdict .words").inner_text() == "No verdict: untrained weights"
    assert float(result.locator(".big").inner_text()) == pytest.approx(file["score"], abs=0.006)
    assert page.locator("#untrained").is_visible()
    assert file["sha256"] in result.inner_text()
    assert result.locator(".face").count() == len(file["tracks"]) == 1
    pictures = result.locator(".strip img")
    pictures.first.wait_for()
    assert pictures.count() == len(file["tracks"][0]["thumbnails"])
    assert pictures.first.evaluate("async (img) => { await img.decode(); return img.naturalWidth; }") > 0

    with page.expect_popup() as popup:
        result.get_by_role("link", name="Open the report").click()
    report = popup.value
    assert file["sha256"] in report.locator("body").inner_text()
    recorded = report.locator("#record-sha256").inner_text()
    assert report.evaluate("document.documentElement.classList.contains('live')"), "the report's script did not run"
    report.close()
    with page.expect_download() as download:
        result.get_by_role("button", name="Save the JSON").click()
    saved = download.value.path().read_bytes()
    assert download.value.suggested_filename == "talking.json"
    assert hashlib.sha256(saved).hexdigest() == recorded
    assert json.loads(saved) == running.job(shown_id(page))["result"]
    with page.expect_download() as download:
        result.get_by_role("button", name="Save the report").click()
    assert recorded in download.value.path().read_text(encoding="utf-8")


def test_the_player_goes_along_with_the_timeline(page, talking):
    page.set_input_files("#choose", talking)
    video = page.locator("#result video")
    video.wait_for()
    assert video.get_attribute("src").startswith("blob:"), "the file must not come from the service"
    wait_until(page, "document.querySelector('#result video').readyState > 0")
    seek = page.get_by_role("slider", name="Place in the file")
    end_s = float(seek.get_attribute("aria-valuemax"))
    seek.click()
    assert float(seek.get_attribute("aria-valuenow")) == pytest.approx(end_s / 2, abs=0.1)
    assert video.evaluate("(video) => video.currentTime") == pytest.approx(end_s / 2, abs=0.1)
    assert page.locator(".readout").inner_text() == seek.get_attribute("aria-valuetext")
    video.evaluate("(video) => { video.currentTime = 0.25; }")
    wait_until(page, "document.querySelector('.seek').getAttribute('aria-valuetext').startsWith('0:00.2')")


def test_bad_files_are_named_with_the_reason(running, page, no_film, tmp_path):
    empty, text = tmp_path / "empty.mp4", tmp_path / "notes.txt"
    empty.write_bytes(b"")
    text.write_text("no film")
    page.set_input_files("#choose", [no_film, empty, text])
    wait_for(page, "bad.mp4", "Could not be read: is not a video or sound file")
    wait_for(page, "empty.mp4", "Empty: the file has 0 bytes")
    wait_for(page, "notes.txt", "Not a video or sound file: neither the name nor the type")
    assert page.locator("#result").inner_text() == ""
    assert "bad.mp4: Could not be read" in page.locator("#told").inner_text()
    row(page, "bad.mp4").get_by_role("button", name="Remove").click()
    row(page, "bad.mp4").wait_for(state="detached")
    assert page.evaluate("document.activeElement.id") == "files-title"


def tab_to(page, selector):
    """Go on with the Tab key alone until the focus is there."""
    for _ in range(60):
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never comes to {selector}")


def chooser_by_key(page):
    """The chooser that Enter opens. On a busy machine the key's right to open one can run out before it is used."""
    from playwright.sync_api import TimeoutError as NoChooser

    for _ in range(12):
        try:
            with page.expect_file_chooser(timeout=10_000) as chooser:
                page.keyboard.press("Enter")
        except NoChooser:
            continue
        return chooser.value
    raise AssertionError("Enter opens no file chooser")


def test_with_the_keyboard_alone(running, page, talking):
    tab_to(page, "#choose")
    chooser_by_key(page).set_files(talking)
    wait_for(page, "talking.mp4", "No verdict")
    tab_to(page, "[data-act=show]")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "result-name"
    tab_to(page, ".seek")
    for key, now_s in (("ArrowRight", 1), ("End", 2), ("ArrowLeft", 1), ("Home", 0), ("PageUp", 2)):
        page.keyboard.press(key)
        # Sound may end a little after the picture, and the player goes no further than it can play.
        assert float(page.locator(".seek").get_attribute("aria-valuenow")) == pytest.approx(now_s, abs=0.15)
    page.keyboard.press("Home")
    page.keyboard.press(" ")
    wait_until(page, "document.querySelector('#result video').currentTime > 0")
    job_id = shown_id(page)
    page.on("dialog", lambda dialog: dialog.accept())
    page.evaluate("document.querySelector('#files-title').focus()")
    tab_to(page, "#result [data-act=erase]")
    page.keyboard.press("Enter")
    row(page, "talking.mp4").wait_for(state="detached")
    assert running.client.get(f"/v1/detections/{job_id}").status_code == 404
    assert page.evaluate("document.activeElement.id") == "choose", "the focus must not be lost with what was erased"


def test_two_files_at_once_survive_a_reload(page, talking, voice):
    page.set_input_files("#choose", [talking, voice])
    for name in ("talking.mp4", "voice.wav"):
        wait_for(page, name, "No verdict")
    row(page, "voice.wav").get_by_role("button", name="Show result of voice.wav").click()
    assert page.locator("#result-name").inner_text() == "voice.wav"
    assert page.locator("#result audio").count() == 1
    page.reload()
    page.locator("#result-name", has_text="voice.wav").wait_for()
    assert page.locator(".job").count() == 2
    assert page.locator("#result audio").count() == 0
    page.get_by_label("Open the file to play it along").set_input_files(talking)
    page.get_by_text("This is not the file that was scored").wait_for()
    page.get_by_label("Open the file to play it along").set_input_files(voice)
    page.get_by_text("This is the file that was scored").wait_for()
    row(page, "talking.mp4").get_by_role("button", name="Show result").click()
    assert page.locator("#result-name").inner_text() == "talking.mp4"
    page.go_back()
    page.locator("#result-name", has_text="voice.wav").wait_for()


def test_a_full_queue_is_said_and_waited_for(running, page, voice, tmp_path):
    files = [tmp_path / f"{number}.wav" for number in range(4)]
    for file in files:
        file.write_bytes(voice.read_bytes())
    worker = running.freeze()
    page.set_input_files("#choose", files[:1])
    wait_for(page, "0.wav", "Being judged")
    page.set_input_files("#choose", files[1:])
    wait_for(page, "1.wav", "In the queue: next")
    wait_for(page, "2.wav", "In the queue, place 2")
    wait_for(page, "3.wav", "The service is busy: 2 files wait already")
    wait_for(page, "3.wav", "The next try is in")
    row(page, "1.wav").get_by_role("button", name="Cancel").click()
    row(page, "1.wav").wait_for(state="detached")
    wait_for(page, "3.wav", "In the queue, place 2")
    os.kill(worker, signal.SIGCONT)
    for name in ("0.wav", "2.wav", "3.wav"):
        wait_for(page, name, "No verdict")
    assert row(page, "1.wav").count() == 0, "what was cancelled does not come back"


@pytest.mark.slow
def test_a_key_is_asked_for_and_a_lost_service_is_said(browser, server, voice):
    closed = server(api_keys=KEY)
    until(lambda: closed.client.get("/healthz").status_code in (200, 503))
    with visitor(browser, closed.address) as page:
        page.goto("/")
        field = page.get_by_role("textbox", name="API key")
        field.wait_for()
        page.set_input_files("#choose", voice)
        wait_for(page, "voice.wav", "An API key is needed")
        field.fill("a-key-that-opens-nothing")
        field.press("Enter")
        page.get_by_text("The service does not know this key.").wait_for()
        page.evaluate("look()")  # as the page does each second while the service starts
        assert page.get_by_text("The service does not know this key.").is_visible()
        assert page.evaluate("document.activeElement.id") == "key-input"
        field.fill(KEY)
        field.press("Enter")
        wait_for(page, "voice.wav", "No verdict")
        assert not field.is_visible()
        assert page.evaluate("Object.values(localStorage).length") == 0
        result = page.locator("#result")
        assert not result.get_by_role("link", name="Open the report").is_visible(), "a link carries no key"
        with page.expect_download() as download:
            result.get_by_role("button", name="Save the report").click()
        assert "voice.wav" in download.value.path().read_text(encoding="utf-8")
        page.reload()
        page.locator("#result-name", has_text="voice.wav").wait_for()
        closed.kill()
        row(page, "voice.wav").get_by_role("button", name="Erase").click()
        page.get_by_text("The service does not answer").wait_for()
        assert row(page, "voice.wav").is_visible()
