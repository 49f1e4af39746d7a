#!/bin/sh
# Renew both lock files from pyproject.toml: every version with its hashes for every platform, and no address of a
# registry. Give --upgrade to move to the newest versions; without it, what still fits stays.
set -eu
cd "$(dirname "$0")/.."
lock() {
  output=$1
  shift
  uv pip compile -q pyproject.toml --universal --python-version 3.11 \
    --generate-hashes --no-annotate --no-header -o "$output" "$@"
}
lock requirements.lock --all-extras --group dev "$@"
# For servers: the same versions without the tools, and without what an export alone needs (the extra "parquet").
lock requirements-runtime.lock --extra artemis --extra zeus --extra hermes --constraints requirements.lock "$@"
