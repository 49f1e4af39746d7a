"""What a node's own mail says, in plain words for people who know their network and no SOCme. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from hashlib import blake2b

from artemis_agent.untold import Latest, Untold
from socme import severity

MOST_TITLES = 10  # that are listed
_KEY_BYTES = 12
_POLICY = SMTP.clone(max_line_length=76)  # of quoted-printable, which allows no 78 (RFC 2045, 6.7)
_MINUTES = 60  # seconds in one; minutes in an hour


def compose(
    untold: Untold, *, node: str, sender: str, recipients: Sequence[str], seconds: float, now: datetime
) -> EmailMessage:
    """Return the mail that tells of alerts; the same first alert gives the same Message-ID.

    So a mail that is sent again, because nobody knows whether it left, is known to servers and programs that
    look. No text of an alert stands in a header.
    """
    what = _amount(untold)
    body = "\n".join(_told(untold, node, what, seconds))
    subject = f"[SOCme] {node}: {what}, no hub"
    return _mail(subject, body, sender, recipients, now, key=b"alerts\0" + untold.ids[0])


def trial(*, node: str, sender: str, recipients: Sequence[str], now: datetime) -> EmailMessage:
    """Return a mail that only says that mail works."""
    body = (
        f"This is a test. Node {node} of SOCme can mail you.\n\n"
        "Where it reaches no hub for long, it tells you of severe alerts in this way.\n"
        "There is nothing to do.\n"
    )
    key = f"test\0{node}\0{now.isoformat()}".encode()
    return _mail(f"[SOCme] {node}: a test", body, sender, recipients, now, key=key)


def _mail(
    subject: str, body: str, sender: str, recipients: Sequence[str], now: datetime, *, key: bytes
) -> EmailMessage:
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = f"SOCme <{sender}>"
    mail["To"] = ", ".join(recipients)
    mail["Subject"] = subject
    mail["Date"] = now
    digest = blake2b(key, digest_size=_KEY_BYTES).hexdigest()
    mail["Message-ID"] = f"<{digest}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # so that nobody's absence is answered
    mail.set_content(body, cte="quoted-printable")  # keeps every line short, whatever the words are
    return mail


def _told(untold: Untold, node: str, what: str, seconds: float) -> Iterator[str]:
    yield f"Node {node} of SOCme has reached no hub for {_length(seconds)}."
    yield "So your SOC team may not know of what stands here. Please telephone them."
    yield ""
    yield f"{what[0].upper()}{what[1:]}:"
    yield ""
    listed = untold.titles.most_common(MOST_TITLES)
    for title, count in listed:
        yield f"  {count:,} x {title}"
    rest = untold.titles.total() - sum(count for _, count in listed)
    if rest:
        yield f"  {rest:,} more"
    yield ""
    yield "The latest:"
    for each in reversed(untold.latest):
        yield ""
        yield from _lines(each)
    yield ""
    yield "The alerts wait on the node and go to the hub when it is there again. It will not mail them again."
    yield "The words of an alert may be an attacker's: follow no address in them."
    yield ""


def _lines(each: Latest) -> Iterator[str]:
    when = f"{each.when:%Y-%m-%d %H:%M:%S} UTC" if each.when else "at an unknown time"
    yield f"  {when}, {severity.name(each.severity)}"
    yield f"    {each.title}"
    if each.host:
        yield f"    host {each.host}"
    if each.source or each.destination:
        yield f"    from {each.source or 'unknown'} to {each.destination or 'unknown'}"


def _amount(untold: Untold) -> str:
    """Return how many there are of which severity: "2 critical and 3 high alerts"."""
    parts = [
        f"{untold.severities[each]:,} {severity.name(each)}"
        for each in sorted(untold.severities, reverse=True)
    ]
    return f"{' and '.join(parts)} alert{'' if untold.alerts == 1 else 's'}"


def _length(seconds: float) -> str:
    minutes = max(1, int(seconds // _MINUTES))
    hours, rest = divmod(minutes, _MINUTES)
    if not hours:
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    return f"{hours} h {rest} min"
