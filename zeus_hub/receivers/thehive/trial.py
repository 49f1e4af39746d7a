"""Whether alerts could be made in a TheHive, found out without making any."""

from datetime import datetime

from zeus_hub.receivers.contract import DownError
from zeus_hub.receivers.thehive import alert, standing
from zeus_hub.receivers.thehive.api import Api, Row, forbidden
from zeus_hub.receivers.thehive.line import FORBIDDEN, Line, not_thehive
from zeus_hub.receivers.thehive.settings import TheHiveSettings


async def trial(line: Line, settings: TheHiveSettings, now: datetime) -> str:
    """Look at everything that alerts need, in every organisation, and say what was found.

    Raise DownError with what is wrong and how it is mended.
    """
    names = sorted({*settings.organisations.values(), settings.organisation} - {""})
    if not names:
        raise DownError(
            "no organisation of TheHive is set: name one in `organisation`, or clients' in `organisations`",
            misconfigured=True,
        )
    number = await _version(line)
    notes: list[str] = []
    for name in names:
        notes += await _look(Api(line, name), settings, now)
    found = "; ".join((f"TheHive {number} would take alerts for {', '.join(names)}", *dict.fromkeys(notes)))
    return f"{found}. (Key, membership, permissions and licence were looked at; nothing was made.)"


async def _version(line: Line) -> str:
    """Return TheHive's version; raise DownError where it is none, or too old. The key is not shown yet."""
    answer = await line.ask("GET", "/api/v1/status/public", known=False)
    number = standing.version(answer.told())
    if not number:
        answer = await line.ask("GET", "/api/v1/status", known=False)
        number = standing.version_of_4(answer.told())
    if not number:
        raise not_thehive(answer)
    trouble = standing.too_old(number)
    if trouble:
        raise DownError(trouble, misconfigured=True)
    return number


async def _look(api: Api, settings: TheHiveSettings, now: datetime) -> list[str]:
    """Return notes on one organisation; raise DownError for what would stop alerts there."""
    user = await _user(api)
    missing = standing.missing(user)
    licence = await api.licence()
    trouble = standing.licence_trouble(licence, now)
    if missing:
        trouble = (
            f'in the organisation "{api.organisation}" the user lacks {", ".join(missing)}:'
            " give it a profile with these permissions"
        )
    if trouble:
        raise DownError(trouble, misconfigured=True)
    notes = [standing.licence_note(licence, now), *await _names(api, settings)]
    if missing is None:
        notes.append("it does not say what the user may do")
    return [note for note in notes if note]


async def _user(api: Api) -> Row:
    answer = await api.get("/api/v1/user/current")
    user = answer.told()
    if answer.status == FORBIDDEN:
        raise forbidden(answer, api.organisation)
    if not answer.good or not isinstance(user, dict):
        raise not_thehive(answer)
    there = standing.organisation(user)
    if there not in ("", api.organisation):
        raise DownError(
            f'TheHive answers for the organisation "{there}" in the place of "{api.organisation}":'
            " the user is no member there, or the name is written differently",
            misconfigured=True,
        )
    return user


async def _names(api: Api, settings: TheHiveSettings) -> list[str]:
    """Return notes on data types and custom fields that TheHive does not have."""
    notes = []
    if alert.OTHER not in await api.types():
        notes.append(f'it has no observable type "{alert.OTHER}", so that unusual ones are left out')
    if not settings.custom_fields:
        return notes
    answer = await api.get("/api/v1/customField")
    fields = answer.told()
    if not answer.good or not isinstance(fields, list):
        return [*notes, f"its custom fields could not be looked at ({answer.reason})"]
    there = {field.get("name") for field in fields if isinstance(field, dict)}
    absent = sorted(settings.custom_fields.keys() - there)
    return [*notes, *(f'it has no custom field "{name}", which every alert will lack' for name in absent)]
