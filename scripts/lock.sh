#!/bin/sh
# Renew both lock files from pyproject.toml: every version with its hashes for every platform, and no address of a
# registry. Give --upgrade to move to the newest versions; without it, what still fits stays.
set -eu
cd "$(dirname "$0")/.."
lock() {
  output=$1
  shift
  uv pip compile -q pyproject.toml --all-extras --universal --python-version 3.11 \
    --generate-hashes --no-annotate --no-header -o "$output" "$@"
}
lock requirements.lock --group dev "$@"
# For servers: the same versions without the tools.
lock requirements-runtime.lock --constraints requirements.lock "$@"
