"""The page, JSON and CSV of an evaluation."""

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluate.score_tables import failed, row, scored, table
from hashformer.errors import EvaluationError
from hashformer.evaluate import curves
from hashformer.evaluate.measure import Resampling
from hashformer.evaluate.metrics import METRICS, roc_auc
from hashformer.evaluate.summary import summarise, write_metrics
from hashformer.report.study import cell_text, to_csv, to_html, to_json, write_study
from hashformer.report.study_axes import interval_text
from hashformer.report.study_curves import curve_points, draw_curves, thinned
from hashformer.report.study_parts import Mistake, Robustness, ScoreSet, Table
from hashformer.report.study_plots import MAX_BARS, draw_bars, draw_robustness
from hashformer.report.study_source import read_study, worst_mistakes
from hashformer.results import WeightsInfo
from report.html_page import Page
from report.study_sample import NO_ENDS, UNKNOWN, known, score_set, study, tables, thumbnail


@pytest.fixture(scope="module")
def html():
    return to_html(study())


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_the_page_has_every_part(page):
    headings = [heading.text for heading in page.all("h2")]
    assert headings == [
        "At a glance", "Curves", "Metrics", "By method", "Coverage", "Robustness", "The worst mistakes", "Record",
    ]  # fmt: skip
    drawn = [heading.text for heading in page.all("h3") if heading.inside("figure")]
    assert drawn == ["ROC", "Precision and recall", "DET", "Reliability", "Scores"]
    assert len(page.all("svg")) == 5 + 1 + 1
    assert len(page.all("img")) == 4


def test_the_page_asks_nothing_of_the_network(html, page):
    assert not re.search(r"(?:src|href)=\"(?!data:image/|#)", html)
    assert not page.all("script")
    assert "url(" not in html.replace("url(#", "")
    (policy,) = [meta for meta in page.all("meta") if "default-src" in meta.attrs.get("content", "")]
    assert policy.attrs["content"].startswith("default-src 'none'")
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_the_record_is_whole(page):
    text = page.one("section", class_="record").text
    made = study()
    for part in (
        made.command,
        made.manifest_sha256,
        made.weights.sha256,
        "Seed of intervals 0",
        "numpy 2.0",
        "clip.fps",
    ):
        assert part in text


def test_numbers_stand_with_their_intervals_or_reasons(page):
    rows = {r.texts and re.sub(r"\s+", " ", r.text).strip() for r in page.all("tr")}
    assert any("AUC 0.910 [0.880, 0.940] 0.910 [0.830, 0.990] 0.860 [0.830, 0.890]" in r for r in rows)
    assert any("text to speech 7 undefined: all 7 samples are fake" in r for r in rows)
    assert any("perfectly found 12 1.000 no interval" in r for r in rows)


def test_a_reason_is_told_once_in_a_row():
    row_of_three = (("x", UNKNOWN, UNKNOWN, known(0.5)),)
    made = study(tables=(Table("t", "T", ("a", "b", "c", "d"), row_of_three),), score_sets=(), robustness=())
    cells = [cell.text for cell in Page(to_html(made)).all("td")][:3]
    assert cells == [f"undefined: {UNKNOWN.reason}", "undefined", "0.500 [0.470, 0.530]"]


def test_untrained_weights_are_said_to_mean_nothing():
    made = study(weights=WeightsInfo(name="tiny", sha256="0d" * 32, trained=False), score_sets=(), robustness=())
    page = Page(to_html(made))
    assert "not trained" in page.one("section", class_="notice").text
    assert "void" in page.one("main").attrs["class"]


def test_hostile_names_are_text():
    name = "<script>alert(1)</script>\u202e$\\frac{$gpj.mp4"
    made = study(
        title=name,
        score_sets=(replace(score_set("x", "overall", n=30), name=name),),
        robustness=(Robustness(name, "AUC", (0,), (known(0.9),)),),
        mistakes=(Mistake(path=name, label=1, score=0.1, method=name),),
        tables=(Table("methods", name, (name, "AUC"), ((name, known(0.9)),), note=name, bars=1),),
        protocol={name: name},
        warnings=(name,),
        command=name,
    )
    html = to_html(made)
    assert "<script" not in html
    assert "\u202e" not in html
    assert html.count("&lt;script&gt;") >= 8


