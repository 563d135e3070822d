"""From a planned `docker_container` to a real container.

The template's plan says what a workspace's container is; this starts exactly that with Docker's own
client. Every attribute that is set has its translation; one that we do not know is an error, so that
no part of the template is silently ignored.
"""

import base64
import csv
import io
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from devtools.engine import Engine

Attributes = Mapping[str, Any]

# Not for the engine: how Terraform creates the container.
_TERRAFORM_ONLY = frozenset(
    {
        "attach",
        "container_read_refresh_timeout_milliseconds",
        "destroy_grace_seconds",
        "logs",
        "must_run",
        "remove_volumes",
        "start",
        "wait",
        "wait_timeout",
    }
)
# Translated below, not flag by flag.
_ELSEWHERE = frozenset({"name", "image", "entrypoint", "command", "init", "upload", "privileged"})


class UnknownAttributeError(Exception):
    """The plan sets an attribute that has no translation here."""


def create(
    engine: Engine,
    attributes: Attributes,
    *,
    extra: list[str] | None = None,
    files: "list[Upload] | None" = None,
) -> str:
    """Create a container, upload its files, start it, and return its name.

    Args:
        engine: where.
        attributes: `values` of the planned resource; what is null, empty or false is not set.
        extra: further words for `docker create`, for tests that break something.
        files: further files, as if the image had them.
    """
    is_set = {name: value for name, value in attributes.items() if value not in (None, False, [], {}, "")}
    words: list[str] = []
    for name, value in sorted(is_set.items()):
        if name in _TERRAFORM_ONLY or name in _ELSEWHERE:
            continue
        if name not in _FLAGS:
            raise UnknownAttributeError(name)
        _check_blocks(name, value)
        words += _FLAGS[name](value)
    # The engine may be set to put an init process of its own first: here false says something.
    if attributes.get("init") is not None:
        words.append(f"--init={str(attributes['init']).lower()}")
    if is_set.get("privileged"):
        words += engine.security(is_set["image"])
    _check_blocks("upload", is_set.get("upload", []))
    uploads = [*(files or []), *map(_planned_upload, is_set.get("upload", []))]
    entrypoint = is_set.get("entrypoint", [])
    if entrypoint:
        words += ["--entrypoint", entrypoint[0]]
    command = [*entrypoint[1:], *is_set.get("command", [])]
    name = str(is_set["name"])
    engine.docker("create", "--name", name, *words, *(extra or []), is_set["image"], *command)
    if uploads:
        engine.docker("cp", "-", f"{name}:/", stdin=_archive(uploads))
    engine.docker("start", name)
    return name


@dataclass(frozen=True)
class Upload:
    """A file that is put into a container before it starts. Its directories get its owner."""

    file: str
    content: bytes
    mode: int = 0o644
    owner: int = 0


def _planned_upload(upload: dict[str, Any]) -> Upload:
    """An upload as the provider makes it: root's, mode 0644, or 0744 if executable."""
    encoded = upload.get("content_base64")
    content = base64.b64decode(encoded) if encoded else (upload.get("content") or "").encode()
    if not content:
        raise UnknownAttributeError(f"upload of {upload['file']} without content")
    permissions = upload.get("permissions")
    mode = int(permissions, 8) if permissions else 0o744 if upload.get("executable") else 0o644
    return Upload(upload["file"], content, mode)


