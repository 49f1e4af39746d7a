#!/bin/sh
# Generate socme/v1 from proto/socme/v1 with the pinned generator, into the folder given (default: this tree).
set -eu
cd "$(dirname "$0")/.."
out=${1:-.}
venv=.proto-venv
sum=$(cksum < proto/requirements.txt)
if [ "$(cat "$venv/.ready" 2>/dev/null || true)" != "$sum" ]; then
  rm -rf "$venv"
  if command -v uv >/dev/null 2>&1; then
    uv venv -q --python 3.11 "$venv"
    uv pip install -q --python "$venv/bin/python" -r proto/requirements.txt
  else
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check -r proto/requirements.txt
  fi
  echo "$sum" > "$venv/.ready"
fi
mkdir -p "$out"
PATH="$PWD/$venv/bin:$PATH" "$venv/bin/python" -m grpc_tools.protoc -Iproto \
  --python_out="$out" --grpc_python_out="$out" --mypy_out="$out" --mypy_grpc_out="$out" \
  proto/socme/v1/*.proto
