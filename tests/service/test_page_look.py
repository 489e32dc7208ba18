"""What the page shows of answers of every kind, in a real browser: words, colours, narrow screens, hostile names."""

import json
from contextlib import ExitStack
from itertools import pairwise

import pytest

from hashformer.config import Config
from hashformer.report import rests_on, wording
from hashformer.report.document import make_document, to_json
from hashformer.report.html import to_html
from hashformer.results import ErrorRate, WeightsCard
from hashformer.service.pages import page_policy, read_page
from page_browser import CUT, NAMELESS, PALE, chromium, visitor, wait_until
from report import detections

ADDRESS = "http://hashformer.test"
ID = "0123456789abcdef" * 2
CARD = WeightsCard(
    calibrated=True,
    thresholds={"0.05": 0.62, "0.01": 0.9, "0.001": 1.5},
    error_rates=[ErrorRate(input="picture", data="x", threshold=0.5, n_real=9, n_fake=9, false_positive_rate=0.1)],
)
NO_PICTURES = {"body": "<!DOCTYPE html>", "content_type": "text/html"}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture
def visit(browser):
    """Open the page at a service that has judged one file: `visit(detection)` gives the page."""

    def opened(file, *, report=None, name=None, **options):
        page = visits.enter_context(visitor(browser, ADDRESS, **options))
        page.route("**/*", lambda route: answer(route, file, report, name))
        page.goto(f"/#job={ID}")
        page.locator("#result .file").wait_for()
        return page

    with ExitStack() as visits:
        yield opened


def answer(route, file, report, name):
    """Answer as the service does."""
    path = route.request.url.removeprefix(ADDRESS).split("#")[0]
    document = make_document([file], settings=Config().model_dump(mode="json"))
    if path == "/":
        html = read_page()
        route.fulfill(body=html, content_type="text/html", headers={"Content-Security-Policy": page_policy(html)})
    elif path == "/healthz":
        weights = file.weights and file.weights.model_dump()
        limits = {"max_upload_bytes": 10**6, "max_duration_s": 90.0, "keep_s": 86_400.0, "needs_key": False}
        route.fulfill(json={"status": "ready", "version": "1", "weights": weights, "limits": limits})
    elif path.endswith("/report"):
        route.fulfill(**(report or {"body": to_html(document), "content_type": "text/html"}))
    else:
        status = 202 if route.request.method == "POST" else 200
        route.fulfill(status=status, json=job(document, name or file.path.rsplit("/", maxsplit=1)[-1]))


def job(document, name):
    moments = dict.fromkeys(("created", "started", "finished", "expires"), "2026-01-31T09:30:00+00:00")
    state = {"state": "done", "progress": 1.0, "position": None, "size_bytes": 7_654_321, "error": None}
    return {"id": ID, "file": name, **state, **moments, "result": json.loads(to_json(document))}


KINDS = (
    detections.scored,
    detections.clear,
    detections.cannot_tell,
    detections.audio_only,
    detections.hostile,
    detections.untrained,
)


@pytest.mark.parametrize("kind", KINDS)
def test_the_verdict_is_that_of_the_report(visit, kind):
    file = kind()
    page = visit(file)
    said = wording.verdict(file, 0.5)
    box = page.locator(".verdict")
    assert said.kind in box.get_attribute("class")
    assert box.locator(".words").inner_text() == said.words
    assert said.meaning in box.inner_text()
    assert box.locator(".reason").text_content() == (file.reason or "")
    assert page.locator("#result .warnings li").all_inner_texts() == file.warnings
    assert page.locator("#untrained").is_visible() == (not file.weights.trained)
    shown = page.locator("#result .big")
    assert shown.all_inner_texts() == ([] if file.score is None else [wording.score_text(file.score, 0.5)])


def test_words_and_numbers_are_those_of_the_report(visit):
    page = visit(detections.scored())
    assert page.evaluate("SCORE_NAMES") == wording.SCORE_NAMES
    assert page.evaluate("SCORE_MEANINGS") == wording.SCORE_MEANINGS
    assert page.evaluate("NOT_JUDGED") == wording.NOT_JUDGED
    for score in (None, 0.0, 0.123, 0.4999, 0.499_999, 0.4999999, 0.5, 0.996, 1.0):
        assert page.evaluate("(score) => scoreText(score, 0.5)", score) == wording.score_text(score, 0.5)
    for time_s in (0, 0.04, 0.25, 0.35, 9.96, 59.95, 60.0, 61.5, 3599.99, 6000.0):
        assert page.evaluate("clock", time_s) == wording.clock(time_s)
        assert page.evaluate("axisClock", time_s) == wording.axis_clock(time_s)
    error = detections.error()
    assert page.evaluate("(file) => verdict(file, 0.5).words", error.model_dump()) == wording.verdict(error, 0.5).words
    for card in (None, CARD, CARD.model_copy(update={"calibrated": False})):
        for score in (0.3, 0.62, 0.95):
            file = detections.scored(score=score, card=card)
            shown = {"score": score, "card": card and card.model_dump(mode="json")}
            assert page.evaluate("howUnusual", shown) == (rests_on.how_unusual(file) or "")
            assert page.evaluate("(file) => scoreName(file.card)", shown) == rests_on.score_name(card)


