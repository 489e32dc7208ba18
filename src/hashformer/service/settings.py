"""Settings of the service: defaults, then a YAML file, then the environment, then the command line."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import ByteSize, Field, SecretStr

from hashformer.config.base import Settings
from hashformer.errors import ConfigError

PREFIX = "HASHFORMER_"
OTHER_VARIABLES = frozenset({"HASHFORMER_ASSETS", "HASHFORMER_CACHE"})
"""Variables of the package that are no settings of the service."""
MIN_KEY_LENGTH = 16

_MB, _GIB = 10**6, 2**30


def _half_of_the_cores() -> int:
    return max(1, (os.cpu_count() or 1) // 2)


class ServiceSettings(Settings):
    """Everything that can be set. Sizes are bytes, or text such as `500MB` and `3GiB`."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65_535, description="port to listen on; 0 takes a free one")
    work_dir: Path = Field(Path("hashformer-service"), description="uploads, results and the queue; one server each")
    checkpoint: str = Field("small", description="a weight file, a released name, or a preset")
    device: str = Field("cpu", description="where the model runs, as PyTorch names it")
    backend: Literal["torch", "onnxruntime"] = Field("torch", description="what runs the model")
    workers: int = Field(default_factory=_half_of_the_cores, ge=1, le=256, description="files scored at once")
    max_upload_bytes: ByteSize = Field(ByteSize(500 * _MB), gt=0, description="largest file")
    max_duration_s: float = Field(1800, gt=0, description="longest media, seconds")
    max_queue: int = Field(100, ge=1, description="files waiting, those being uploaded among them")
    keep_s: float = Field(86_400, gt=0, description="how long a result is kept, seconds")
    job_timeout_s: float = Field(3600, gt=0, description="longest work at one file, seconds")
    upload_timeout_s: float = Field(600, gt=0, description="longest upload, seconds")
    worker_memory_bytes: ByteSize = Field(ByteSize(3 * _GIB), gt=0, description="memory of one worker")
    min_free_bytes: ByteSize = Field(ByteSize(_GIB), ge=0, description="disk space that uploads leave free")
    max_attempts: int = Field(3, ge=1, description="how often a file is begun when servers are killed at it")
    api_keys: tuple[SecretStr, ...] = Field((), description="keys that open the service; none: it is open")
    api_key_file: Path | None = Field(None, description="file of further keys, one a line")

    def all_keys(self) -> tuple[str, ...]:
        """The keys of both places, each once.

        Raises:
            ConfigError: If the file cannot be read or holds no key, or a key is too short. No key is shown.
        """
        keys = [key.get_secret_value() for key in self.api_keys]
        if self.api_key_file is not None:
            keys += _keys_of(self.api_key_file)
        if any(len(key) < MIN_KEY_LENGTH for key in keys):
            raise ConfigError(
                f"an API key has fewer than {MIN_KEY_LENGTH} characters. "
                "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
            )
        return tuple(dict.fromkeys(keys))


def load_settings(
    config: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
) -> ServiceSettings:
    """Gather the settings; a later place wins over an earlier one.

    Args:
        config: A YAML file of settings by name.
        environ: Variables `HASHFORMER_<NAME>`; those of the process if None. Keys are parted by commas.
        options: From the command line; what is None was not given.

    Raises:
        ConfigError: If a place cannot be read, or names what is no setting or no fit value.
    """
    given = {} if config is None else _from_yaml(config)
    # Each place is checked by itself, so that an error names it.
    ServiceSettings.parse(given, source=str(config))
    variables = _from_environment(os.environ if environ is None else environ)
    ServiceSettings.parse(variables, source=f"{PREFIX}* variables")
    chosen = {name: value for name, value in (options or {}).items() if value is not None}
    return ServiceSettings.parse({**given, **variables, **chosen}, source="settings")


def _from_yaml(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}). Name a YAML file of settings.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected settings by name, got {type(data).__name__}")
    return {str(name): value for name, value in data.items()}


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    ours = {name: text for name, text in environ.items() if name.startswith(PREFIX) and name not in OTHER_VARIABLES}
    found: dict[str, Any] = {name.removeprefix(PREFIX).lower(): text for name, text in ours.items()}
    if "api_keys" in found:
        found["api_keys"] = [key.strip() for key in found["api_keys"].split(",") if key.strip()]
    return found


def _keys_of(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: the API keys cannot be read ({error}). Name a text file, one key a line."
        ) from error
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        # A service that was meant to be closed must not stand open.
        raise ConfigError(f"{path}: holds no API key. Write one a line, or leave the file out to open the service.")
    return keys