def test_a_bare_study_has_no_empty_parts():
    page = Page(to_html(study(score_sets=(), tables=(), robustness=(), mistakes=(), warnings=())))
    assert [heading.text for heading in page.all("h2")] == ["At a glance", "Record"]
    assert not page.all("svg")


def test_the_same_study_is_the_same_bytes(html):
    assert to_html(study()) == html
    assert to_json(study()) == to_json(study())


def test_files_are_written_side_by_side(tmp_path):
    made = study()
    assert write_study(made, tmp_path / "out") == tmp_path / "out" / "study.html"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["study.csv", "study.html", "study.json"]


def test_json_holds_every_number_and_no_picture():
    made = study()
    text = to_json(made)
    document = json.loads(text)
    assert "data:image" not in text
    assert document["tables"]["metrics"]["rows"][0]["Files"] == {
        "value": 0.91, "low": 0.88, "high": 0.9400000000000001, "n": 100, "reason": "", "n_groups": 100,
    }  # fmt: skip
    assert document["tables"]["methods"]["rows"][2]["AUC"]["value"] is None
    assert document["headline"]["Files scored"] == "191 of 200"
    assert len(document["robustness"]) == 5
    assert document["robustness"][0]["values"][5]["value"] == pytest.approx(0.63)
    assert [one["path"] for one in document["mistakes"]] == [one.path for one in made.mistakes]
    curve = document["curves"]["Files, all together"]["roc"]
    exact = roc_auc(made.score_sets[0].labels, made.score_sets[0].scores).value
    assert np.trapezoid(curve["tpr"], curve["fpr"]) == pytest.approx(exact, abs=0.003)
    for key in ("command", "versions", "seeds", "manifest_sha256", "settings", "weights"):
        assert document[key] == json.loads(json.dumps(getattr(made, key), default=lambda w: w.model_dump()))


def test_csv_has_a_line_for_each_number():
    rows = list(csv.DictReader(io.StringIO(to_csv(study()))))
    lines = {(r["table"], r["row"], r["column"]): r for r in rows}
    assert len(lines) == len(rows)
    assert float(lines["metrics", "AUC", "Clips"]["value"]) == 0.86
    assert float(lines["methods", "lip sync", "AUC"]["low"]) == pytest.approx(0.65)
    undefined = lines["methods", "text to speech", "AUC"]
    assert (undefined["value"], undefined["reason"]) == ("", UNKNOWN.reason)
    assert lines["coverage", "no face", "Fake"]["value"] == "5"
    assert float(lines["robustness", "gaussian blur, level 5", "Value"]["value"]) == pytest.approx(0.63)


def test_a_set_of_one_class_is_named_not_drawn():
    one_class = ScoreSet(
        name="Files, sound", head="audio", whole_files=True, labels=np.ones(7, dtype=int), scores=np.full(7, 0.4),
        auc=UNKNOWN,
    )  # fmt: skip
    drawings = {d.title: d for d in draw_curves([score_set("Files, all together", "overall", n=50), one_class])}
    assert list(drawings) == ["ROC", "Precision and recall", "DET", "Reliability", "Scores"]
    for title in ("ROC", "Precision and recall", "DET"):
        assert "Not drawn: Files, sound (all 7 samples are fake" in drawings[title].caption
    assert [d.title for d in draw_curves([one_class])] == ["Reliability", "Scores"]
    assert draw_curves([]) == []
    assert dict(curve_points(one_class)) == {}


def test_the_legend_states_the_area_with_its_interval():
    one = score_set("Files, all together", "overall")
    assert f"Files, all together: {interval_text(one.auc)}" in draw_curves([one])[0].svg


