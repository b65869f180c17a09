"""Run a program as user nobody when we are root, for PostgreSQL refuses to run as root.

The program keeps one right of root, to pass closed folders (CAP_DAC_OVERRIDE), because the data directory and the
environment of Python may lie under /root. Nobody can use that right from outside: the socket is open to root alone.
Run as a script of its own, so that the rights are dropped in a process with one thread and nothing to lose.
"""

import ctypes
import os
import pwd
import sys

_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def command(arguments: list[str]) -> list[str]:
    """Return the command that runs these arguments without being root."""
    if os.geteuid() != 0:
        return arguments
    return [sys.executable, "-I", "-S", __file__, *arguments]


def become_nobody() -> None:
    """Give up all rights of root but the one to pass closed folders, here and in the programs that follow."""
    libc = ctypes.CDLL(None, use_errno=True)
    user = pwd.getpwnam("nobody")
    _check(libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setgroups([])
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    sets = (_Sets * 2)()
    bit = 1 << _CAP_DAC_OVERRIDE
    sets[0].effective = sets[0].permitted = sets[0].inheritable = bit
    _check(libc.capset(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), sets))
    _check(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _main() -> None:
    try:
        become_nobody()
    except (OSError, KeyError) as error:
        sys.exit(f"FATAL: this root user may not become user nobody, as which PostgreSQL would run ({error})")
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606  # the program is ours, and there is no shell


if __name__ == "__main__":
    _main()
