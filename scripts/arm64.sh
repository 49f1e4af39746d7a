#!/bin/sh
# Ask the package index for wheels for 64-bit ARM of everything that the programs need, in the versions and with the hashes of
# requirements-runtime.lock. Prints one wheel a line, and fails where one is missing. It downloads some 50 MB, so it is no
# part of `make check`; docs/raspberry-pi.md has what it said.
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Raspberry Pi OS has Python 3.13, and the one before it has 3.11.
for version in 3.11 3.13; do
  .venv/bin/python -m pip download -qq --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
    --implementation cp --python-version "$version" \
    --platform manylinux2014_aarch64 --platform manylinux_2_17_aarch64 --platform manylinux_2_28_aarch64 \
    -d "$folder" -r requirements-runtime.lock
  echo "Python $version:"
  find "$folder" -name '*.whl' -printf '  %f\n' | sort
  rm -f "$folder"/*
done