def test_thinning_keeps_the_ends_and_the_shape():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 50_000)
    curve = curves.roc(labels, rng.normal(size=50_000) + labels)
    x, y = thinned(curve.fpr, curve.tpr)
    assert len(x) < 1100
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert np.abs(np.interp(curve.fpr, x, y) - curve.tpr).max() < 0.004


def test_bars_leave_out_what_is_undefined_and_say_so():
    bars = draw_bars(tables()[1])
    assert "1 of 4 are not drawn" in bars.caption
    assert "lip sync" in bars.svg
    assert "text to speech" not in bars.svg
    assert draw_bars(tables()[0]) is None
    assert draw_bars(Table("t", "T", ("a", "b"), (("x", UNKNOWN),), bars=1)) is None
    many = Table("t", "T", ("a", "b"), tuple((f"kind {i}", known(0.8)) for i in range(MAX_BARS + 5)), bars=1)
    assert f"5 of {MAX_BARS + 5} are not drawn" in draw_bars(many).caption


def test_robustness_has_a_panel_for_each_kind():
    drawing = draw_robustness(study().robustness)
    for kind in study().robustness:
        assert kind.kind in drawing.svg
    assert draw_robustness(()) is None
    gap = Robustness("jpeg", "AUC", (0, 1, 2), (known(0.9), UNKNOWN, known(0.7)), ("none", "quality 90", "quality 70"))
    assert "jpeg" in draw_robustness([gap]).svg
    assert "quality 90" in to_csv(study(robustness=(gap,)))


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(EvaluationError, match=r"rows \['x'\] do not have 2 cells"):
        Table("t", "T", ("a", "b"), (("x", 1, 2),))
    with pytest.raises(EvaluationError, match="bars must be a column from 1 to 1"):
        Table("t", "T", ("a", "b"), (), bars=2)
    with pytest.raises(EvaluationError, match="3 levels need as many"):
        Robustness("blur", "AUC", (0, 1, 2), (known(0.9),))
    with pytest.raises(EvaluationError, match=r"got 'https://example\.org"):
        Mistake(path="a.mp4", label=1, score=0.1, thumbnail="https://example.org/a.png")
    with pytest.raises(EvaluationError, match="in 0–1"):
        ScoreSet(name="x", head="overall", whole_files=True, labels=np.array([0, 1]), scores=np.array([-3.0, 4.0]),
                 auc=UNKNOWN)  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "text"),
    [(known(0.5), "0.500 [0.470, 0.530]"), (UNKNOWN, f"undefined: {UNKNOWN.reason}"), (NO_ENDS, "1.000"),
     (None, "–"), (3, "3"), (0.25, "0.250"), ("no face", "no face")],
)  # fmt: skip
def test_cells_for_the_eye(cell, text):
    assert cell_text(cell) == text


def corpus():
    rng = np.random.default_rng(0)
    made = []
    for i in range(40):
        label = i % 2
        people = {"identity_source": f"p{i // 4}"}
        flags = {"video_fake": bool(label), "audio_fake": bool(label and i % 4 == 1)}
        entry = row(f"{'swap' if label else 'real'}/{i:02d}.mp4", label, corpus="made", **people, **flags)
        made.append((entry, scored(entry.path, float(np.clip(rng.normal(0.4 + 0.2 * label, 0.15), 0, 1)), video=0.5)))
    made.append((row("swap/sure.mp4", 1, corpus="made", identity_source="p0"), scored("swap/sure.mp4", 0.01)))
    made.append((row("real/sure.mp4", 0, corpus="made", identity_source="p1"), scored("real/sure.mp4", 0.97)))
    made.append((row("swap/broken.mp4", 1, corpus="made", identity_source="p0"), failed("swap/broken.mp4")))
    return sorted(made, key=lambda pair: pair[0].path)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated")
    rows, notes = table(folder, corpus())
    metrics = summarise(rows, notes, how=Resampling(n_resamples=100))
    metrics["run"] = {"command": "hashformer validate --manifest m.csv", "versions": {"hashformer": "0", "numpy": "2"}}
    write_metrics(metrics, folder)
    return folder, rows, metrics


