"""The table of AUC by kind: who is compared with whom."""

import csv

import pytest

from hashformer.data.manifest import Row
from hashformer.train.by_kind import auc_by_kind, write_auc_by_kind
from hashformer.train.scores import JudgedFile

NAN = float("nan")
ROWS = [Row(path=f"{i}.mp4", label=0, identity_source=f"p{i // 2}", corpus="c") for i in range(6)]
ROWS.append(Row(path="f.mp4", label=1, method="swap", identity_source="q", corpus="c"))


def judged(row_idx, score, *, kind="", label=0, sync=None, method=None):
    labels = {"overall": label, "video": label, "audio": 0.0, "sync": NAN if sync is None else sync}
    heads = {"overall": score, "video": score} | ({} if sync is None else {"sync": score})
    return JudgedFile(row_idx=row_idx, kind=kind, method=method or kind or "real", scores=heads, labels=labels)


def of(found, kind, head):
    return next(row for row in found if (row.kind, row.head) == (kind, head))


def test_a_forgery_is_compared_with_the_files_it_was_made_of():
    files = [judged(i, 0.1 + 0.1 * i) for i in range(6)]
    files += [judged(i, 0.25 + 0.1 * i, kind="puppet", label=1) for i in (0, 1)]
    row = of(auc_by_kind(files, ROWS), "puppet", "video")
    assert (row.n_fake, row.n_real) == (2, 2)
    # Fakes 0.25 and 0.35 against reals 0.1 and 0.2.
    assert row.auc == pytest.approx(1.0)


def test_the_fakes_of_a_corpus_are_compared_with_every_real_file():
    files = [judged(i, 0.1 * i) for i in range(6)] + [judged(6, 0.25, label=1, method="swap")]
    row = of(auc_by_kind(files, ROWS), "swap", "overall")
    assert (row.n_fake, row.n_real) == (1, 6)
    assert row.auc == pytest.approx(0.5)
    assert row.low is None


def test_only_heads_that_judge_what_was_forged_are_listed():
    files = [judged(i, 0.1, sync=0.0) for i in range(4)]
    files += [judged(i, 0.9, kind="sound_shift", label=1, sync=1.0)._replace(
        labels={"overall": 1.0, "video": 0.0, "audio": 0.0, "sync": 1.0}) for i in range(4)]  # fmt: skip
    assert {row.head for row in auc_by_kind(files, ROWS)} == {"overall", "sync"}


def test_people_are_what_is_drawn_for_the_interval():
    files = [judged(i, 0.1 * i) for i in range(6)] + [judged(i, 0.15 + 0.1 * i, kind="k", label=1) for i in range(6)]
    row = of(auc_by_kind(files, ROWS), "k", "overall")
    assert row.n_people == 3
    assert row.low <= row.auc < row.high


def test_the_table_is_written_with_blanks_for_what_is_not_known(tmp_path):
    files = [judged(0, 0.1), judged(6, 0.9, label=1, method="swap")]
    write_auc_by_kind(auc_by_kind(files, ROWS), tmp_path / "t.csv")
    with (tmp_path / "t.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["auc"] == "1.0000"
    assert rows[0]["low"] == ""
