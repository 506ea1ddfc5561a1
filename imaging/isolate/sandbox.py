"""Gives away what a process that only reads does not need: memory, time, core dumps, writing, the network.

A process that has to write may keep one folder for it.
The limits are POSIX ``setrlimit``; writing, starting programs and TCP are taken away by Landlock where the Linux
kernel has it (5.13 and later; TCP from 6.7). All of it binds the process itself, for good.
Source: man setrlimit(2), prctl(2), landlock(7); linux/landlock.h (bits and numbers).
"""

import ctypes
import math
import os
import resource
import signal
import sys
from pathlib import Path

from imaging.limits import Limits

NICENESS = 5
"""Below the processes that answer people; own choice."""

OPEN_FILES = 256
"""Files open at one time; reading needs a few."""

RESULT_MARGIN_BYTES = 128 * 1024**2
"""Room in the answer beside the voxels."""

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_SYS_CREATE_RULESET, _SYS_ADD_RULE, _SYS_RESTRICT_SELF = 444, 445, 446  # the same on all architectures
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_EXECUTE = 1
# Bits of LANDLOCK_ACCESS_FS_* by the version that brought them: execute (0), write (1), remove (4, 5) and make
# (6 to 12); refer (13); truncate (14); ioctl on devices (15). Reading files and folders (2, 3) is left.
_FS_BITS = {1: (0, 1, *range(4, 13)), 2: (13,), 3: (14,), 5: (15,)}
_NET_SINCE, _NET_BITS = 4, 0b11
_SCOPE_SINCE, _SCOPE_BITS = 6, 0b11


class _Ruleset(ctypes.Structure):
    """``struct landlock_ruleset_attr``."""

    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathRule(ctypes.Structure):
    """``struct landlock_path_beneath_attr``."""

    _pack_ = 1
    _fields_ = (("access", ctypes.c_uint64), ("folder", ctypes.c_int32))


def limit_resources(limits: Limits) -> None:
    """Bind memory, computing time, file size and open files of this process; lower its priority; no core dumps."""
    seconds = math.ceil(limits.seconds)
    result_bytes = 4 * limits.voxels + RESULT_MARGIN_BYTES
    _bind(resource.RLIMIT_CORE, 0)
    _bind(resource.RLIMIT_AS, limits.memory_bytes)
    _bind(resource.RLIMIT_CPU, seconds, grace=5)  # at the hard limit the kernel kills without a name
    _bind(resource.RLIMIT_FSIZE, result_bytes)
    _bind(resource.RLIMIT_NOFILE, OPEN_FILES)
    os.nice(NICENESS)


def give_up_rights(writable: Path | None = None) -> int:
    """Take writing, running programs and the network away from this process, as far as the kernel can.

    Args:
        writable: A folder in which the process may go on writing; None for none.

    Returns:
        The version of Landlock in force; 0 where there is none.
    """
    if not sys.platform.startswith("linux"):
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    # The child must not outlive the one who asked.
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return 0
    version = int(libc.syscall(_SYS_CREATE_RULESET, None, 0, _VERSION_FLAG))
    if version < 1:
        return 0
    ruleset = _ruleset(version)
    size = 24 if version >= _SCOPE_SINCE else 16 if version >= _NET_SINCE else 8
    descriptor = int(libc.syscall(_SYS_CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(size), 0))
    if descriptor < 0:
        return 0
    if writable is not None:
        _allow_writing(libc, descriptor, ruleset, writable)
    is_bound = libc.syscall(_SYS_RESTRICT_SELF, descriptor, 0) == 0
    os.close(descriptor)
    return version if is_bound else 0


def _ruleset(version: int) -> _Ruleset:
    bits = [bit for since, group in _FS_BITS.items() if since <= version for bit in group]
    return _Ruleset(
        fs=sum(1 << bit for bit in bits),
        net=_NET_BITS if version >= _NET_SINCE else 0,
        scoped=_SCOPE_BITS if version >= _SCOPE_SINCE else 0,
    )


def _allow_writing(libc: ctypes.CDLL, descriptor: int, ruleset: _Ruleset, folder: Path) -> None:
    """Except a folder from the ruleset, but for running programs."""
    opened = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = _PathRule(access=ruleset.fs & ~_EXECUTE, folder=opened)
        libc.syscall(_SYS_ADD_RULE, descriptor, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(opened)


def _bind(kind: int, value: int, *, grace: int = 0) -> None:
    """Lower a limit to ``value`` (hard: ``grace`` more); one that is lower already stays."""
    _, hard = resource.getrlimit(kind)
    highest = value + grace if hard == resource.RLIM_INFINITY else min(value + grace, hard)
    resource.setrlimit(kind, (min(value, highest), highest))
