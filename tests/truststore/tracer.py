"""Run a function in a child process and kill it at a chosen system call.

The child is a fork, so all modules are imported already and only the function's own system calls
are walked. Each call stops twice, before it is done and after. Linux only; nothing here depends on
the machine but the numbers in ``CALLS``.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_TRACEME, _SYSCALL, _SETOPTIONS, _GET_SYSCALL_INFO = 0, 24, 0x4200, 0x420E
_O_TRACESYSGOOD, _O_EXITKILL = 0x1, 0x100000
_SYSCALL_STOP: Final = signal.SIGTRAP | 0x80
_ENTRY: Final = 1
#: Exit code of a child that may not be traced.
_NOT_PERMITTED: Final = 77

_CALLS_BY_MACHINE: Final = {
    "x86_64": {74: "fsync", 82: "rename", 264: "rename", 316: "rename"},
    "aarch64": {82: "fsync", 38: "rename", 276: "rename"},
}
#: Numbers of the calls that matter, on this machine.
CALLS: Final[dict[int, str]] = _CALLS_BY_MACHINE.get(platform.machine(), {})


class NotPermittedError(Exception):
    """This system lets no process trace another."""


@dataclass
class Walk:
    """How far a child came."""

    killed: bool
    stops: int
    calls: list[str] = field(default_factory=list)  #: those in ``CALLS``, in order


class _SyscallInfo(ctypes.Structure):
    _fields_ = (
        ("op", ctypes.c_uint8),
        ("pad", ctypes.c_uint8 * 3),
        ("arch", ctypes.c_uint32),
        ("instruction_pointer", ctypes.c_uint64),
        ("stack_pointer", ctypes.c_uint64),
        ("number", ctypes.c_uint64),
        ("arguments", ctypes.c_uint64 * 6),
    )


def walk(function: Callable[[], object], kill_at: int | None = None) -> Walk:
    """Run ``function`` in a child and kill it at its stop number ``kill_at``, counted from 1.

    Raises:
        NotPermittedError: tracing is not possible here.
        AssertionError: the function failed in the child.
    """
    child = os.fork()
    if child == 0:
        _be_traced(function)
    _, status = os.waitpid(child, 0)
    if not os.WIFSTOPPED(status) or _ptrace(_SETOPTIONS, child, 0, _O_TRACESYSGOOD | _O_EXITKILL):
        if os.WIFSTOPPED(status):
            _kill(child)
        raise NotPermittedError
    result = Walk(killed=False, stops=0)
    forward = 0
    while True:
        _ptrace(_SYSCALL, child, 0, forward)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            return result
        assert os.WIFSTOPPED(status)
        forward = 0 if os.WSTOPSIG(status) == _SYSCALL_STOP else os.WSTOPSIG(status)
        if forward:
            continue
        result.stops += 1
        if result.stops == kill_at:
            _kill(child)
            result.killed = True
            return result
        if kill_at is None:
            _note_call(child, result.calls)


def _be_traced(function: Callable[[], object]) -> None:
    """Stop for the tracer, run the function, end; never return into the test run."""
    code = 1
    try:
        if _ptrace(_TRACEME, 0, 0, 0):
            os._exit(_NOT_PERMITTED)
        os.kill(os.getpid(), signal.SIGSTOP)
        function()
        code = 0
    finally:
        os._exit(code)


def _note_call(child: int, calls: list[str]) -> None:
    info = _SyscallInfo()
    size = ctypes.sizeof(info)
    if _ptrace(_GET_SYSCALL_INFO, child, size, ctypes.addressof(info)) > 0 and info.op == _ENTRY:
        name = CALLS.get(info.number)
        if name is not None:
            calls.append(name)


def _kill(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _ptrace(request: int, process: int, address: int, data: int) -> int:
    if sys.platform != "linux":
        raise NotPermittedError
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.restype = ctypes.c_long
    libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    return int(libc.ptrace(request, process, address, data))
