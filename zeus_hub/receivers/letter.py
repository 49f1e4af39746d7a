"""A message to people as a mail: headers, and the same words as plain text and as HTML. Pure."""

import re
from collections.abc import Sequence
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from zeus_hub.receivers.wording import Words

SENDER_NAME = "SOCme"

_POLICY = SMTP.clone(max_line_length=76)  # of quoted-printable, which allows no 78 (RFC 2045, 6.7)

# "=?utf-8?q?=0D=0A…?=" in a header's text is taken for an encoded word and decoded: by whoever reads the mail
# and by Python when the header is set, which then writes a line break and the rest. No text may begin so.
_ENCODED = ("=?", "= ?")
_UNFIT = re.compile(r"[^0-9A-Za-z.-]+")
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[0-9A-Za-z]([0-9A-Za-z.-]*[0-9A-Za-z])?")


def address(text: str) -> Address:
    """Return an address as "soc@example.org"; raise ValueError for anything else."""
    if not text.isascii() or not _ADDRESS.fullmatch(text):
        raise ValueError(f"{text!r} is not a mail address as soc@example.org")
    try:
        return Address(addr_spec=text)
    except (MessageError, ValueError, IndexError) as error:  # the parser's own ways to say no
        raise ValueError(f"{text!r} is not a mail address: {error}") from error


def compose(
    words: Words, sender: Address, recipients: Sequence[Address], now: datetime, *, key: str, thread: str = ""
) -> EmailMessage:
    """Return a mail.

    Its Message-ID is made of `key` and the sender's domain alone: what is sent again is known by it to
    servers and programs that look. Mails of one `thread`, the key of its first, are shown together.
    """
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = Address(SENDER_NAME, addr_spec=sender.addr_spec)
    mail["To"] = tuple(recipients)
    mail["Subject"] = words.subject.replace(*_ENCODED)
    mail["Date"] = now
    mail["Message-ID"] = _id(key, sender)
    if thread and thread != key:
        mail["In-Reply-To"] = mail["References"] = _id(thread, sender)
    mail["Auto-Submitted"] = "auto-generated"  # so that nobody's absence is answered
    # Quoted-printable keeps every line short, whatever the words are.
    mail.set_content(words.text, cte="quoted-printable")
    if words.html:
        mail.add_alternative(words.html, subtype="html", cte="quoted-printable")
    return mail


def _id(key: str, sender: Address) -> str:
    return f"<{_UNFIT.sub('', key)[:120]}@{sender.domain}>"
