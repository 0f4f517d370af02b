#!/usr/bin/env bash
# Makes sure the machine has what pip cannot bring: Python's venv and headers and a C++ compiler, or a browser for the tests.
# Usage: tools/system.sh build | browser
# As root on Debian it installs what is missing; otherwise it says in one line which command to run.
set -eu
python=${PYTHON:-python3}

offer() {  # offer 'what it is for' package…
  local purpose=$1; shift
  local command="apt-get install -y --no-install-recommends $*"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing $* ($purpose)"
    export DEBIAN_FRONTEND=noninteractive
    # An interrupted apt leaves half-configured packages; `dpkg --configure -a` mends them and does nothing otherwise.
    { dpkg --configure -a && apt-get update && $command; } >"${log:=$(mktemp)}" 2>&1 && rm -f "$log" && return
    tail -n 20 "$log" >&2
    echo "personalize: could not install $* ($purpose); the log is $log" >&2
  else
    echo "personalize: missing $* ($purpose); run: sudo sh -c 'apt-get update && $command'" >&2
  fi
  exit 1
}

build() {
  command -v "$python" >/dev/null || offer "Python 3.11 or newer" python3
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "personalize: needs Python 3.11 or newer, $python is $("$python" -V 2>&1); run: make PYTHON=python3.11" >&2
    exit 1
  }
  local missing=()
  "$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
  "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ||
    missing+=(python3-dev)
  command -v g++ >/dev/null || missing+=(g++)
  [ ${#missing[@]} = 0 ] || offer "to compile hnswlib, which has no wheels" "${missing[@]}"
}

browser() {
  [ -x /usr/bin/chromium ] || offer "the browser tests drive it" chromium
}

case "${1:-}" in
  build | browser) "$1" ;;
  *) echo "usage: tools/system.sh build | browser" >&2; exit 2 ;;
esac
