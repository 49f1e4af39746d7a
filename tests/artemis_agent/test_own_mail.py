"""What a node's own mail says."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

from hypothesis import given
from hypothesis import strategies as st

from artemis_agent import own_mail
from artemis_agent.untold import Untold
from socme.text import UNSAFE
from tests.artemis_agent.glass import CRITICAL, HIGH, alert

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def written(untold: Untold) -> bytes:
    mail = own_mail.compose(
        untold,
        node="acme/acme-1",
        sender="artemis@client.example",
        recipients=("a@client.example", "b@client.example"),
        seconds=4000,
        now=NOW,
    )
    return mail.as_bytes()


def found(*alerts: tuple[int, int, str]) -> Untold:
    made = Untold(HIGH, frozenset(), 0)
    for number, severity, name in alerts:
        made.take(alert(number, severity=severity, name=name))
    return made


def test_it_says_how_many_how_often_and_where() -> None:
    made = found((1, CRITICAL, "ransom"), (2, HIGH, "brute force"), (3, HIGH, "brute force"))
    mail = message_from_bytes(written(made), policy=default)
    text = mail.get_content().replace("\r\n", "\n")

    assert mail["Subject"] == "[SOCme] acme/acme-1: 1 critical and 2 high alerts, no hub"
    assert mail["To"] == "a@client.example, b@client.example"
    assert "for 1 h 6 min" in text
    assert "  2 x brute force\n" in text
    assert "  1 x ransom\n" in text
    assert "    host host-3\n    from 203.0.113.9 to unknown\n" in text


def test_many_titles_are_summed_up() -> None:
    made = found(*((number, CRITICAL, f"rule {number}") for number in range(15)))

    assert b"  5 more" in written(made)


def test_no_line_is_longer_than_quoted_printable_allows() -> None:
    """RFC 2045, 6.7."""
    made = found(*((number, CRITICAL, f"été {number} " * 50) for number in range(15)))

    assert max(map(len, written(made).split(b"\r\n"))) <= 76


def test_what_begins_with_the_same_alert_has_the_same_message_id() -> None:
    first, more, other = (
        found((1, CRITICAL, "a")),
        found((1, CRITICAL, "a"), (2, HIGH, "b")),
        found((2, 4, "a")),
    )
    ids = [message_from_bytes(written(each))["Message-ID"] for each in (first, more, other)]

    assert ids[0] == ids[1] != ids[2]
    assert ids[0].endswith("@client.example>")


@given(st.text(max_size=2000), st.integers(0, 2**32 - 1))
def test_hostile_text_arrives_harmlessly(text: str, count: int) -> None:
    """Nothing of it in a header, and each alert's words on a line of their own."""
    one = alert(1, name=text.encode("utf-8", "replace").decode() or "x")
    one.count = count
    made = Untold(CRITICAL, frozenset(), 0)
    made.take(one)
    mail = message_from_bytes(written(made), policy=default)

    assert set(mail.keys()) == {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
        *("MIME-Version", "Content-Type", "Content-Transfer-Encoding"),
    }
    said = mail.get_content()
    assert not UNSAFE.search(said.replace("\r\n", ""))
    assert len(said.splitlines()) == len(_lines())


def _lines() -> list[str]:
    text: str = message_from_bytes(written(found((1, CRITICAL, "x"))), policy=default).get_content()
    return text.splitlines()


def test_a_test_says_that_it_is_one() -> None:
    mail = own_mail.trial(node="acme/acme-1", sender="a@b.example", recipients=("c@d.example",), now=NOW)

    assert mail["Subject"] == "[SOCme] acme/acme-1: a test"
    assert "This is a test" in mail.get_content()
