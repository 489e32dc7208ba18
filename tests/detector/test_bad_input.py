"""Odd and broken files: a score, an honest 'cannot tell' or one clear line, never a trace."""

from fractions import Fraction

import numpy as np
import pytest

from hashformer.errors import MediaError
from hashformer.media.writer import write_audio
from make_faces import film, scene, speech_like
from make_media import cut_bytes, damage_bytes, fast_start, remux, text_named_mp4, variable_times


@pytest.fixture(scope="module")
def talking(tmp_path_factory, man):
    return film(tmp_path_factory.mktemp("films") / "talking.mp4", man[:24])


def test_a_good_film_is_scored_with_evidence(detector, talking):
    found = detector.detect(talking)
    assert found.status == "scored"
    assert 0 <= found.score <= 1
    assert None not in found.scores.model_dump().values()
    assert [second.start_s for second in found.timeline] == [0, 1, 2, *([3] if len(found.timeline) == 4 else [])]
    assert found.tracks[0].frames_seen == pytest.approx(48, abs=1)
    assert found.tracks[0].frames_missed == 0
    assert found.tracks[0].thumbnails[0].jpeg.startswith(b"\xff\xd8")
    assert set(found.timings_s) == {"decode", "detect", "landmarks", "crop", "features", "model", "elapsed"}
    assert found.warnings == ["the weights are not trained: these scores mean nothing"]


def test_the_same_file_gives_the_same_scores(detector, talking):
    first, second = detector.detect(talking), detector.detect(talking)
    assert first.model_copy(update={"timings_s": {}}) == second.model_copy(update={"timings_s": {}})


@pytest.mark.parametrize("text", ["nothing", ""])
def test_no_video_at_all(detector, tmp_path, text):
    path = tmp_path / "x.mp4"
    path.write_text(text)
    with pytest.raises(MediaError, match=r"x\.mp4: "):
        detector.detect(path)


def test_a_text_file(detector, tmp_path):
    with pytest.raises(MediaError):
        detector.detect(text_named_mp4(tmp_path / "text.mp4"))


def test_a_missing_file_and_a_folder(detector, tmp_path):
    for path in (tmp_path / "none.mp4", tmp_path):
        with pytest.raises(MediaError, match=path.name):
            detector.detect(path)


def test_a_bad_file_is_a_row_and_the_next_is_scored(detector, tmp_path, talking):
    bad = text_named_mp4(tmp_path / "bad.mp4")
    first, second = detector.detect_all([bad, talking])
    assert (first.status, first.score, second.status) == ("error", None, "scored")
    assert "bad.mp4" in first.reason
    assert "\n" not in first.reason


def test_a_file_cut_before_its_index(detector, tmp_path, talking):
    with pytest.raises(MediaError, match="cut"):
        detector.detect(cut_bytes(talking, tmp_path / "cut.mp4", keep=0.6))


def test_a_file_cut_after_its_index_is_scored_as_far_as_it_goes(detector, tmp_path, talking):
    source = fast_start(talking, tmp_path / "fast.mp4")
    found = detector.detect(cut_bytes(source, tmp_path / "cut.mp4", keep=0.7))
    assert found.status == "scored"
    assert found.duration_s < 3.0
    assert any("ends at" in warning for warning in found.warnings)


def test_noise_in_the_middle_is_told(detector, tmp_path, talking):
    source = fast_start(talking, tmp_path / "fast.mp4")
    found = detector.detect(damage_bytes(source, tmp_path / "damaged.mp4"))
    assert found.status in {"scored", "cannot_tell"}
    assert len(found.warnings) > 1


def test_no_sound(detector, tmp_path, man):
    found = detector.detect(film(tmp_path / "silent.mp4", man[:16], sound=False))
    assert found.status == "scored"
    assert (found.scores.audio, found.scores.sync) == (None, None)
    assert "the sound was not judged: the file has no sound" in found.warnings


def test_digital_silence_is_no_sound(detector, tmp_path, man):
    from hashformer.media.writer import write_video

    write_video(tmp_path / "hush.mp4", man[:16], fps=8, waveform=np.zeros(32_000, np.float32))
    found = detector.detect(tmp_path / "hush.mp4")
    assert found.scores.audio is None
    assert any("silent" in warning for warning in found.warnings)


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "m4a"])
def test_a_sound_file_is_scored_as_sound(detector, tmp_path, suffix):
    path = tmp_path / f"voice.{suffix}"
    write_audio(path, speech_like(2.5), sample_rate_hz=16_000)
    found = detector.detect(path)
    assert found.status == "scored"
    assert found.scores.audio is not None
    assert (found.scores.video, found.scores.sync, found.tracks) == (None, None, [])
    assert "the picture was not judged: the file has no picture" in found.warnings


@pytest.mark.parametrize(("n_sound", "covered"), [(1.5, 3), (6.0, 6)])
def test_sound_shorter_or_longer_than_the_picture(detector, tmp_path, man, n_sound, covered):
    from hashformer.media.writer import write_video

    path = tmp_path / "uneven.mp4"
    write_video(path, man[:24], fps=8, waveform=speech_like(n_sound))
    found = detector.detect(path)
    assert found.status == "scored"
    assert found.timeline[-1].end_s == pytest.approx(covered, abs=0.2)
    heard = [second.end_s for second in found.timeline if second.audio is not None]
    assert heard[-1] == pytest.approx(n_sound, abs=0.6)
    shown = [second.end_s for second in found.timeline if second.video is not None]
    # A clip may reach half its length beyond the picture.
    assert 3.0 <= shown[-1] <= 4.0


