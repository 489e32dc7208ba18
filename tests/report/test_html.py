import base64
import gzip
import hashlib
import json
import re
from itertools import pairwise

import cv2
import numpy as np
import pytest

from hashformer.errors import ConfigError
from hashformer.report.document import to_json
from hashformer.report.html import to_html, write_html
from report.detections import (
    HOSTILE,
    audio_only,
    cannot_tell,
    clear,
    document_of,
    error,
    explained,
    hostile,
    long_file,
    scored,
    three_faces,
    untrained,
)
from report.html_page import Page

RESOURCES = ("src", "href", "xlink:href", "srcset", "data", "action", "poster", "background", "cite", "formaction")


def page_of(*files, **options):
    return Page(to_html(document_of(*files), **options))


def test_page_is_whole_and_self_contained(any_document):
    html = to_html(any_document)
    page = Page(html)
    policy = next(e for e in page.all("meta") if e.attrs.get("http-equiv") == "Content-Security-Policy")
    (script,) = [e for e in page.all("script") if "type" not in e.attrs]
    digest = base64.b64encode(hashlib.sha256("".join(script.texts).encode()).digest()).decode()
    assert policy.attrs["content"] == (
        "default-src 'none'; img-src data:; media-src data: blob:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )
    assert not {"link", "iframe", "object", "embed", "base", "form"} & {e.tag for e in page.elements}
    references = [e.attrs[name] for e in page.elements for name in RESOURCES if name in e.attrs]
    assert all(reference.startswith(("#", "data:image/jpeg;base64,")) for reference in references)
    assert "http:" not in html.replace("http-equiv", "")
    assert "https:" not in html
    assert "url(" not in re.sub(r"url\(#[^)]*\)", "", html)
    assert "@import" not in html
    assert not any(name.startswith("on") for e in page.elements for name in e.attrs)


def test_page_can_be_navigated_without_eyes(mixed_document):
    page = Page(to_html(mixed_document))
    assert page.one("html").attrs["lang"] == "en"
    assert len(page.all("main")) == len(page.all("h1")) == 1
    levels = [int(e.tag[1]) for e in page.elements if re.fullmatch("h[1-6]", e.tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(e.attrs.get("alt") for e in page.all("img"))
    assert all(e.attrs.get("scope") in {"col", "row"} and e.text for e in page.all("th"))
    ids = [e.attrs["id"] for e in page.elements if "id" in e.attrs]
    assert len(ids) == len(set(ids))
    named = [e.attrs["aria-labelledby"] for e in page.elements if "aria-labelledby" in e.attrs]
    links = [e.attrs["href"].removeprefix("#") for e in page.all("a")]
    assert set(named) | set(links) <= set(ids)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (scored(), "Likely fake"),
        (clear(), "No sign of forgery found"),
        (cannot_tell(), "Cannot tell"),
        (error(), "Could not be read"),
        (audio_only(), "Likely fake"),
        (untrained(), "No verdict: untrained weights"),
    ],
)
def test_verdict_is_in_words(file, words):
    assert page_of(file).one("p", class_="words").text == words


def test_untrained_weights_are_unmistakable_and_give_no_verdict():
    page = page_of(untrained())
    assert page.one("h2", id="untrained").text == "These weights are not trained: the scores mean nothing"
    assert "All files" in page.one(class_="notice").text
    for words in ("Likely fake", "No sign of forgery", "Suspect stretch", "Most suspect"):
        assert words not in page.one("article", class_="file").text
    assert not page.all(class_="high")
    assert "1 of 2 files" in page_of(untrained(), scored()).one(class_="notice").text
    assert page_of(scored(weights=None)).all(class_="notice")
    assert not page_of(scored(), error()).all(class_="notice")


def test_scores_name_what_was_not_judged():
    rows = [e.text for e in page_of(clear()).all("tr") if e.inside("table")]
    assert any(row.startswith("Sound") and row.endswith("not judged") for row in rows)
    assert any(row.startswith("Picture How") and row.endswith("0.08") for row in rows)


def test_segments_say_when_what_and_whose():
    page = page_of(three_faces())
    rows = [e.text for e in page.all("tr")]
    assert "0:08.0–0:14.0 Picture Face 1 0.97" in rows
    assert any("no face: the sound" in e.text for e in page_of(audio_only()).all("tr"))
    assert "None: no stretch" in page_of(clear()).one("main").text


def test_faces_have_cards_with_their_reasons_and_pictures():
    page = page_of(three_faces())
    cards = page.all("article", class_="face")
    assert [card.text.split(" ")[1] for card in cards] == ["1", "2", "3"]
    assert "face too small: 31 px" in cards[2].text
    assert "not found on 3 of 480 frames" in cards[0].text
    images = page.all("img")
    assert images[1].attrs["alt"] == "Face 1 at 0:01.5, score 0.89"
    for image in images:
        data = base64.b64decode(image.attrs["src"].split(",", 1)[1], validate=True)
        assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (112, 112, 3)


def test_chain_of_custody_is_complete():
    text = page_of(scored()).one("main").text
    for fact in (
        "ab" * 32, "5e" * 32, "7\u202f654\u202f321 bytes (7.7 MB)", "h264, 1280 × 720, 29.97 fps, rotated 90°",
        "aac, 44100 Hz, 2 channels", "2026-01-02 03:04:05 UTC", "torch", "mediapipe", "decode 1.23",
        "timeline.threshold 0.5", "faces.min_detection_score 0.5", "model.",
    ):  # fmt: skip
        assert fact in text, fact
    assert "not taken: the file could not be read" in page_of(error()).one("main").text


def test_warnings_stand_above_the_scores():
    text = page_of(three_faces()).one("main").text
    assert text.index("Sound is 1.8 s shorter") < text.index("What was judged")


def test_hostile_names_stay_text():
    html = to_html(document_of(hostile(), scored()), title="<b>'\"")
    page = Page(html)
    assert "b>" not in {e.tag for e in page.elements}
    assert len(page.all("script")) == 2
    assert "src=x" not in "".join(text for e in page.all("script") for text in e.texts)
    assert page.one("h1").text == "<b>'\""
    assert page.all("p", class_="path")[0].text == HOSTILE.replace("\u202e", "\\u202e")
    assert page.all("p", class_="reason")[0].text == "</style><script src=x> 'and' \"onerror=\" {{ 7 * 7 }}\\n"
    assert "\u202e" not in html
    assert len(page.all("svg")) == 2
    assert next(e.text for e in page.all("li")) == "<img src=x onerror=alert(1)>"


def test_several_files_have_an_index_in_the_order_given(mixed_document):
    page = Page(to_html(mixed_document))
    links = [e for e in page.all("a") if e.inside("nav")]
    assert [e.attrs["href"] for e in links] == [f"#file-{i}" for i in range(1, len(mixed_document.files) + 1)]
    assert links[0].text == "/uploads/interview.mp4"
    assert len(page.all("article", class_="file")) == len(mixed_document.files)
    assert not page_of(scored()).all("nav")


def test_a_long_file_gives_a_page_of_moderate_size():
    assert len(to_html(document_of(long_file()))) < 1_500_000


def test_page_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out" / "report ü.html"
    document = document_of(scored())
    write_html(document, path, title="Two")
    assert path.read_text(encoding="utf-8") == to_html(document, title="Two")
    with pytest.raises(ConfigError):
        write_html(document_of(scored(), settings={}), path)
    assert [entry.name for entry in path.parent.iterdir()] == ["report ü.html"]


def test_no_files_is_a_page_too():
    assert "0 files" in page_of().one("header").text


def test_the_page_holds_the_record_whose_hash_it_states(any_document):
    page = Page(to_html(any_document))
    packed = page.one("script", id="results").text
    record = gzip.decompress(base64.b64decode(packed, validate=True))
    assert record.decode() == to_json(any_document)
    assert page.one("code", id="record-sha256").text == hashlib.sha256(record).hexdigest()


def test_every_picture_of_an_explained_file_is_in_the_record():
    document = document_of(explained())
    record = to_json(document)
    images = Page(to_html(document)).all("img")
    assert len(images) == 15
    for image in images:
        data = base64.b64decode(image.attrs["src"].split(",", 1)[1], validate=True)
        assert hashlib.sha256(data).hexdigest() in record


def test_maps_stand_beside_what_they_lie_over_with_their_check():
    page = page_of(explained())
    assert len(page.all("article", class_="suspect")) == 2
    text = page.all("article", class_="suspect")[0].text
    assert text.startswith("0:09.0–0:10.0, face 1 Score 0.91")
    assert "The score rests on the marked region: hiding the marked region changes the score by −0.32" in text
    assert "This map explains nothing: hiding the marked region changes the score by −0.01" in text
    assert not page_of(scored()).all("article", class_="suspect")


def test_most_and_least_suspect_moments_are_told_apart():
    card = page_of(explained()).one("article", class_="face")
    assert "Most suspect moments, time and score" in card.text
    assert "Least suspect moments, time and score" in card.text
    assert len(page_of(explained()).all("ul", class_="strip")) == 2
    assert len(page_of(scored()).all("ul", class_="strip")) == 1


def test_error_rates_are_stated_or_said_to_be_unknown():
    text = page_of(explained()).one("main").text
    assert "5.0 % of 40" in text
    assert "not known" in text
    assert "too few files to tell" in text
    assert "calibrated probability that it is fake" in text
    assert "At most 10 % of the real files that the weights were tuned on score as high." in text
    assert "Nothing is recorded of how often these weights err." in page_of(scored()).one("main").text


def test_the_timeline_can_be_used_by_key_and_by_ear():
    page = page_of(scored())
    slider = page.one("div", role="slider")
    assert slider.attrs["tabindex"] == "0"
    assert slider.attrs["aria-label"]
    assert (slider.attrs["aria-valuemin"], slider.attrs["aria-valuemax"]) == ("0", "30.0")
    points = json.loads(slider.attrs["data-points"])
    assert len(points) == 30
    assert points[20] == [20, 21, None, None, None, None]
    assert json.loads(slider.attrs["data-names"]) == ["All together", "Picture", "Sound", "Picture with sound"]
    assert all("disabled" in e.attrs for e in page.all("button", class_="goto")), "the script turns them on"
