"""Runs a program as on a small machine: one core, so much memory, one folder to write to, no way out to the network.

Run: python tests/confined.py FOLDER MEGABYTES PROGRAM ARGUMENT…

Writes the most memory that it and its children ever had, in kB, to FOLDER/used. It is not asked of the process that
was started: to the kernel a program has at least what the one had that started it, and a whole run of tests has much.
"""

import ctypes
import os
import resource
import signal
import struct
import sys
from pathlib import Path

_CREATE, _ADD, _RESTRICT, _NO_NEW_PRIVILEGES = 444, 445, 446, 38
_PATH_BENEATH = 1
_WRITE_FILE = 1 << 1
_CONNECT_TCP = 1 << 1
_DIE_WITH_PARENT = 1
_libc = ctypes.CDLL(None, use_errno=True)


def landlock() -> int:
    """Version of the kernel's Landlock; 0 = it has none, and nothing is confined by it."""
    return max(0, int(_libc.syscall(_CREATE, None, ctypes.c_size_t(0), 1)))


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "landlock refused")
    return result


def write_only_to(folder: str) -> None:
    """From now on this process and its children write nowhere else, and with version 4 connect to nobody by TCP."""
    version = landlock()
    if not version:
        return
    # Writing, removing, making of any kind; moving and truncating where the kernel knows them.
    changes = _WRITE_FILE | sum(1 << bit for bit in range(4, 13 + (version >= 2) + (version >= 3)))
    rules = struct.pack("QQ", changes, _CONNECT_TCP) if version >= 4 else struct.pack("Q", changes)
    ruleset = _checked(_libc.syscall(_CREATE, rules, ctypes.c_size_t(len(rules)), 0))
    for path, allowed in ((folder, changes), ("/dev/null", _WRITE_FILE)):
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        _checked(_libc.syscall(_ADD, ruleset, _PATH_BENEATH, struct.pack("=Qi", allowed, handle), 0))
    _checked(_libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _checked(_libc.syscall(_RESTRICT, ruleset, 0))


def main(folder: str, megabytes: int, program: list[str]) -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20, megabytes << 20))
    write_only_to(folder)
    child = os.fork()
    if not child:
        _libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        os.execv(program[0], program)
    signal.signal(signal.SIGTERM, lambda number, _: os.kill(child, number))
    _, status, used = os.wait4(child, 0)
    Path(folder, "used").write_text(str(used.ru_maxrss))
    sys.exit(os.waitstatus_to_exitcode(status) % 256)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
