#!/bin/sh
# Pin all that requirements.txt brings, with hashes, for every platform and for Python from 3.11 on: `make lock`.
# What is pinned already stays as it is where requirements.txt allows; ARGS=--upgrade takes the newest.
#
# PyTorch, and what its build for Linux brings for CUDA, stands in a file of its own: a machine without an NVIDIA GPU
# takes all but these, and then PyTorch's own build without CUDA, which PyPI does not have.
set -eu
cd "$(dirname "$0")/.."
all=$(mktemp)
trap 'rm -f "$all"' EXIT

compile() {
  $UV pip compile requirements.txt --quiet --universal --python-version 3.11 --generate-hashes \
    --no-annotate --custom-compile-command "make lock" "$@"
}
names() { sed -nE 's/^([a-z0-9.-]+)==.*/\1/p' "$1"; }
without() { sed 's/^/--no-emit-package /'; }

cat deploy/app.lock deploy/torch.lock > "$all" 2>/dev/null || true
compile "$@" --output-file "$all"
compile --output-file deploy/app.lock --constraint "$all" $(names "$all" | grep -E '^(torch|triton|cuda-.*|nvidia-.*)$' | without)
compile --output-file deploy/torch.lock --constraint "$all" $(names deploy/app.lock | without)
