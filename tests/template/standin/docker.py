"""What kreuzwerker/docker does beyond its schema (4.5). Nothing is run: resources are only recorded."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from tf.types import Unknown

from tests.template.standin.servicer import RefusedError, Rules

Json = dict[str, Any]

REGISTRY_DOWN = "STAND_IN_REGISTRY_DOWN"
"""An environment variable: if it is set, no registry answers."""
REGISTRY_PUSHED = "STAND_IN_REGISTRY_PUSHED"
"""An environment variable: another value means that other images were pushed."""

IMAGE_MISSING = "STAND_IN_IMAGE_MISSING"
"""An environment variable: if it is set, the engine's host has no image."""
CONTAINERS = "STAND_IN_CONTAINERS"
"""An environment variable: the engine's containers as the data source lists them, as JSON."""

_UPDATED = [
    "attach",
    "bridge",
    "container_logs",
    "container_read_refresh_timeout_milliseconds",
    "cpu_period",
    "cpu_quota",
    "cpu_set",
    "cpu_shares",
    "destroy_grace_seconds",
    "device_read_bps",
    "device_read_iops",
    "device_write_bps",
    "device_write_iops",
    "exit_code",
    "healthcheck",
    "id",
    "init",
    "logs",
    "max_retry_count",
    "memory",
    "memory_reservation",
    "memory_swap",
    "must_run",
    "network_data",
    "remove_volumes",
    "restart",
    "rm",
    "start",
    "tmpfs",
    "wait",
    "wait_timeout",
]


class Docker(Rules):
    """Rules of kreuzwerker/docker."""

    defaults: Mapping[str, Mapping[str, Any]] = {
        "docker_container": {
            "attach": False,
            "container_read_refresh_timeout_milliseconds": 15000,
            "logs": False,
            "memory_reservation": 0,
            "must_run": True,
            "network_mode": "bridge",
            "ports.ip": "0.0.0.0",
            "ports.protocol": "tcp",
            "read_only": False,
            "remove_volumes": True,
            "restart": "no",
            "rm": False,
            "start": True,
            "stdin_open": False,
            "tty": False,
            "upload.executable": False,
            "wait": False,
            "wait_timeout": 60,
        },
    }
    updated: Mapping[str, frozenset[str]] = {
        "docker_container": frozenset(_UPDATED),
        "docker_image": frozenset(["build", "force_remove", "id", "image_id", "keep_locally", "repo_digest"]),
        "docker_volume": frozenset(["cluster", "id", "mountpoint"]),
    }

    def validate(self, kind: str, config: Json) -> None:
        if kind != "docker_container":
            return
        restart = config.get("restart")
        if isinstance(restart, str) and restart not in {"no", "on-failure", "always", "unless-stopped"}:
            raise RefusedError(
                f"'{restart}' doesn't match the pattern '^(no|on-failure|always|unless-stopped)$'"
            )
        for volume in config.get("volumes") or []:
            path = volume.get("host_path")
            if isinstance(path, str) and not re.match(r"^[a-zA-Z]:\\|^/", path):
                raise RefusedError(f"'{path}' must be an absolute path")
        for upload in config.get("upload") or []:
            encoded = upload.get("content_base64")
            if isinstance(encoded, str):
                try:
                    base64.b64decode(encoded, validate=True)
                except binascii.Error:
                    raise RefusedError(f"'{encoded}' is not base64 decodeable") from None

    def data(self, kind: str, config: Json) -> Json:
        match kind:
            case "docker_registry_image":
                return self._registry_image(config["name"])
            case "docker_image":
                if self.environment.get(IMAGE_MISSING):
                    raise RefusedError(f"did not find docker image '{config['name']}'")
                return {"id": self._digest(config["name"]), "repo_digest": ""}
            case "docker_containers":
                containers = json.loads(self.environment.get(CONTAINERS, "[]"))
                return {"id": "docker_containers", "containers": [_UNSET | one for one in containers]}
        return super().data(kind, config)

    def _registry_image(self, name: str) -> Json:
        if self.environment.get(REGISTRY_DOWN):
            registry, _, rest = name.partition("/")
            if not {".", ":"} & set(registry) and registry != "localhost":
                registry, rest = "registry-1.docker.io", name
            rest, _, tag = rest.rpartition(":")
            raise RefusedError(
                f"Got error when attempting to fetch image version {rest}:{tag} from registry: "
                f'Error during registry request: Head "https://{registry}/v2/{rest}/manifests/{tag}": '
                "dial tcp: connect: connection refused"
            )
        digest = self._digest(name)
        return {"id": digest, "sha256_digest": digest}

    def create(self, kind: str, planned: Json) -> Json:
        if kind == "docker_image":
            name = planned["name"]
            image = self._digest(name)
            return {
                "id": f"{image}{name}",
                "image_id": image,
                "repo_digest": name.partition(":")[0] + f"@{image}",
            }
        if kind == "docker_volume":
            name = planned["name"] or "made-up"
            return {"id": name, "name": name, "mountpoint": f"/var/lib/docker/volumes/{name}/_data"}
        if kind == "docker_container":
            made: Json = {
                "id": sha256(planned["name"].encode()).hexdigest(),
                "network_data": [],
                "exit_code": None,
            }
            for upload in planned.get("upload") or []:
                _check_upload(upload, made)
            return made
        return super().create(kind, planned)

    def _digest(self, name: str) -> str:
        pushed = self.environment.get(REGISTRY_PUSHED, "")
        return f"sha256:{sha256(f'{name}{pushed}'.encode()).hexdigest()}"


_UNSET: Json = dict.fromkeys(
    ("id", "names", "image", "image_id", "command", "created", "state", "status", "labels")
)


def _check_upload(upload: Json, made: Json) -> None:
    given = [
        key for key in ("content", "content_base64", "source") if upload.get(key) not in (None, "", Unknown)
    ]
    if len(given) != 1:
        which = "one of" if not given else "only one of"
        verb = "must" if not given else "can"
        raise RefusedError(
            f"error with upload content: {which} 'content', 'content_base64', or 'source' {verb} be set",
            made=made,
        )
