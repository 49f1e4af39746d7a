"""What is left out, and that everything works without."""

import subprocess
import sys

import pytest

from socme import openssl

DIGESTS = """
import sys
from socme import openssl
openssl.leave_out()
import asyncio, secrets
from hashlib import blake2b, new, sha256
from hmac import new as signed
print(not {"ssl", "_ssl", "_hashlib"} & set(sys.modules))
for each in sha256(b"x"), blake2b(b"x"), new("md5", b"x"), signed(b"key", b"x", "sha1"):
    print(each.hexdigest())
"""
LATER = """
from socme import openssl
openssl.leave_out()
import ssl, http.client
http.client.HTTPSConnection("hub", context=ssl.create_default_context())
print(ssl.HAS_SNI)
"""
LOOP = """
from socme import openssl
openssl.leave_out()
import asyncio, sys

def answer(reader, writer):
    writer.write(b"told")
    writer.close()

async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    print((await reader.read()).decode(), "ssl" in sys.modules)
    writer.close()

asyncio.run(main())
"""


def run(program: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_digests_are_the_same_without() -> None:
    absent, *digests = run(DIGESTS)
    present, *usual = run(DIGESTS.replace("openssl.leave_out()", ""))

    assert (absent, present) == ("True", "False")
    assert digests == usual


def test_what_needs_it_afterwards_has_it() -> None:
    assert run(LATER) == ["True"]


def test_the_event_loop_does_its_work_without() -> None:
    assert run(LOOP) == ["told", "False"]


def test_what_is_loaded_already_stays() -> None:
    program = f"import ssl as before\n{LATER}\nprint(ssl is before)"

    assert run(program) == ["True", "True"]


def test_a_python_without_digests_of_its_own_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As those that are built for FIPS."""
    monkeypatch.setattr(openssl, "find_spec", lambda _: None)
    monkeypatch.setattr(openssl, "import_module", pytest.fail)

    openssl.leave_out()
