import pytest

from hashformer.data.adapters.asvspoof2019 import index, release
from hashformer.data.manifest import Row
from hashformer.errors import ManifestError

NAMES = {"train": "train.trn", "dev": "dev.trl", "eval": "eval.trl"}


def protocol(root, partition, text):
    folder = root / "LA" / "ASVspoof2019_LA_cm_protocols"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"ASVspoof2019.LA.cm.{NAMES[partition]}.txt").write_text(text)


def test_the_countermeasure_protocols(tree):
    root = tree("LA/ASVspoof2019_LA_asv_protocols/ASVspoof2019.LA.asv.eval.gi.trl.txt")
    protocol(root, "train", "LA_0079 LA_T_1138215 - - bonafide\n")
    protocol(root, "dev", "LA_0069 LA_D_1047731 - A05 spoof\n")
    protocol(root, "eval", "LA_0039 LA_E_2834763 - A11 spoof\n")
    rows = list(index(root))
    assert rows == [
        Row(
            path="LA/ASVspoof2019_LA_train/flac/LA_T_1138215.flac",
            label=0,
            audio_fake=False,
            identity_source="LA_0079",
            split="train",
            corpus="asvspoof2019",
        ),
        Row(
            path="LA/ASVspoof2019_LA_dev/flac/LA_D_1047731.flac",
            label=1,
            audio_fake=True,
            method="A05",
            identity_source="LA_0069",
            split="val",
            corpus="asvspoof2019",
        ),
        Row(
            path="LA/ASVspoof2019_LA_eval/flac/LA_E_2834763.flac",
            label=1,
            audio_fake=True,
            method="A11",
            identity_source="LA_0039",
            split="test",
            corpus="asvspoof2019",
        ),
    ]
    assert release(rows) == "ASVspoof2019 LA: train 1, dev 1, eval 1"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("LA_0015 LA_E_1103494 bonafide nontarget", "speaker verification protocol"),
        ("LA_0009 LA_E_9332881 alaw ita_tx A07 spoof notrim eval", "ASVspoof 2021"),
        ("LA_0079 LA_T_1138215 - - genuine", "expected 'speaker file - system key'"),
    ],
)
def test_other_protocols_are_refused(tree, line, why):
    root = tree()
    protocol(root, "eval", line + "\n")
    with pytest.raises(ManifestError, match=why):
        list(index(root))


def test_only_the_verification_protocols_are_not_enough(tree):
    root = tree("LA/ASVspoof2019_LA_asv_protocols/ASVspoof2019.LA.asv.eval.gi.trl.txt")
    with pytest.raises(ManifestError, match="ASVspoof2019_LA_cm_protocols"):
        list(index(root))
    root = tree("LA/ASVspoof2019_LA_cm_protocols/README.txt")
    with pytest.raises(ManifestError, match="holds none of the countermeasure protocols"):
        list(index(root))