@pytest.mark.parametrize("fps", [8, Fraction(30_000, 1001), 60, "variable"])
def test_any_rate_covers_the_same_seconds(detector, tmp_path, man, fps):
    times = variable_times(3.0) if fps == "variable" else None
    rate = 25 if fps == "variable" else fps
    n_pictures = len(times) if times else round(3 * float(rate))
    pictures = [man[min(int(8 * (times[i] if times else i / float(rate))), 23)] for i in range(n_pictures)]
    path = tmp_path / "rate.mp4"
    from hashformer.media.writer import write_video

    write_video(path, pictures, fps=rate, times_s=times, waveform=speech_like(3.0))
    found = detector.detect(path)
    assert found.status == "scored"
    assert found.duration_s == pytest.approx(3.0, abs=0.15)
    assert found.tracks[0].frames_seen == pytest.approx(48, abs=3)


@pytest.mark.parametrize("rotation_deg", [90, 180, 270])
def test_a_phone_video_is_seen_upright(detector, tmp_path, man, rotation_deg):
    turns = rotation_deg // 90
    source = film(tmp_path / "stored.mp4", [np.rot90(picture, turns) for picture in man[:12]])
    found = detector.detect(remux(source, tmp_path / "phone.mp4", rotation_deg=rotation_deg))
    assert found.media.video.rotation_deg == rotation_deg
    assert found.tracks[0].frames_seen >= 22
    assert found.scores.video is not None


def test_three_faces_are_three_scored_tracks(detector, tmp_path, man):
    places = [(10, 20, 1.2), (230, 60, 1.1), (430, 120, 1.0)]
    found = detector.detect(film(tmp_path / "three.mp4", [scene(picture, places) for picture in man[:12]]))
    assert [track.status for track in found.tracks] == ["scored"] * 3
    assert found.score == max(track.score for track in found.tracks)
    audio = {
        second.start_s: {t.timeline[int(second.start_s)].audio for t in found.tracks} for second in found.timeline[:1]
    }
    assert all(len(scores) == 1 for scores in audio.values()), "the sound's score does not depend on the face"


def test_no_face_and_no_sound_cannot_be_told(detector, tmp_path):
    pictures = [np.full((96, 128, 3), 40 + i, np.uint8) for i in range(16)]
    found = detector.detect(film(tmp_path / "empty.mp4", pictures, sound=False))
    assert (found.status, found.score) == ("cannot_tell", None)
    assert found.reason == "no face was found; the file has no sound"


def test_no_face_but_sound_scores_the_sound_and_says_so(detector, tmp_path):
    pictures = [np.full((96, 128, 3), 40 + i, np.uint8) for i in range(16)]
    found = detector.detect(film(tmp_path / "voice.mp4", pictures))
    assert found.status == "scored"
    assert found.scores.video is None
    assert "the picture was not judged: no face was found" in found.warnings


def test_a_small_face_cannot_be_told(detector, tmp_path, man):
    pictures = [scene(picture, [(100, 100, 0.75)]) for picture in man[:16]]
    found = detector.detect(film(tmp_path / "far.mp4", pictures, sound=False))
    assert found.status == "cannot_tell"
    assert "the face is too small" in found.reason
    assert found.tracks[0].status == "cannot_tell"
    assert found.tracks[0].face_px < 48


def test_a_face_for_one_second_is_scored_there(detector, tmp_path, man):
    empty = scene(man[0], [])
    shown = [scene(picture, [(100, 60, 1.5)]) for picture in man[:8]]
    found = detector.detect(film(tmp_path / "short.mp4", [*[empty] * 16, *shown, *[empty] * 16]))
    assert found.status == "scored"
    (track,) = found.tracks
    assert (track.start_s, track.end_s) == pytest.approx((2.0, 3.0), abs=0.15)
    assert {second.start_s for second in track.timeline if second.video is not None} <= {1, 2, 3}


def test_too_short_to_tell(detector, tmp_path, man):
    found = detector.detect(film(tmp_path / "blink.mp4", man[:2]))
    assert found.status == "cannot_tell"
    assert "too short" in found.reason


@pytest.mark.parametrize("name", ["ein Clip mit Leerzeichen.mp4", "видео 한국어 ø.mp4", "%20:file#?.mp4", "-rf.mp4"])
def test_any_name(detector, tmp_path, talking, name):
    path = tmp_path / name
    path.write_bytes(talking.read_bytes())
    found = detector.detect(path)
    assert found.status == "scored"
    assert found.path.endswith(name)


def test_a_name_that_is_no_text(detector, tmp_path, talking):
    import os

    path = os.fsencode(tmp_path) + b"/caf\xe9.mp4"
    with open(path, "wb") as file:  # noqa: PTH123 -- a path of bytes
        file.write(talking.read_bytes())
    found = detector.detect(os.fsdecode(path))
    assert found.path.endswith("caf\\xe9.mp4")
    found.model_dump_json().encode()
