"""The walls: namespaces, a root of read-only folders, a user of no rights."""
# Paths are text here: pathlib would double the time in which a sandbox starts.
# ruff: noqa: PTH103, PTH112, PTH114, PTH115, PTH120, PTH211

import os
from contextlib import suppress

from curriculum_verl.rewards.sandbox.inside import kernel

WORK = "/tmp"  # the one folder behind the walls that can be written to; it is memory
_UNDER_CONSTRUCTION = "/proc"  # exists everywhere, and none of the folders to show lies in it
_DEVICES = ("null", "zero", "random", "urandom")
_FIRST_USER, _NOBODY = 100_000_000, 65534


def enter_namespaces(readable: list[str], file_mb: int) -> None:
    """No network, none of the machine's processes, and no files but the readable folders and an empty WORK.

    Takes effect for the processes that are forked from here.
    """
    flags = kernel.NEW_MOUNTS | kernel.NEW_NETWORK | kernel.NEW_PROCESSES | kernel.NEW_IPC | kernel.NEW_HOST_NAME
    if os.geteuid() == 0:
        kernel.unshare(flags)
    else:
        _unshare_as_user(flags)
    kernel.mount(None, "/", None, kernel.RECURSIVE | kernel.PRIVATE)
    _build_root(readable, file_mb)


def _unshare_as_user(flags: int) -> None:
    user, group = os.geteuid(), os.getegid()
    kernel.unshare(flags | kernel.NEW_USERS)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(descriptor, text.encode())
        os.close(descriptor)


def _build_root(readable: list[str], file_mb: int) -> None:
    safe = kernel.NO_SETUID | kernel.NO_DEVICES
    root = _UNDER_CONSTRUCTION
    kernel.mount("tmpfs", root, "tmpfs", safe, "size=1m,mode=755")
    for folder in readable:
        _show(folder, root)
    _show_devices(root)
    os.makedirs(root + WORK, exist_ok=True)
    kernel.mount("tmpfs", root + WORK, "tmpfs", safe, f"size={file_mb}m,nr_inodes=10000,mode=1777")
    kernel.make_root(root)
    kernel.mount(None, "/", None, kernel.REMOUNT | kernel.BIND | kernel.READ_ONLY | safe)


def _show(folder: str, root: str) -> None:
    """A folder of the machine at the same path; a link stays a link, and what is not there is left out."""
    if os.path.islink(folder):
        os.makedirs(os.path.dirname(root + folder), exist_ok=True)
        with suppress(FileExistsError):
            os.symlink(os.readlink(folder), root + folder)
    elif os.path.isdir(folder) and not os.path.ismount(root + folder):
        os.makedirs(root + folder, exist_ok=True)
        kernel.mount(folder, root + folder, None, kernel.BIND | kernel.RECURSIVE)
        kernel.make_read_only(root + folder)


def _show_devices(root: str) -> None:
    os.makedirs(f"{root}/dev")
    for name in _DEVICES:
        target = f"{root}/dev/{name}"
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY))
        kernel.mount(f"/dev/{name}", target, None, kernel.BIND)


def become_nobody(number: int, namespaces: bool) -> None:
    """No capability, and where this was root a user that owns nothing: one for each sandbox, so that none counts
    or signals the processes of another. In the open it may still read what root may: Python itself can lie there.
    """
    was_root = os.geteuid() == 0
    if was_root:
        kernel.keep_capabilities()
        os.setgroups([])
        own = _FIRST_USER + number
        try:
            os.setresgid(own, own, own)
            os.setresuid(own, own, own)
        except OSError:  # a container that has no such users
            os.setresgid(_NOBODY, _NOBODY, _NOBODY)
            os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    kernel.give_up_capabilities(but_to_read=was_root and not namespaces)
    kernel.hide_memory()
