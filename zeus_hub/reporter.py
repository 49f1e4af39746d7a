"""Tells receivers of days and months: a report in words, by mail."""

import asyncio
from collections.abc import Callable
from zoneinfo import ZoneInfo

from zeus_hub import reports
from zeus_hub.box import Box
from zeus_hub.digest import Digests
from zeus_hub.receivers.contract import Receipt
from zeus_hub.receivers.mail import MAIL_SECONDS, Mail
from zeus_hub.receivers.rendering import Templates
from zeus_hub.receivers.wording import Words
from zeus_hub.reports import Draft, Letter


class Reporter:
    """The destination of reports. `templates` returns its templates with times of a zone."""

    box: Box[Letter] = reports
    seconds = MAIL_SECONDS

    def __init__(self, mail: Mail, templates: Callable[[ZoneInfo], Templates]) -> None:
        self._mail = mail
        self._templates = templates
        self._digests: dict[str, Digests] = {}

    async def send(self, letter: Letter) -> Receipt:
        """Mail a report; raise as Receiver.send() does. Sent again, it has the same Message-ID."""
        digests = await asyncio.to_thread(self._of, letter.draft.zone)
        return await self._mail.post(worded(digests, letter.draft), key=f"report.{letter.key}")

    async def close(self) -> None:
        """Nothing is its own: the mail is closed where it was made."""

    def _of(self, zone: ZoneInfo) -> Digests:
        """Return how reports of a zone are worded; the first time that takes an eighth of a second."""
        if zone.key not in self._digests:
            self._digests[zone.key] = Digests(self._templates(zone))
        return self._digests[zone.key]


def worded(digests: Digests, draft: Draft) -> Words:
    """Return a report in words."""
    said = digests.day if draft.kind == "day" else digests.month
    return said(draft.content)
