"""The check of devices: without /dev/null hardly any program works."""

import os
import stat
from collections.abc import Mapping

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Finding, Remedy, Verdict, failure, found

_DEVICES: Mapping[str, tuple[int, int]] = {
    "null": (1, 3),
    "zero": (1, 5),
    "full": (1, 7),
    "random": (1, 8),
    "urandom": (1, 9),
    "tty": (5, 0),
}
"""The devices of every container, each with its major and minor number (Documentation/admin-guide/devices.txt
in the kernel's source)."""
_ALL = 0o666
_SHARED = 0o777
"""The sticky bit is not asked for: a volume of a pod has none."""


@check("system.devices", "devices", needs=[Need.LIVE])
def devices(context: Context) -> Verdict:
    """The devices are there, and all users may use them; a move to /dev/null by root replaces it."""
    directory = context.layout.root / "dev"
    findings: list[Finding] = []
    for name, (major, minor) in _DEVICES.items():
        path = directory / name
        it_is, fault = _look(str(path), os.makedev(major, minor))
        if fault:
            again = [] if it_is else [f"rm -rf {path}", f"mknod {path} c {major} {minor}"]
            remedy = Remedy("make it again", tuple(map(context.as_root, [*again, f"chmod 0666 {path}"])))
            why = "not all users may use it" if it_is else "it is not the device"
            problem = f"programs that use {path} fail: {why}"
            findings.append(
                failure(
                    "system.device-broken", problem, remedy, evidence=[f"{path}: {fault}"], about=str(path)
                )
            )
    shared = directory / "shm"
    mode = stat.S_IMODE(shared.stat().st_mode) if shared.is_dir() else _SHARED
    if mode & _SHARED != _SHARED:
        remedy = Remedy("open it to all users", (context.as_root(f"chmod 1777 {shared}"),))
        problem = f"programs cannot share memory in {shared}: browsers and databases do not start"
        evidence = [f"{shared}: mode {mode:04o}"]
        findings.append(failure("system.shared-memory-closed", problem, remedy, evidence=evidence))
    return found(findings, "they are as they should be")


def _look(path: str, device: int) -> tuple[bool, str]:
    """Whether a path is a device, and what is wrong with it; empty if nothing is."""
    try:
        status = os.stat(path)
    except OSError as error:
        return False, str(error.strerror)
    if not stat.S_ISCHR(status.st_mode):
        return False, "another kind of file"
    if status.st_rdev != device:
        return False, "another device"
    mode = stat.S_IMODE(status.st_mode)
    return True, "" if mode & _ALL == _ALL else f"mode {mode:04o}"
