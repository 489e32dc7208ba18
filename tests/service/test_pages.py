"""What browsers are told that pages may do."""

import base64
import hashlib

from hashformer.service.pages import page_policy, report_policy

SCRIPT = "\n  let a = '<b>' && 1 < 2;\n"
HTML = f"<!doctype html><title>x</title><script>{SCRIPT}</script><p onclick='x()'>y</p><script src=x></script>"


def hashed(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_pages_own_scripts_run_and_no_others():
    policy = page_policy(HTML)
    assert f"script-src {hashed(SCRIPT)};" in policy
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy


def test_a_report_lives_in_a_world_of_its_own():
    policy = report_policy(HTML)
    assert "sandbox allow-scripts" in policy
    assert "allow-same-origin" not in policy
    assert "connect-src" not in policy, "the default is none"


def test_without_scripts_none_run():
    assert "script-src 'none'" in report_policy("<p>no scripts</p>")
