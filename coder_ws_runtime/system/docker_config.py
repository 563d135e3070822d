"""What the Docker client uses: its configuration, its context, its credential helpers.

This follows docker/cli: cli/command/cli.go (``resolveContextName``, ``resolveDockerEndpoint``),
cli/context/store (the metadata of contexts), cli/config/configfile (``getConfiguredCredentialStore``).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from enum import Enum
from pathlib import Path

from coder_ws_runtime.dataclass import dataclass, field
from coder_ws_runtime.digest import hex_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


DEFAULT_CONTEXT = "default"


class ChosenBy(Enum):
    """What determines where ``docker`` connects; the first that is set applies."""

    HOST_VARIABLE = "DOCKER_HOST"
    CONTEXT_VARIABLE = "DOCKER_CONTEXT"
    CONFIG = "currentContext"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where ``docker`` connects."""

    by: ChosenBy
    context: str = DEFAULT_CONTEXT
    host: str = ""
    """A URL as in ``DOCKER_HOST``; empty: the client's default, /var/run/docker.sock."""
    missing: bool = False
    """Whether the context does not exist, so that every command fails."""


@dataclass(frozen=True, slots=True)
class Config:
    """The client's configuration."""

    file: Path
    document: Mapping[str, Any] = field(default_factory=dict)
    error: OSError | ValueError | None = None
    """Why the file has no effect, if so: the client warns and continues without it."""

    @property
    def helpers(self) -> dict[str, str]:
        """The programs that store logins, each with the settings that name it."""
        named = {"credsStore": self.document.get("credsStore")}
        by_registry = self.document.get("credHelpers")
        if isinstance(by_registry, dict):
            named |= {f"credHelpers of {registry}": name for registry, name in by_registry.items()}
        found: dict[str, str] = {}
        for setting, name in named.items():
            if isinstance(name, str) and name:
                program = f"docker-credential-{name}"
                found[program] = f"{found[program]}, {setting}" if program in found else setting
        return found


def load(env: Mapping[str, str], home: Path) -> Config:
    """The configuration that the client reads with this environment."""
    file = (Path(env["DOCKER_CONFIG"]) if env.get("DOCKER_CONFIG") else home / ".docker") / "config.json"
    try:
        content = file.read_bytes()
        document = json.loads(content) if content.strip() else {}
    except FileNotFoundError:
        return Config(file)
    except (OSError, ValueError) as error:
        return Config(file, error=error)
    if not isinstance(document, dict):
        return Config(file, error=ValueError("not a JSON object"))
    return Config(file, document)


def endpoint(config: Config, env: Mapping[str, str]) -> Endpoint:
    """Where the client connects to."""
    if env.get("DOCKER_HOST"):
        return Endpoint(ChosenBy.HOST_VARIABLE, host=env["DOCKER_HOST"])
    by, name = ChosenBy.CONTEXT_VARIABLE, env.get("DOCKER_CONTEXT", "")
    if not name:
        written = config.document.get("currentContext")
        by, name = ChosenBy.CONFIG, written if isinstance(written, str) else ""
    if name in {"", DEFAULT_CONTEXT}:
        return Endpoint(ChosenBy.NOTHING)
    try:
        host = json.loads(_metadata(config, name).read_bytes())["Endpoints"]["docker"].get("Host", "")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Endpoint(by, name, missing=True)
    return Endpoint(by, name, str(host))


def has_context(config: Config, name: str) -> bool:
    """Whether a context exists."""
    return os.path.exists(_metadata(config, name))


def _metadata(config: Config, name: str) -> Path:
    return config.file.parent / "contexts/meta" / hex_digest(name.encode()) / "meta.json"
