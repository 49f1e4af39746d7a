"""`artemis run` in a hurry: python -m bench.hasty SECONDS … CONFIG. It tells its vitals each so many seconds.

For bench.day. The settings know no such haste, which nobody needs.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

from artemis_agent.plan import Plan
from socme import logs, service
from socme.apart import apart


def plan(config: Path, vitals_seconds: float) -> Plan:
    """Return what settings come to, but for the vitals."""
    from artemis_agent import config as configs  # noqa: PLC0415 - it shall not stay, as in `artemis run`

    return replace(configs.plan(config), vitals_seconds=vitals_seconds)


def main() -> None:
    """Run the agent."""
    logs.set_up()
    os.umask(0o077)
    hasty = apart(lambda: plan(Path(sys.argv[-1]), float(sys.argv[1])))

    from artemis_agent import agent  # noqa: PLC0415 - gRPC has threads

    service.run(lambda notifier: agent.run(hasty, notifier))


if __name__ == "__main__":
    main()
