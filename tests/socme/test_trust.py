"""Whom a client of somebody else's server trusts."""

import ssl
from pathlib import Path

import pytest

from socme.trust import trusting


def test_names_are_checked_and_nothing_older_than_tls_1_2_is_spoken() -> None:
    context = trusting(None)

    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_file_that_cannot_vouch_for_anybody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        trusting(tmp_path / "none.pem")
    for content in ("", "no certificate"):
        path = tmp_path / "ca.pem"
        path.write_text(content)
        with pytest.raises(ssl.SSLError):
            trusting(path)
