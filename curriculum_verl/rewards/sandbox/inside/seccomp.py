"""The system calls that a program may not make, as a filter that the kernel applies to it and all it starts."""

import ctypes
import errno
import os
import struct

# What a call is refused with: the filter says "not permitted", as the kernel itself would.
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_X32 = 0x40000000  # x86-64 only: a second set of numbers for the same calls

_THREAD = 0x10000
_NAMESPACES = 0x7E020000
_DIE_WITH_PARENT = 1

# By name: number on x86-64, number on 64-bit Arm (None where there is no such call).
_REFUSED: dict[str, tuple[int, int | None]] = {
    # other processes' memory and state
    **{"ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272)},
    **{"pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "process_madvise": (440, 440)},
    **{"process_mrelease": (448, 448), "migrate_pages": (256, 238), "move_pages": (279, 239)},
    **{"setpriority": (141, 140), "sched_setscheduler": (144, 119), "sched_setparam": (142, 118)},
    **{"sched_setattr": (314, 274), "sched_setaffinity": (203, 122), "ioprio_set": (251, 30)},
    # the network, and what could open a socket without asking for one
    **{"socket": (41, 198), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426)},
    **{"io_uring_register": (427, 427)},
    # memory that no limit counts
    **{"memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "msgget": (68, 186)},
    **{"semget": (64, 190), "mq_open": (240, 180), "userfaultfd": (323, 282)},
    # mounts and namespaces
    **{"unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39)},
    **{"pivot_root": (155, 41), "chroot": (161, 51), "mount_setattr": (442, 442), "open_tree": (428, 428)},
    **{"move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432)},
    **{"fspick": (433, 433), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265)},
    **{"fanotify_init": (300, 262), "quotactl": (179, 60)},
    # the kernel itself
    **{"add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "bpf": (321, 280)},
    **{"perf_event_open": (298, 241), "kexec_load": (246, 104), "kexec_file_load": (320, 294)},
    **{"init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "reboot": (169, 142)},
    **{"swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "settimeofday": (164, 170)},
    **{"clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266)},
    **{"sethostname": (170, 161), "setdomainname": (171, 162), "iopl": (172, None), "ioperm": (173, None)},
    **{"personality": (135, 92), "syslog": (103, 116), "modify_ldt": (154, None)},
}
# Without a process namespace a signal would reach any process of the user, and a new session would hide a program.
_REFUSED_IN_THE_OPEN: dict[str, tuple[int, int | None]] = {
    **{"kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138)},
    **{"rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424), "setsid": (112, 157), "setpgid": (109, 154)},
}
_NEW_PROCESS: dict[str, tuple[int, int | None]] = {"fork": (57, None), "vfork": (58, None)}
_CLONE, _CLONE3, _PRLIMIT, _PRCTL = (56, 220), (435, 435), (302, 261), (157, 167)

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def supported() -> bool:
    """Whether the numbers of this machine's system calls are known here."""
    return os.uname().machine in _ARCHITECTURES


def refuse_calls(may_start_processes: bool, in_the_open: bool) -> None:
    """From here on this process, and all that it starts, cannot make these calls; it cannot be undone."""
    program = b"".join(_filter(os.uname().machine, may_start_processes, in_the_open))
    instructions = ctypes.create_string_buffer(program, len(program))
    address = ctypes.addressof(instructions)
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program) // 8, address), 16)
    libc = ctypes.CDLL(None, use_errno=True)
    set_seccomp, filtered = 22, 2
    if libc.prctl(set_seccomp, ctypes.c_ulong(filtered), header, ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")


def _filter(machine: str, may_start_processes: bool, in_the_open: bool) -> list[bytes]:
    column, architecture = _ARCHITECTURES[machine]
    refused = dict(_REFUSED)
    if in_the_open:
        refused |= _REFUSED_IN_THE_OPEN
    if not may_start_processes:
        refused |= _NEW_PROCESS
    program = [_load(_ARCHITECTURE), _step(_EQUAL, architecture, 1, 0), _step(_RETURN, _KILL), _load(_NUMBER)]
    if machine == "x86_64":
        program += _refuse_if(_AT_LEAST, _X32, errno.ENOSYS)
    for numbers in refused.values():
        number = numbers[column]
        if number is not None:
            program += _refuse_if(_EQUAL, number, errno.EPERM)
    # The flags of clone3 lie in memory, where a filter cannot look; the C library then falls back to clone.
    program += _refuse_if(_EQUAL, _CLONE3[column], errno.ENOSYS)
    program += _with_argument(_CLONE[column], _refuse_if(_ANY_BIT, _NAMESPACES, errno.EPERM))
    if not may_start_processes:
        program += _with_argument(_CLONE[column], [_step(_ANY_BIT, _THREAD, 1, 0), _refuse(errno.EAGAIN)])
    program += _with_argument(_PRLIMIT[column], [_step(_EQUAL, 0, 1, 0), _refuse(errno.EPERM)])
    if in_the_open:
        program += _with_argument(_PRCTL[column], _refuse_if(_EQUAL, _DIE_WITH_PARENT, errno.EPERM))
    return [*program, _step(_RETURN, _ALLOW)]


def _with_argument(number: int, steps: list[bytes]) -> list[bytes]:
    """Steps that look at the first argument, for one call alone; after them the number is loaded again."""
    inner = [_load(_FIRST_ARGUMENT), *steps, _load(_NUMBER)]
    return [_step(_EQUAL, number, 0, len(inner)), *inner]


def _refuse_if(test: int, value: int, reason: int) -> list[bytes]:
    return [_step(test, value, 0, 1), _refuse(reason)]


def _refuse(reason: int) -> bytes:
    return _step(_RETURN, _REFUSE | reason)


def _load(offset: int) -> bytes:
    return _step(_LOAD, offset)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)
