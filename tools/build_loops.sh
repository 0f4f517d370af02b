#!/usr/bin/env bash
# Compiles store/loops/_loops.c, the inner loops of an answer, beside its source. Portable: no instruction this very
# processor may have and another not. One file serves every Python from 3.11 on (the stable ABI).
set -eu
cd "$(dirname "$0")/.."
include=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("include"))')
target=store/loops/_loops.abi3.so
${CC:-gcc} -std=c11 -O3 -fPIC -shared -fvisibility=hidden -ffile-prefix-map="$PWD"=. -Wall -Wextra -Wno-unused-parameter \
  -I"$include" store/loops/_loops.c -o "$target.new" -lm
strip --strip-unneeded "$target.new"
mv "$target.new" "$target"
