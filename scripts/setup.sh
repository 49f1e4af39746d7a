#!/bin/sh
# Make .venv from requirements.lock and this tree. Does nothing where that was done already.
set -eu
cd "$(dirname "$0")/.."
stamp=.venv/.ready
# The path counts too: a virtual environment that was moved or copied starts the wrong programs.
wanted="$(cat requirements.lock pyproject.toml scripts/setup.sh | cksum) $PWD"
if [ "$(cat "$stamp" 2>/dev/null || true)" = "$wanted" ]; then exit 0; fi

case "$(head -n 1 .venv/bin/pytest 2>/dev/null || true)" in
  "#!$PWD/"*) ;;
  *) rm -rf .venv ;;
esac

with_uv() {
  here=$PWD
  if ! [ -x .venv/bin/python ]; then uv venv -q --python "${UV_PYTHON:->=3.11}" .venv; fi &&
    # From elsewhere: here it would read the constraints of pyproject.toml, which have no hashes. Compiled, as pip
    # does by itself: a program takes twice as long to start where nothing is, and may not be written.
    (cd / && uv pip install -q --compile-bytecode --python "$here/.venv/bin/python" --require-hashes -r "$here/requirements.lock") &&
    uv pip install -q --python .venv/bin/python --no-deps --no-build-isolation -e .
}

with_pip() {
  python=
  for each in python3 python3.14 python3.13 python3.12 python3.11; do
    # Debian without python3-venv has venv, but not ensurepip.
    if "$each" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      python=$each
      break
    fi
  done
  if [ -z "$python" ]; then
    echo "SOCme needs uv, or Python 3.11 or newer with its venv module. Install one of them and try again:" >&2
    echo "  Debian, Ubuntu, Raspberry Pi OS: sudo apt install python3-venv" >&2
    echo "  macOS: brew install uv" >&2
    return 1
  fi
  "$python" -m venv --clear .venv &&
    .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock &&
    .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
}

echo "Setting up .venv (once; about 10 s with uv, a minute or two without) ..." >&2
if command -v uv >/dev/null 2>&1 && with_uv; then :; else with_pip; fi
echo "$wanted" > "$stamp"
