#!/usr/bin/env bash
# Compiles store/loops/source, the inner loops of an answer and of a training, into one module: Cython makes C of them,
# the compiler a module. Portable: no instruction this very processor may have and another not. Where processors of this
# family may have wider ones, a second module, _wide, is made for those: store/loops/compiled.py looks at the processor.
set -eu
cd "$(dirname "$0")/.."
python=.venv/bin/python
include=$($python -c 'import sysconfig, numpy; print("-I" + sysconfig.get_path("include"), "-I" + numpy.get_include())')
suffix=$($python -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT

$python tools/join_loops.py >"$made/_loops.py"

build() { # name, further options of the compiler
  name=$1
  shift
  .venv/bin/cython -3 --module-name "store.loops.$name" -o "$made/$name.c" "$made/_loops.py"
  # Sums may be taken in any order, so that they are taken several at a time; infinities and nan stay what they are.
  ${CC:-gcc} -O3 "$@" -fno-math-errno -fno-trapping-math -fno-signed-zeros -fassociative-math -fPIC -shared \
    -fvisibility=hidden -ffile-prefix-map="$PWD"=. -ffile-prefix-map="$made"=. -w \
    -DNPY_NO_DEPRECATED_API=NPY_1_7_API_VERSION $include "$made/$name.c" -o "$made/$name.so" -lm
  strip --strip-unneeded "$made/$name.so"
}

names=_loops
build _loops &
if [ "$(uname -m)" = x86_64 ]; then
  names="$names _wide"
  build _wide -mavx2 -mfma
fi
wait $!
rm -f store/loops/_loops*.so store/loops/_wide*.so
for name in $names; do mv "$made/$name.so" "store/loops/$name$suffix"; done
