#!/usr/bin/env bash
# Compiles store/loops/_loops.py, the inner loops of an answer, beside its source: Cython makes C of it, the compiler a
# module. Portable: no instruction this very processor may have and another not.
set -eu
cd "$(dirname "$0")/.."
python=.venv/bin/python
include=$($python -c 'import sysconfig, numpy; print("-I" + sysconfig.get_path("include"), "-I" + numpy.get_include())')
target=store/loops/_loops$($python -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
.venv/bin/cython -3 --module-name store.loops._loops -o "$made/_loops.c" store/loops/_loops.py
# Sums may be taken in any order, so that they are taken several at a time; infinities and nan stay what they are.
${CC:-gcc} -O3 -fno-math-errno -fno-trapping-math -fno-signed-zeros -fassociative-math -fPIC -shared -fvisibility=hidden \
  -ffile-prefix-map="$PWD"=. -ffile-prefix-map="$made"=. -w -DNPY_NO_DEPRECATED_API=NPY_1_7_API_VERSION $include \
  "$made/_loops.c" -o "$made/_loops.so" -lm
strip --strip-unneeded "$made/_loops.so"
rm -f store/loops/_loops*.so
mv "$made/_loops.so" "$target"