def test_a_study_is_read_from_what_validate_wrote(evaluated):
    folder, _, metrics = evaluated
    made = read_study(folder, created="2026-01-31T09:30:00+00:00")
    assert made.command == "hashformer validate --manifest m.csv"
    assert made.manifest_sha256 == metrics["scored"]["manifest_sha256"]
    main = made.score_sets[0]
    assert roc_auc(main.labels, main.scores).value == metrics["video"]["auc"]["value"] == main.auc.value
    assert made.headline["Files that gave a score"] == "42 of 43"
    keys = [one.key for one in made.tables]
    assert keys[:3] == ["metrics", "heads", "per_method"]
    assert {"four_ways", "pairs", "localisation", "coverage", "no_score"} <= set(keys)
    assert any("1 of 43 files gave no score (0 of 21 real, 1 of 22 fake)" in warning for warning in made.warnings)
    page = Page(to_html(made))
    assert "RVFA: real video, fake audio" in page.one("body").text
    assert json.loads(to_json(made))["tables"]["metrics"]["rows"][0]["Files"]["value"] == main.auc.value


def test_the_worst_mistakes_come_first(evaluated):
    _, rows, _ = evaluated
    pictures = {"swap/sure.mp4": thumbnail()}
    found = list(worst_mistakes(rows, pictures.get, n=3))
    assert [(one.path, one.label, one.score) for one in found[:2]] == [
        ("swap/sure.mp4", 1, 0.01),
        ("real/sure.mp4", 0, 0.97),
    ]
    assert found[0].thumbnail == pictures["swap/sure.mp4"]
    assert found[1].thumbnail is None
    assert (found[0].method, found[1].method) == ("swap", "")
    everything = list(worst_mistakes(rows, pictures.get, n=100))
    assert all(abs(one.score - one.label) >= 0.5 for one in everything)
    assert len(everything) < 42


def test_metrics_of_another_table_are_refused(evaluated, tmp_path):
    folder, _, metrics = evaluated
    (tmp_path / "scores.parquet").write_bytes((folder / "scores.parquet").read_bytes())
    with pytest.raises(EvaluationError, match=r"metrics\.json: cannot be read .* Run hashformer validate"):
        read_study(tmp_path)
    other = metrics | {"scored": metrics["scored"] | {"manifest_sha256": "2" * 64}}
    write_metrics(other, tmp_path)
    with pytest.raises(EvaluationError, match="was not computed from"):
        read_study(tmp_path)


def test_a_corpus_that_is_a_label_is_warned_of(tmp_path):
    files = [(row(f"a/{i}.mp4", 0, corpus="a"), scored(f"a/{i}.mp4", 0.2 + 0.01 * i)) for i in range(5)]
    files += [(row(f"b/{i}.mp4", 1, corpus="b"), scored(f"b/{i}.mp4", 0.6 + 0.01 * i)) for i in range(5)]
    rows, notes = table(tmp_path, files)
    write_metrics(summarise(rows, notes, how=Resampling(n_resamples=100)), tmp_path)
    warnings = " ".join(read_study(tmp_path).warnings)
    assert "All files of a, b have one label" in warnings
    assert "names nobody" in warnings
    assert "Only 5 real files" in warnings


DOCS = (Path(__file__).resolve().parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", re.findall(r"^```python\n(.*?)^```", DOCS, re.DOTALL | re.MULTILINE))
def test_the_code_of_the_documentation_runs(code, evaluated, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").symlink_to(evaluated[0])
    exec(compile(code, "docs/evaluation.md", "exec"), {})
    assert (tmp_path / "out" / "study.html").is_file() or "Interval(" in capsys.readouterr().out


def test_the_documentation_names_every_metric():
    for name in METRICS:
        assert f"`{name}`" in DOCS or f"`{name.rpartition('_')[0]}_1`, `_{name.rpartition('_')[2]}`" in DOCS
