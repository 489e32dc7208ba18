"""Where settings come from, which place wins, and what is refused."""

import pytest

from hashformer.errors import ConfigError
from hashformer.service.settings import ServiceSettings, load_settings

KEY = "a-key-of-sixteen-letters-or-more"


def test_every_default_is_set():
    settings = load_settings(environ={})
    assert settings.host == "127.0.0.1"
    assert settings.workers >= 1
    assert settings.all_keys() == ()


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path):
    file = tmp_path / "service.yaml"
    file.write_text("max_queue: 1\nkeep_s: 2\nport: 3\nmax_upload_bytes: 1.5MB\n")
    environ = {"HASHFORMER_KEEP_S": "20", "HASHFORMER_PORT": "30", "HASHFORMER_CACHE": "/x", "HOME": "/y"}
    settings = load_settings(file, environ=environ, options={"port": 300, "workers": None})
    assert (settings.max_queue, settings.keep_s, settings.port) == (1, 20, 300)
    assert settings.max_upload_bytes == 1_500_000


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("max_que: 4", "did you mean 'max_queue'"),
        ("max_queue: 0", "max_queue: Input should be greater than or equal to 1, got 0"),
        ("max_upload_bytes: lots", "max_upload_bytes"),
        ("- 1", "expected settings by name, got list"),
        ("a: [", "not YAML"),
    ],
)
def test_a_wrong_file_is_named_with_its_fault(tmp_path, text, told):
    file = tmp_path / "service.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        load_settings(file, environ={})
    assert "service.yaml" in str(error.value)
    assert told in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        load_settings(tmp_path / "none.yaml", environ={})


def test_an_unknown_variable_is_an_error():
    with pytest.raises(ConfigError, match="did you mean 'max_queue'"):
        load_settings(environ={"HASHFORMER_MAX_QEUE": "4"})


def test_keys_come_from_variable_and_file(tmp_path):
    file = tmp_path / "keys"
    file.write_text(f"# lab\n{KEY}-1\n\n{KEY}-2\n{KEY}-3\n")
    settings = load_settings(environ={"HASHFORMER_API_KEYS": f"{KEY}-3, {KEY}-4"}, options={"api_key_file": file})
    assert settings.all_keys() == (f"{KEY}-3", f"{KEY}-4", f"{KEY}-1", f"{KEY}-2")


def test_keys_are_not_shown():
    assert KEY not in repr(load_settings(environ={"HASHFORMER_API_KEYS": KEY}))


def test_a_short_key_is_refused_and_not_told():
    with pytest.raises(ConfigError) as error:
        ServiceSettings(api_keys=["hush-hush"]).all_keys()
    assert "16 characters" in str(error.value)
    assert "hush-hush" not in str(error.value)


def test_an_empty_key_file_does_not_open_the_service(tmp_path):
    (tmp_path / "keys").write_text("# none\n")
    with pytest.raises(ConfigError, match="holds no API key"):
        ServiceSettings(api_key_file=tmp_path / "keys").all_keys()


def test_a_missing_key_file_does_not_open_the_service(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        ServiceSettings(api_key_file=tmp_path / "keys").all_keys()
