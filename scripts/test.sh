#!/bin/sh
# All tests. Most of them wait for programs, so two halves run at a time; the fault harness, which measures how
# soon a fresh alert is through, has the machine to itself.
set -eu
cd "$(dirname "$0")/.."
told=$(mktemp)
trap 'rm -f "$told"; kill 0 2>/dev/null' INT TERM
.venv/bin/python -m pytest -p no:cacheprovider tests/flow tests/packaging tests/socme > "$told" 2>&1 &
other=$!
failed=0
.venv/bin/python -m pytest --ignore=tests/faults --ignore=tests/flow --ignore=tests/packaging --ignore=tests/socme || failed=1
wait "$other" || failed=1
cat "$told"
rm -f "$told"
.venv/bin/python -m pytest tests/faults || failed=1
exit "$failed"
