"""The few system calls that Python has no name for."""

import ctypes
import os

NEW_MOUNTS, NEW_HOST_NAME, NEW_IPC = 0x20000, 0x4000000, 0x8000000
NEW_USERS, NEW_PROCESSES, NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000

READ_ONLY, NO_SETUID, NO_DEVICES, REMOUNT = 0x1, 0x2, 0x4, 0x20
BIND, RECURSIVE, PRIVATE = 0x1000, 0x4000, 0x40000

_DIE_WITH_PARENT, _DUMPABLE, _KEEP_CAPABILITIES, _NO_NEW_PRIVILEGES = 1, 4, 8, 38
_READ_ALL_FILES = 1 << 2
_MOUNT_SETATTR = 442  # the same number on every architecture
_EVERYTHING_BELOW = 0x8000
_CAPABILITIES_V3 = 0x20080522
_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Leave the namespaces that the flags name for new ones."""
    _done("unshare", _libc.unshare(ctypes.c_int(flags)))


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """Mount, bind or remount."""
    result = _libc.mount(_text(source), _text(target), _text(kind), ctypes.c_ulong(flags), _text(options))
    _done(f"mount {target}", result)


def make_read_only(path: str) -> None:
    """Nothing at or below the path can be written to, run as another user, or opened as a device."""
    attributes = (ctypes.c_uint64 * 4)(READ_ONLY | NO_SETUID | NO_DEVICES, 0, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    result = _libc.syscall(
        ctypes.c_long(_MOUNT_SETATTR), -1, _text(path), ctypes.c_uint(_EVERYTHING_BELOW), attributes, size
    )
    _done(f"mount_setattr {path}", result)


def make_root(path: str) -> None:
    """The path becomes /, and what was / is out of reach."""
    os.chdir(path)
    _done("pivot_root", _libc.pivot_root(b".", b"."))
    _done("umount2", _libc.umount2(b".", ctypes.c_int(_DETACH)))
    os.chdir("/")


def keep_capabilities() -> None:
    """A change of user does not take the capabilities away; `give_up_capabilities` has to."""
    _prctl("keepcaps", _KEEP_CAPABILITIES, 1)


def give_up_capabilities(but_to_read: bool) -> None:
    """No capability is left, or only the one to read all files; no program that is started from here has any."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_V3, 0)
    left = _READ_ALL_FILES if but_to_read else 0
    _done("capset", _libc.capset(header, (ctypes.c_uint32 * 6)(left, left)))
    _prctl("no_new_privs", _NO_NEW_PRIVILEGES, 1)


def die_with_parent() -> None:
    """When the process that started this one ends, so does this one; a change of user undoes it."""
    _prctl("pdeathsig", _DIE_WITH_PARENT, 9)


def hide_memory() -> None:
    """Processes of the same user cannot look into this one."""
    _prctl("dumpable", _DUMPABLE, 0)


def _prctl(what: str, option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    _done(f"prctl {what}", _libc.prctl(ctypes.c_int(option), ctypes.c_ulong(value), zero, zero, zero))


def _done(what: str, result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _text(value: str | None) -> bytes | None:
    return None if value is None else os.fsencode(value)
