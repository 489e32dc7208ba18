"""The folder of a detection: its hashes are those of its files."""

import hashlib
import subprocess

from hashformer.report.document import sha256_of
from hashformer.report.folder import write_folder
from report.detections import document_of, explained
from report.html_page import Page


def test_sha256sum_finds_the_folder_whole_and_then_changed(tmp_path):
    document, folder = document_of(explained()), tmp_path / "new"
    write_folder(document, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["SHA256SUMS", "report.html", "results.json"]
    check = ["sha256sum", "--strict", "-c", "SHA256SUMS"]
    assert subprocess.run(check, cwd=folder, check=False, capture_output=True).returncode == 0
    stated = Page((folder / "report.html").read_text(encoding="utf-8")).one("code", id="record-sha256").text
    assert stated == hashlib.sha256((folder / "results.json").read_bytes()).hexdigest() == sha256_of(document)
    results = folder / "results.json"
    results.write_bytes(results.read_bytes().replace(b"0.913", b"0.113"))
    assert subprocess.run(check, cwd=folder, check=False, capture_output=True).returncode == 1
