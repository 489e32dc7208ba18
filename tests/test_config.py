"""Settings: checked, helpful, and the same after the way through YAML."""

import pytest
import yaml

from hashformer.config import Config, load_config, preset_names
from hashformer.errors import ConfigError


def test_an_unknown_key_is_offered_the_nearest_name():
    with pytest.raises(ConfigError, match=r"clip\.duration: unknown key; did you mean 'duration_s'\?"):
        Config.parse({"clip": {"duration": 2.0}})


def test_a_key_like_no_other_gets_the_list():
    with pytest.raises(ConfigError, match=r"faces\.zzz: unknown key; known here: .*margin"):
        Config.parse({"faces": {"zzz": 1}})


def test_a_wrong_value_names_key_limit_and_value():
    with pytest.raises(ConfigError, match=r"clip\.fps: .*greater than or equal to 1, got 0"):
        Config.parse({"clip": {"fps": 0}})


def test_a_clip_is_a_whole_number_of_frames():
    with pytest.raises(ConfigError, match="whole number of frames"):
        Config.parse({"clip": {"duration_s": 1.03}})


def test_rates_of_model_and_clips_must_agree():
    with pytest.raises(ConfigError, match=r"clip\.fps=25"):
        Config.parse({"clip": {"fps": 25, "stride_s": 0.4}})


def test_speech_is_heard_at_its_rate_alone():
    slow = {"clip": {"sample_rate_hz": 8_000}}
    Config.parse(slow)
    with pytest.raises(ConfigError, match=r"min_speech=0\.2 needs clip\.sample_rate_hz=16000, got 8000"):
        Config.parse(slow | {"quality": {"min_speech": 0.2}})


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Config().clip.fps = 25


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_survives_the_way_through_yaml(name):
    config = load_config(name)
    assert Config.parse(yaml.safe_load(config.to_yaml())) == config


def test_the_presets_are_there():
    assert {"tiny", "small", "base"} <= set(preset_names())


def test_a_file_is_read(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("timeline: {threshold: 0.7}")
    assert load_config(path).timeline.threshold == 0.7


@pytest.mark.parametrize(
    ("text", "message"), [("[1, 2]", "expected settings by name"), ("a: [", "not YAML"), ("timelin: {}", "'timeline'")]
)
def test_a_broken_file_is_named(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        load_config(path)
    assert "bad.yaml" in str(error.value)


def test_no_such_preset_lists_those_that_are(tmp_path):
    with pytest.raises(ConfigError, match="small"):
        load_config("smal")
