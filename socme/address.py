"""Addresses as settings and tokens write them: "host:port", where an IPv6 host stands in brackets."""

HIGHEST_PORT = 65535
_LONGEST_PORT = 5  # digits


def split(address: str) -> tuple[str, int]:
    """Return host (without brackets) and port; raise ValueError, which says what to write, for anything else.

    What passes may be shown on a terminal and looked up.
    """
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (_is_host(host) and _is_port(port)):
        raise ValueError('give "host:port", as in "127.0.0.1:8443" or "[::1]:8443"')
    return host, int(port)


def join(host: str, port: int) -> str:
    """Return the address of a host and a port."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_host(text: str) -> bool:
    try:
        return bool(text.encode("idna")) and text.isprintable() and " " not in text
    except UnicodeError:  # a label that is empty or too long
        return False


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _LONGEST_PORT and int(text) <= HIGHEST_PORT
