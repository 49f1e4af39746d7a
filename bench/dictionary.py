"""Train a dictionary for batches: python -m bench.dictionary FILE. So socme/alerts.zdict was made.

From the project's own recordings of Suricata and Wazuh and the made traffic of bench/eve.py, the same each
time. A dictionary that nodes have is never changed: a better one is another encoding in the protocol.
"""

import argparse
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import zstandard

from artemis_agent.normalise import Normalised, normalise
from artemis_agent.source import Kind, Record
from bench import eve
from socme.v1.uplink_pb2 import Alerts

ROOT = Path(__file__).resolve().parent.parent
SIZE = 64 * 1024  # bytes; half as many take 4 % more of a lone alert, twice as many save little
NUMBER = 0x534F4302  # "SOC" and 2; zstd leaves the numbers from 32768 to 2^31 - 1 to everybody
LEVEL = 7  # of the samples when codes are counted for the dictionary; it parses about as what travels does
MADE = 4000  # alerts of bench/eve.py; with more of them, alerts of the recordings take more room
LATEST = 0.5  # seconds from when a line was written to when it is read, at the most
WHEN = datetime(2026, 11, 28, 12, tzinfo=UTC)
PLACES: dict[Kind, str] = {
    "suricata": "/var/log/suricata/eve.json",
    "wazuh": "/var/ossec/logs/alerts/alerts.json",
}


def samples(lines: Iterable[bytes], kind: Kind, dice: random.Random) -> Iterator[bytes]:
    """Yield batches of one alert each, without its id, which is noise."""
    offset = 0
    for line in lines:
        offset += dice.randrange(500, 200_000)
        record = Record(line, dice.randbytes(16), offset)
        found = normalise(record, kind=kind, origin=PLACES[kind], observed=WHEN)
        if isinstance(found, Normalised):
            alert = found.alert
            alert.ClearField("id")
            if alert.HasField("time"):
                age = timedelta(seconds=dice.uniform(0, LATEST))
                alert.observed.FromDatetime(alert.time.ToDatetime(UTC) + age)
            yield Alerts(alerts=[alert]).SerializeToString()


def main() -> None:
    """Train and write; refuse a file that is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", type=Path)
    given = parser.parse_args()
    dice = random.Random(1)
    data = ROOT / "tests" / "data"
    recorded = [
        line for name in ("eve", "eve-8") for line in (data / f"{name}.json").read_bytes().splitlines()
    ]
    wazuh = (data / "alerts.json").read_bytes().splitlines()
    found: list[bytes | bytearray | memoryview] = [
        *(each for _ in range(3) for each in samples(recorded, "suricata", dice)),
        *(each for _ in range(6) for each in samples(wazuh, "wazuh", dice)),
        *samples(eve.alerts(MADE, seed=12), "suricata", dice),
    ]
    trained = zstandard.train_dictionary(SIZE, found, level=LEVEL, dict_id=NUMBER, d=8, k=1000)
    with given.file.open("xb") as file:
        file.write(trained.as_bytes())


if __name__ == "__main__":
    main()
