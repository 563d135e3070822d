"""The identity of this container."""

from pathlib import Path

from coder_ws_runtime.system import text_file


def own_container(proc: Path) -> str:
    """The ID of the container in which we are; empty if unknown.

    The engine mounts the container's own hostname file from a directory whose name is the ID.
    """
    for line in text_file.read(proc / "self/mountinfo").splitlines():
        fields = line.split(" ")
        parts = fields[3].split("/") if len(fields) > 4 and fields[4] == "/etc/hostname" else []  # noqa: PLR2004
        if len(parts) > 2 and parts[-1] == "hostname":  # noqa: PLR2004 - …/containers/ID/hostname
            return parts[-2]
    return ""
