"""Run seeds from the command line: one again, or new ones until the time is over; or choose some.

python -m tests.faults.run --seed 123        # make faults SEED=123
python -m tests.faults.run --minutes 60      # make soak MINUTES=60
python -m tests.faults.run --choose 12       # seeds for test_seeds.py, after a change of plan.py
"""

import argparse
import secrets
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from tests.faults.choice import choose
from tests.faults.judge import complaints
from tests.faults.plan import SECONDS, plan_for, told
from tests.faults.trial import perform
from tests.mounts import apart


def judged(folder: Path, *, seed: int, seconds: float = SECONDS, keep: bool = False) -> list[str]:
    """Carry out the plan of a seed below a new folder; return what is wrong.

    With `keep`, the programs' state is kept where something is.
    """
    plan = plan_for(seed, seconds=seconds)
    print(told(plan), flush=True)  # noqa: T201 - what a person waits for
    try:
        evidence = perform(plan, folder, keep=keep)
    except AssertionError as error:
        return [str(error)]
    except Exception:  # noqa: BLE001 - whatever it is, the command that shows it again must be told with it
        return [traceback.format_exc()]
    fresh = "never" if evidence.fresh_seconds is None else f"{evidence.fresh_seconds:.2f} s"
    print(  # noqa: T201
        f"  {len(evidence.issued)} issued, {len(evidence.stored)} stored, {len(evidence.gaps)} gaps, fresh in"
        f" {fresh}, node {evidence.node.bytes >> 20} MiB, hub {evidence.hub.bytes >> 20} MiB",
        flush=True,
    )
    return complaints(evidence)


def replay(seed: int, seconds: float = SECONDS) -> str:
    """Return the command that runs a seed again."""
    if seconds == SECONDS:
        return f"make faults SEED={seed}"
    return f"python -m tests.faults.run --seed {seed} --seconds {seconds:g}"


def _seeds(minutes: float) -> Iterator[int]:
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end:
        yield secrets.randbelow(10**9)


def main() -> int:
    """Return the exit code: 0 where nothing is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--seed", type=int, help="carry out the plan of this seed")
    which.add_argument("--minutes", type=float, help="new seeds for so long; stops at the first that fails")
    which.add_argument("--choose", type=int, help="print so many seeds that together hold everything")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of writing in each run")
    parser.add_argument("--keep", action="store_true", help="keep the folder of a run that failed")
    given = parser.parse_args()
    if given.choose is not None:
        print(*choose(given.choose), sep=", ")  # noqa: T201
        return 0
    apart()
    seeds = [given.seed] if given.seed is not None else _seeds(given.minutes)
    for seed in seeds:
        folder = Path(tempfile.mkdtemp(prefix="socme-faults-"))
        wrong = judged(folder / "run", seed=seed, seconds=given.seconds, keep=given.keep)
        if wrong:
            print("\n".join(["", *wrong, "", f"again: {replay(seed, given.seconds)}"]))  # noqa: T201
            if given.keep:
                print(f"left behind: {folder}")  # noqa: T201
                return 1
        shutil.rmtree(folder, ignore_errors=True)
        if wrong:
            return 1
    print("nothing is wrong")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
