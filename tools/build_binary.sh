#!/usr/bin/env bash
# Builds dist/personalize, one executable file for Linux machines without Python (same processor family, glibc as new as here).
# The file is kept in .cache/ under a hash of everything it was made from, so an unchanged program is not built twice.
set -eu
cd "$(dirname "$0")/.."
bin=.venv/bin
export SOURCE_DATE_EPOCH=315532800 PYTHONHASHSEED=0  # the same sources give the same file

hash=$({
  "$bin/python" -VV
  find app plugins store web tools/personalize.spec tools/build_binary.sh requirements.lock personalize.toml \
    -type f ! -name '*.pyc' -print0 2>/dev/null | sort -z | xargs -0 sha256sum
} | sha256sum | cut -c1-32)
kept=.cache/binary/$hash/personalize

if [ ! -x "$kept" ]; then
  # A library compiled for this very processor would crash on the shop's machine.
  library=$("$bin/python" -c 'import hnswlib; print(hnswlib.__file__)')
  if [ "$(uname -m)" = x86_64 ] && objdump -d "$library" | grep -qE '%(y|z)mm'; then
    echo "tools/build_binary.sh: $library was compiled for this processor only; run: rm .venv/stamps/hnswlib && make binary" >&2
    exit 1
  fi
  started=$(date +%s)
  mkdir -p build
  "$bin/pyinstaller" --noconfirm --clean --log-level WARN --distpath build/dist --workpath build/work tools/personalize.spec \
    >build/pyinstaller.log 2>&1 || { tail -n 30 build/pyinstaller.log >&2; exit 1; }
  rm -rf .cache/binary && mkdir -p "$(dirname "$kept")"
  mv build/dist/personalize "$kept"
  echo "built in $(($(date +%s) - started)) s"
fi
mkdir -p dist
ln -f "$kept" dist/personalize 2>/dev/null || cp -f "$kept" dist/personalize
bytes=$(stat -c %s dist/personalize)
echo "dist/personalize: $((bytes / 1000000)) MB"
[ "$bytes" -le 100000000 ] || { echo "tools/build_binary.sh: over the limit of 100 MB" >&2; exit 1; }
