import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashformer.data.audit import MIN_FILES, audit
from hashformer.data.audit.facts import file_facts, leading_silence_s
from hashformer.data.audit.strength import auc, cramers_v, ranks
from hashformer.data.manifest import Row
from hashformer.data.splits import Leak
from hashformer.errors import ManifestError
from make_media import text_named_mp4

values = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=12)


@settings(deadline=None)  # the machine is shared
@given(values, values)
def test_auc_is_the_share_of_pairs(reals, fakes):
    pairs = [1.0 if fake > real else 0.5 if fake == real else 0.0 for real in reals for fake in fakes]
    assert auc(reals, fakes) == pytest.approx(np.mean(pairs))
    assert auc(reals, fakes) == pytest.approx(1 - auc(fakes, reals))


def test_ranks_share_ties():
    assert ranks([3.0, 1.0, 3.0, 2.0]).tolist() == [3.5, 1.0, 3.5, 2.0]


def test_words():
    assert cramers_v(["h264"] * 20, ["hevc"] * 20) == pytest.approx(1.0)
    assert cramers_v(["h264"] * 20, ["h264"] * 9) == 0.0
    assert cramers_v(list("abcdefghij"), list("klmnopqrst")) == pytest.approx(0.0, abs=0.3)
    # By hand: 2 x 2 table 15 5 / 5 15, phi2 = 0.25, less 1/39; divided by 1 - 1/39.
    assert cramers_v("a" * 15 + "b" * 5, "a" * 5 + "b" * 15) == pytest.approx(((0.25 - 1 / 39) / (1 - 1 / 39)) ** 0.5)


def test_both_classes_are_needed():
    for measure in (auc, cramers_v):
        with pytest.raises(ValueError, match="both classes are needed"):
            measure([], [1.0])


def test_facts_of_a_clip_and_of_a_sound(clip, silent_start):
    facts = file_facts(clip)
    assert (facts.video_codec, facts.audio_codec, facts.resolution) == ("h264", "aac", "128x96")
    assert (facts.has_video, facts.has_audio, facts.fps, facts.pixels) == ("yes", "yes", 10.0, 128 * 96)
    assert facts.duration_s == pytest.approx(1.0, abs=0.1)
    assert facts.bitrate_kbps == pytest.approx(facts.size_bytes * 8e-3 / facts.duration_s)
    assert facts.leading_silence_s == pytest.approx(0.0, abs=0.01)
    assert leading_silence_s(silent_start) == pytest.approx(0.5, abs=0.01)
    sound = file_facts(silent_start)
    assert (sound.video_codec, sound.resolution, sound.fps, sound.has_video) == (None, None, None, "no")


def rows_for(n, suffix, **given):
    return [Row(path=f"{i}{suffix}", corpus="c", **given) for i in range(n)]


def test_shortcuts_are_found(corpus, clip, silent_start):
    rows = rows_for(MIN_FILES, ".mp4", label=0) + rows_for(MIN_FILES, ".wav", label=1, method="tts")
    root = corpus(clip, *(f"{i}.mp4" for i in range(MIN_FILES)))
    corpus(silent_start, *(f"{i}.wav" for i in range(MIN_FILES)))
    found = audit(rows, root, workers=1)
    named = {feature.name: feature for feature in found.features}
    assert {"leading_silence_s", "duration_s", "container", "audio_codec", "has_video"} <= set(found.shortcuts)
    assert named["leading_silence_s"].strength == 1.0
    assert "fps" not in named  # the sounds have none
    assert not named["has_audio"].shortcut


def test_equal_files_have_no_shortcut(corpus, clip):
    root = corpus(clip, *(f"{i}.mp4" for i in range(2 * MIN_FILES)))
    found = audit([Row(path=f"{i}.mp4", label=i % 2) for i in range(2 * MIN_FILES)], root)
    assert found.shortcuts == []
    assert {feature.strength for feature in found.features if feature.measure == "auc"} == {0.5}


def test_few_files_make_no_shortcut(corpus, clip, silent_start):
    root = corpus(clip, "a.mp4")
    corpus(silent_start, "b.wav")
    found = audit([Row(path="a.mp4", label=0), Row(path="b.wav", label=1)], root)
    assert max(feature.strength for feature in found.features) == 1.0
    assert found.shortcuts == []


def test_leaks_balance_and_unreadable_files(corpus, clip):
    root = corpus(clip, "a.mp4", "b.mp4")
    text_named_mp4(root / "c.mp4")
    rows = [
        Row(path="a.mp4", label=0, identity_source="p", split="train"),
        Row(
            path="b.mp4",
            label=1,
            method="fsgan",
            identity_source="q",
            identity_target="p",
            split="test",
            original="a.mp4",
        ),
        Row(path="c.mp4", label=1, method="fsgan", split="test"),
        Row(path="gone.mp4", label=0, split="val"),
    ]
    found = audit(rows, root)
    assert found.leaks == (Leak(":p", {"train": 1, "test": 1}),)
    assert found.torn == ("b.mp4",)
    assert found.n_unnamed == 2
    assert found.balance == {"train": {"real": 1}, "test": {"fsgan": 2}, "val": {"real": 1}}
    assert sorted(found.unreadable) == ["c.mp4", "gone.mp4"]


def test_a_sample_is_drawn_from_each_class(corpus, clip):
    rows = rows_for(5, ".mp4", label=0) + [Row(path=f"f{i}.mp4", label=1) for i in range(5)]
    root = corpus(clip, *(row.path for row in rows))
    found = audit(rows, root, sample=2)
    assert (found.n_rows, found.n_files) == (10, 4)


def test_the_wrong_root(tmp_path):
    with pytest.raises(
        ManifestError, match=r"holds none of the files, such as '0\.mp4'\. Name their folder with --root"
    ):
        audit(rows_for(2, ".mp4", label=0), tmp_path)