def test_the_timeline_breaks_where_nothing_was_judged(visit):
    page = visit(detections.three_faces())
    whole = page.locator(".timeline .plot")
    assert whole.locator(".curve").count() == 4
    assert whole.locator(".curve.overall").get_attribute("d").count("M") == 2
    assert whole.locator(".suspect").count() == 1, "overlapping stretches are drawn as one"
    assert page.locator("#face-1 .plot .suspect").count() == 1
    assert page.locator("#face-2 .plot .suspect").count() == 0
    assert page.locator("#face-3 .plot").count() == 0
    assert page.locator("#face-3 header").text_content() == "Face 3Cannot tell"
    page.locator(".segments .goto.time").nth(1).click()
    assert page.locator(".seek").get_attribute("aria-valuetext").startswith("0:09.0: All together 0.")
    page.evaluate("view.place.go(21)")
    assert page.locator(".readout").inner_text() == "0:21.0: nothing judged"
    page.locator(".segments").get_by_role("button", name="Face 1").first.click()
    assert page.evaluate("document.activeElement.id") == "face-1"
    assert page.evaluate("wanted()") == ID, "the address must go on to name the job"


def test_an_hour_is_thinned_out_by_its_highest_scores(visit):
    page = visit(detections.long_file(), report=NO_PICTURES)
    binned = page.evaluate("pool(view.entry.job.result.files[0].timeline, 8)")
    seconds = detections.long_file().timeline
    assert len(binned) == 750
    assert binned[500]["overall"] == max(second.overall for second in seconds[4000:4008])
    assert binned[380]["overall"] is None, "3040 to 3048 s was not judged"


def test_strips_show_the_pictures_of_the_report_or_say_why_not(visit):
    page = visit(detections.three_faces())
    page.locator("#face-2 .strip img").first.wait_for()
    assert page.locator("#face-1 .strip img").count() == 4
    assert page.locator("#face-1 .strip img").first.get_attribute("alt") == "Face 1 at 0:00.0, score 0.90"
    refused = {
        "status": 503,
        "json": {"detail": {"code": "storage_unavailable", "message": "the work folder is gone."}},
    }
    page = visit(detections.three_faces(), report=refused)
    page.get_by_text("could not be fetched: the work folder is gone. They are in the report.").wait_for()


def test_names_and_words_from_outside_stay_text(visit):
    page = visit(detections.hostile(), name="<img src=x onerror=alert(1)>.mp4")
    page.on("dialog", lambda _: pytest.fail("a script of the file's name ran"))
    assert page.locator("#result-name").inner_text() == "<img src=x onerror=alert(1)>.mp4"
    assert page.locator("[src=x], [onerror], [onload]").count() == 0
    assert page.evaluate("visible('a\\u202egnp.mp4\\u0000')") == "agnp.mp4"


@pytest.mark.parametrize("kind", [detections.three_faces, detections.long_file, detections.hostile])
def test_a_phone_shows_all_without_scrolling_sideways(visit, kind):
    report = NO_PICTURES if kind is detections.long_file else None
    page = visit(kind(), report=report, viewport=PHONE, name="a-name-without-any-place-to-break-it-" * 3 + ".mp4")
    assert page.evaluate(CUT) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize(
    "kind", [detections.three_faces, detections.cannot_tell, detections.clear, detections.untrained]
)
def test_all_text_stands_out_by_day_and_night(visit, kind):
    page = visit(kind())
    page.evaluate("handIn([new File([], 'empty.mp4')]); needKey(null); trouble('The service does not answer.')")
    for scheme, ground in (("light", "rgb(244, 246, 248)"), ("dark", "rgb(18, 23, 29)")):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == ground
        found = page.evaluate(PALE)
        assert found["seen"] > 60
        assert found["pale"] == []


def test_everything_has_a_name_and_a_place(visit):
    page = visit(detections.three_faces())
    page.evaluate("needKey(null)")
    assert page.evaluate(NAMELESS) == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))
    levels = page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3, h4')].filter((e) => e.checkVisibility()).map((e) => +e.tagName[1])"
    )
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.title() == "Likely fake: talk show.mkv – HashFormer"
    for part in ("banner", "main", "contentinfo", "slider"):
        assert page.get_by_role(part).count() == 1


def test_nothing_moves_for_those_who_want_it_still(visit):
    moves = "[getComputedStyle(document.documentElement).scrollBehavior, document.getAnimations().length]"
    assert visit(detections.scored()).evaluate(moves) == ["smooth", 0]
    assert visit(detections.scored(), reduced_motion="reduce").evaluate(moves) == ["auto", 0]


def test_files_are_dropped_anywhere_and_large_ones_not_sent(visit):
    page = visit(detections.scored())
    sent = []
    page.on("request", lambda request: request.method == "POST" and sent.append(request.url))
    page.evaluate("""() => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(1_000_001)], "large.mp4"));
      data.items.add(new File(["x"], "small.mp4"));
      document.body.dispatchEvent(new DragEvent("dragover", { dataTransfer: data, bubbles: true, cancelable: true }));
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
    }""")
    words = "Too large: the file has 1000001 bytes, the service takes up to 1000000 bytes."
    page.locator("#jobs .state", has_text=words).wait_for()
    page.locator(".job").nth(2).wait_for()
    wait_until(page, "entries.every(isOver)")
    assert len(sent) == 1
