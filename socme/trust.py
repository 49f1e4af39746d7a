"""Whom a client of somebody else's server trusts: mail servers, TheHive, webhooks, Wazuh's API."""

import ssl
from pathlib import Path


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that checks names and speaks TLS 1.2 or newer.

    It trusts the CAs of a file (PEM), those of this system for None. Raise OSError for a file that is missing
    or holds no certificates.
    """
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # Debian's Python leaves it to the system's settings
    return context
