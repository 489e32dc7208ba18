import pytest

from hashformer.data.adapters.dftimit import index, release
from hashformer.data.manifest import Row
from hashformer.errors import ManifestError


def fake(quality, subject, utterance, source, **given):
    folder = {"hq": "higher_quality", "lq": "lower_quality"}[quality]
    return Row(
        path=f"DeepfakeTIMIT/{folder}/{subject}/{utterance}-video-{source}.avi",
        label=1,
        video_fake=True,
        audio_fake=False,
        method=f"faceswap-gan-{quality}",
        identity_source=source,
        identity_target=subject,
        groups={"quality": quality},
        corpus="dftimit",
        **given,
    )


def test_both_qualities_and_the_reals(tree):
    root = tree(
        "DeepfakeTIMIT/higher_quality/fadg0/sa1-video-fram1.avi",
        "DeepfakeTIMIT/higher_quality/fadg0/sa1.wav",
        "DeepfakeTIMIT/lower_quality/fram1/sx9-video-fadg0.avi",
        "VidTIMIT/fadg0/video/sa1.mp4",
        "VidTIMIT/fadg0/audio/sa1.wav",
    )
    real = "VidTIMIT/fadg0/video/sa1.mp4"
    assert list(index(root)) == [
        Row(path=real, label=0, video_fake=False, audio_fake=False, identity_source="fadg0", corpus="dftimit"),
        fake("hq", "fadg0", "sa1", "fram1", original=real),
        fake("lq", "fram1", "sx9", "fadg0"),
    ]
    assert release(list(index(root))) == "DeepfakeTIMIT, HQ 1 of 320, LQ 1 of 320 fakes, 1 reals"


def test_without_vidtimit_there_are_no_reals(tree):
    rows = list(index(tree("DeepfakeTIMIT/higher_quality/fadg0/sa1-video-fram1.avi")))
    assert [row.label for row in rows] == [1]
    assert "put VidTIMIT beside it" in release(rows)


def test_pictures_instead_of_films_are_refused(tree):
    root = tree("DeepfakeTIMIT/lower_quality/fadg0/sa1-video-fram1.avi", "VidTIMIT/fadg0/video/sa1/001")
    with pytest.raises(ManifestError, match=r"holds no film\. Make one of each folder of pictures"):
        list(index(root))


def test_a_renamed_folder_is_named(tree):
    with pytest.raises(ManifestError, match="is 'higher_qualty' meant"):
        list(index(tree("higher_qualty/fadg0/sa1-video-fram1.avi")))


def test_an_odd_name_is_refused(tree):
    with pytest.raises(ManifestError, match=r"expected a name such as 'sa1-video-fram1\.avi'"):
        list(index(tree("higher_quality/fadg0/sa1.avi")))
