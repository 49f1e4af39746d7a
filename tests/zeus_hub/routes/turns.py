"""A rota in a folder of rules, and its calendar."""

from pathlib import Path

CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:1
DTSTAMP:20260101T000000Z
SUMMARY:Ada Lovelace
DTSTART:20260629T090000
DTEND:20260706T090000
RRULE:FREQ=WEEKLY;INTERVAL=2
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTAMP:20260101T000000Z
SUMMARY:Grace Hopper
DTSTART:20260702T000000
DTEND:20260703T000000
END:VEVENT
END:VCALENDAR
"""
"""Ada every other week from Monday, 29 June 2026, 9:00; on Thursday Grace stands in for her."""

ROTA = """
[rota.on-call]
calendar = "rota.ics"
zone = "Europe/Paris"
otherwise = "mail"
[rota.on-call.people]
"Ada Lovelace" = "ada"
"Grace Hopper" = "grace"

[receiver.ada]
kind = "apprise"
[receiver.grace]
kind = "apprise"
[receiver.mail]
kind = "mail"

[[route]]
name = "all"
group_by = ["source.ip"]
group_wait = "30s"
receivers = ["mail"]
escalate = [{after = "10m", receivers = ["on-call"]}]
"""


def agreed(folder: Path, rules: str = ROTA, calendar: str = CALENDAR) -> Path:
    """Write rules with a rota into a folder, and return that."""
    folder.mkdir(exist_ok=True)
    (folder / "rules.toml").write_text(rules)
    (folder / "rota.ics").write_text(calendar)
    return folder
