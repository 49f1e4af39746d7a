"""What a connected node takes while nothing happens: python -m bench.rest [--seconds 60].

A node as it is shipped (vitals four times a minute, a canary each) at a hub, over mutual TLS, beside a
bare client of the same gRPC that holds one stream open and does nothing (bench/bare_client.py): the floor.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import outcome
from bench.gauge import cpu_seconds, machine, memory_bytes, pause, wait_until
from socme.v1.uplink_pb2 import Hello, NodeMessage
from tests.flow.programs import Follow, Hub, Node, Stage, staged

SECONDS = 60
NODE, BARE, HUB = "node", "bare client", "hub"
SETTLE = 15.0  # seconds until what a start takes is over


def shipped(stage: Stage, hub: Hub, name: str) -> Node:
    """Return a node that is enrolled, with no setting that is not needed."""
    log = stage.folder / f"{name}.json"
    log.touch()
    node = stage.node(hub, "acme", name, Follow("suricata", log), start=False)
    node.config.write_text(node.config.read_text().replace("vitals_interval_seconds = 1\n", ""))
    return node


def bare(hub: Hub, identity: Path) -> "subprocess.Popen[bytes]":
    """Start the bare client with an identity."""
    hello = NodeMessage(hello=Hello(agent_version="0", epoch=bytes(16), instance=bytes(16)))
    hello.hello.time.GetCurrentTime()
    arguments = [hub.address, str(identity), hello.SerializeToString().hex()]
    return subprocess.Popen([sys.executable, "-m", "bench.bare_client", *arguments])


def figures(who: str, memory: int, core: float) -> dict[str, float]:
    """Return what somebody takes, by name, of bytes and of a core."""
    return {f"{who} MiB": memory / 2**20, f"{who} CPU": 100 * core}


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    outcome.add_options(parser)
    given = parser.parse_args()
    print(machine())
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, staged(Path(folder)) as stage:
        hub = stage.hub()
        node, other = (shipped(stage, hub, name) for name in ("n1", "n2"))
        client = bare(hub, other.folder / "state" / "identity")
        try:
            node.program.start()
            wait_until(lambda: node.status()["connection"] == "connected", "the node is connected")
            pause(SETTLE)
            pids = {NODE: node.program.pid, BARE: client.pid, HUB: hub.program.pid}
            before = {who: cpu_seconds(pid) for who, pid in pids.items()}
            pause(given.seconds)
            for who, pid in pids.items():
                used = (cpu_seconds(pid) - before[who]) / given.seconds
                found |= figures(who, memory_bytes(pid), used)
                print(f"{who:12}{found[f'{who} MiB']:7.1f} MiB {used:7.2%} of a core")
            ratio = found[f"{NODE} MiB"] / found[f"{BARE} MiB"]
            print(f"the node takes {ratio:.2f} times what the bare client takes")
        finally:
            client.send_signal(signal.SIGTERM)
            client.wait(10)
    return outcome.end("rest", given, [], found, {})


if __name__ == "__main__":
    sys.exit(main())