def _archive(uploads: list[Upload]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for upload in uploads:
            path = PurePosixPath(upload.file).relative_to("/")
            for parent in reversed(path.parents[:-1]):
                if upload.owner and len(parent.parts) > 2:  # below /home/USER
                    directory = tarfile.TarInfo(str(parent))
                    directory.type, directory.mode = tarfile.DIRTYPE, 0o755
                    directory.uid = directory.gid = upload.owner
                    archive.addfile(directory)
            entry = tarfile.TarInfo(str(path))
            entry.size, entry.mode = len(upload.content), upload.mode
            entry.uid = entry.gid = upload.owner
            archive.addfile(entry, io.BytesIO(upload.content))
    return buffer.getvalue()


def _check_blocks(name: str, value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Refuse a nested block that sets what its translation does not look at."""
    known = _BLOCKS.get(name)
    if known is None:
        return
    for block in value:
        for key, inner in block.items():
            if key not in known and inner not in (None, False, [], {}, ""):
                raise UnknownAttributeError(f"{name}.{key}")


_VOLUME_OPTIONS = {"labels", "no_copy"}
_BLOCKS = {
    "capabilities": {"add", "drop"},
    "host": {"host", "ip"},
    "labels": {"label", "value"},
    "mounts": {"read_only", "source", "target", "type", "volume_options"},
    "ports": {"external", "internal", "ip", "protocol"},
    "upload": {"content", "content_base64", "executable", "file", "permissions"},
    "volumes": {"container_path", "host_path", "read_only", "volume_name"},
}


def _each(flag: str) -> Callable[[Any], list[str]]:
    return lambda values: [word for value in values for word in (flag, str(value))]


def _one(flag: str) -> Callable[[Any], list[str]]:
    return lambda value: [flag, str(value)]


def _volumes(volumes: list[dict[str, Any]]) -> list[str]:
    words: list[str] = []
    for volume in volumes:
        # host_path wins over volume_name, as in the provider.
        source = volume.get("host_path") or volume["volume_name"]
        option = ":ro" if volume.get("read_only") else ""
        words += ["-v", f"{source}:{volume['container_path']}{option}"]
    return words


def _mounts(mounts: list[dict[str, Any]]) -> list[str]:
    words: list[str] = []
    for mount in mounts:
        parts = [f"type={mount['type']}", f"source={mount['source']}", f"target={mount['target']}"]
        if mount.get("read_only"):
            parts.append("readonly")
        for options in mount.get("volume_options") or []:
            for key, inner in options.items():
                if key not in _VOLUME_OPTIONS and inner not in (None, False, [], {}, ""):
                    raise UnknownAttributeError(f"mounts.volume_options.{key}")
            parts += [f"volume-label={pair['label']}={pair['value']}" for pair in options.get("labels") or []]
            if options.get("no_copy"):
                parts.append("volume-nocopy")
        # The flag takes a line of CSV.
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(parts)
        words += ["--mount", line.getvalue()]
    return words


def _ports(ports: list[dict[str, Any]]) -> list[str]:
    words: list[str] = []
    for port in ports:
        outside = port.get("external") or ""
        protocol = port.get("protocol") or "tcp"
        ip = port.get("ip") or "0.0.0.0"
        words += ["-p", f"{f'[{ip}]' if ':' in ip else ip}:{outside}:{port['internal']}/{protocol}"]
    return words


def _capabilities(blocks: list[dict[str, Any]]) -> list[str]:
    words: list[str] = []
    for block in blocks:
        words += [f"--cap-add={name}" for name in block.get("add") or []]
        words += [f"--cap-drop={name}" for name in block.get("drop") or []]
    return words


_FLAGS: dict[str, Callable[[Any], list[str]]] = {
    "capabilities": _capabilities,
    "cgroupns_mode": _one("--cgroupns"),
    "cpu_shares": _one("--cpu-shares"),
    "cpus": _one("--cpus"),
    "dns": _each("--dns"),
    "env": _each("-e"),
    "group_add": _each("--group-add"),
    "host": lambda hosts: [w for host in hosts for w in ("--add-host", f"{host['host']}:{host['ip']}")],
    "hostname": _one("--hostname"),
    "ipc_mode": _one("--ipc"),
    "labels": lambda labels: [w for pair in labels for w in ("--label", f"{pair['label']}={pair['value']}")],
    "log_driver": _one("--log-driver"),
    "log_opts": lambda options: [
        w for key, value in options.items() for w in ("--log-opt", f"{key}={value}")
    ],
    "memory": lambda megabytes: [f"--memory={megabytes}m"],
    "memory_swap": lambda megabytes: [f"--memory-swap={megabytes if megabytes < 0 else f'{megabytes}m'}"],
    "mounts": _mounts,
    "network_mode": _one("--network"),
    "platform": _one("--platform"),
    "ports": _ports,
    "restart": _one("--restart"),
    "runtime": _one("--runtime"),
    "security_opts": _each("--security-opt"),
    "shm_size": lambda megabytes: [f"--shm-size={megabytes}m"],
    "stdin_open": lambda _: ["-i"],
    "stop_signal": _one("--stop-signal"),
    "stop_timeout": _one("--stop-timeout"),
    "tmpfs": lambda mounts: [
        w for path, opts in mounts.items() for w in ("--tmpfs", f"{path}:{opts}".rstrip(":"))
    ],
    "tty": lambda _: ["-t"],
    "user": _one("--user"),
    "volumes": _volumes,
    "working_dir": _one("--workdir"),
}
