"""Record real Suricata over the project's captures, then make all that follows from the recording.

    python -m tests.generate.record [--suricata PROGRAM] [--sample] [OUT]

runs Suricata over `day.pcap` (or, with --sample, over a few of its episodes) with local.rules and its
distribution's settings, and writes what it put into eve.json to OUT (tests/data/eve.json). Flow ids are
Suricata's own and differ from run to run, so a recording is made once and kept; captures, Wazuh alerts,
manifest and the demo's share follow from it and from code, byte for byte.
"""

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

from scapy.utils import wrpcap

from tests.generate import count, make_captures, make_demo, make_wazuh

DATA = Path(__file__).resolve().parent.parent / "data"
RULES = Path(__file__).with_name("local.rules")
SETTINGS = "/etc/suricata/suricata.yaml"
SAMPLE = ("bait", "pings", "phishing", "log4shell", "tagged", "web-shell", "oddities", "broken")


def record(suricata: str, *, sample: bool) -> bytes:
    """Return what Suricata writes to eve.json for the captures."""
    frames = (
        [frame for name in SAMPLE for frame in make_captures.episode(name)] if sample else make_captures.day()
    )
    with tempfile.TemporaryDirectory() as folder:
        capture = Path(folder, "capture.pcap")
        wrpcap(str(capture), sorted(frames, key=lambda frame: float(frame.time)))
        rules = Path(folder, "local.rules")
        rules.write_bytes(RULES.read_bytes())
        subprocess.run(
            [suricata, "-c", SETTINGS, "-S", str(rules), "-r", str(capture), "-l", folder, "-k", "none"],
            check=True,
            env={**os.environ, "TZ": "UTC"},
        )
        return Path(folder, "eve.json").read_bytes()


def follow() -> None:
    """Write what follows from tests/data/eve.json."""
    (DATA / "alerts.json").write_bytes(make_wazuh.make(DATA / "eve.json"))
    (DATA / "manifest.json").write_text(count.manifest(DATA))
    make_demo.write(DATA)


def main() -> None:
    """Record, then write what follows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suricata", default="suricata")
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("out", nargs="?", type=Path, default=DATA / "eve.json")
    asked = parser.parse_args()
    asked.out.write_bytes(record(asked.suricata, sample=asked.sample))
    follow()


if __name__ == "__main__":
    main()
