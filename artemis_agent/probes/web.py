"""How probes ask a web server. Imported once there is one to be asked: it brings OpenSSL, 5 MiB in all."""

from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ssl import SSLContext
from urllib.parse import urlsplit

from artemis_agent.probes.outside import LIMIT_SECONDS, MOST_BYTES, Answer, UnknownError


def connection(url: str, trust: SSLContext | None = None) -> HTTPConnection:
    """Return a connection, not open yet, to where a URL points; `trust` of a server with TLS alone."""
    where = urlsplit(url)
    host, port = where.hostname or "", where.port
    if where.scheme == "https":
        return HTTPSConnection(host, port, timeout=LIMIT_SECONDS, context=trust)
    return HTTPConnection(host, port, timeout=LIMIT_SECONDS)


def fetch(
    connection: HTTPConnection, path: str, headers: Mapping[str, str] | None = None, *, method: str = "GET"
) -> Answer:
    """Ask a web server, and close the connection."""
    try:
        connection.request(method, path, headers=dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.read(MOST_BYTES))
    except (OSError, HTTPException, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnknownError(f"no answer from {connection.host}:{connection.port}: {why.lower()}") from error
    finally:
        connection.close()
