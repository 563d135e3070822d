"""What coder/coder does beyond its schema (2.17): from the environment, as outside a Coder server."""

import json
import uuid
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import urljoin, urlsplit

from tests.template.standin import parameter
from tests.template.standin.servicer import RefusedError, Rules

Json = dict[str, Any]

_DISPLAY_APPS = {
    "vscode": True,
    "vscode_insiders": False,
    "web_terminal": True,
    "ssh_helper": True,
    "port_forwarding_helper": True,
}
TOKEN = "CODER_RUNNING_WORKSPACE_AGENT_TOKEN_" + sha256(b"").hexdigest()
"""An environment variable: the token of an agent that runs already."""
ARCH = "STAND_IN_ARCH"
"""An environment variable: what the provisioner's machine is, if not amd64."""


class Coder(Rules):
    """Rules of coder/coder."""

    defaults: Mapping[str, Mapping[str, Any]] = {
        "coder_agent": {
            "api_key_scope": "all",
            "auth": "token",
            "connection_timeout": 120,
            "startup_script_behavior": "non-blocking",
            **{f"display_apps.{name}": value for name, value in _DISPLAY_APPS.items()},
        },
        "coder_app": {"share": "owner", "external": False, "hidden": False, "open_in": "slim-window"},
        "coder_script": {
            "run_on_start": False,
            "run_on_stop": False,
            "start_blocks_login": False,
            "timeout": 0,
        },
        "coder_env": {"merge_strategy": "replace"},
        "coder_metadata": {"item.sensitive": False},
        "coder_parameter": {"type": "string", "mutable": False, "ephemeral": False, "styling": "{}"},
        "coder_workspace_preset": {"default": False},
    }
    filled_in: Mapping[str, frozenset[str]] = {"coder_agent": frozenset({"display_apps"})}
    updated: Mapping[str, frozenset[str]] = {"coder_agent": frozenset({"init_script", "token"})}

    def configure(self, config: Json) -> None:
        self.url = config.get("url") or self.environment.get(
            "CODER_AGENT_URL", "https://mydeployment.coder.com"
        )
        if not self.url:
            raise RefusedError('CODER_AGENT_URL must not be empty; got ""')

    def data(self, kind: str, config: Json) -> Json:
        if kind == "coder_parameter":
            return parameter.computed(config, self.environment)
        if kind == "coder_workspace_preset":
            return {"id": config["name"]}
        makers: dict[str, Callable[[], Json]] = {
            "coder_provisioner": lambda: {"id": _new(), "os": "linux", "arch": self._get(ARCH, "amd64")},
            "coder_workspace": self._workspace,
            "coder_workspace_owner": self._owner,
            "coder_external_auth": lambda: {
                "id": config["id"],
                "access_token": self._get(f"CODER_EXTERNAL_AUTH_ACCESS_TOKEN_{config['id']}"),
            },
        }
        return makers[kind]() if kind in makers else super().data(kind, config)

    def create(self, kind: str, planned: Json) -> Json:
        if kind == "coder_agent":
            made = {"id": _new(), **self._agent(planned)}
            return made if planned.get("display_apps") else {**made, "display_apps": [_DISPLAY_APPS]}
        if kind == "coder_script":
            _check_script(planned)
        if kind in {"coder_app", "coder_script", "coder_env"}:
            return {"id": _new()}
        if kind == "coder_metadata":
            items = [{**item, "is_null": item.get("value") is None} for item in planned.get("item") or []]
            return {"id": _new(), "item": items}
        return super().create(kind, planned)

    def refresh(self, kind: str, state: Json) -> Json:
        """The agent's token is a new one whenever Terraform reads it."""
        return {**state, **self._agent(state)} if kind == "coder_agent" else state

    def validate(self, kind: str, config: Json) -> None:
        keys = [block["key"] for block in config.get("metadata") or []] if kind == "coder_agent" else []
        for key in keys:
            if isinstance(key, str) and keys.count(key) > 1:
                raise RefusedError(f"duplicate agent metadata key {parameter.quoted(key)}")

    def _agent(self, values: Json) -> Json:
        script = self.environment.get(f"CODER_AGENT_SCRIPT_{values['os']}_{values['arch']}", "")
        script = script.replace("${ACCESS_URL}", urljoin(self.url, "/")).replace(
            "${AUTH_TYPE}", values["auth"]
        )
        return {"token": self._get(TOKEN, _new()), "init_script": script}

    def _workspace(self) -> Json:
        transition = self._get("CODER_WORKSPACE_TRANSITION", "start")
        url = urlsplit(self.url)
        return {
            "id": self._get("CODER_WORKSPACE_ID", _new()),
            "name": self._get("CODER_WORKSPACE_NAME", "default"),
            "transition": transition,
            "start_count": int(transition == "start"),
            "prebuild_count": 0,
            "is_prebuild": False,
            "is_prebuild_claim": False,
            "template_id": self._get("CODER_WORKSPACE_TEMPLATE_ID"),
            "template_name": self._get("CODER_WORKSPACE_TEMPLATE_NAME"),
            "template_version": self._get("CODER_WORKSPACE_TEMPLATE_VERSION"),
            "access_url": self.url,
            "access_port": url.port or (443 if url.scheme == "https" else 80),
        }

    def _owner(self) -> Json:
        return {
            "id": self._get("CODER_WORKSPACE_OWNER_ID", _new()),
            "name": self._get("CODER_WORKSPACE_OWNER", "default"),
            "full_name": self._get("CODER_WORKSPACE_OWNER_NAME", "default"),
            "email": self._get("CODER_WORKSPACE_OWNER_EMAIL", "default@example.com"),
            "login_type": self._get("CODER_WORKSPACE_OWNER_LOGIN_TYPE") or None,
            "ssh_public_key": self._get("CODER_WORKSPACE_OWNER_SSH_PUBLIC_KEY"),
            "ssh_private_key": self._get("CODER_WORKSPACE_OWNER_SSH_PRIVATE_KEY"),
            "session_token": self._get("CODER_WORKSPACE_OWNER_SESSION_TOKEN"),
            "oidc_access_token": self._get("CODER_WORKSPACE_OWNER_OIDC_ACCESS_TOKEN"),
            "groups": json.loads(self._get("CODER_WORKSPACE_OWNER_GROUPS", "[]")),
            "rbac_roles": json.loads(self._get("CODER_WORKSPACE_OWNER_RBAC_ROLES", "[]")),
        }

    def _get(self, name: str, default: str = "") -> str:
        return self.environment.get(name) or default


def _check_script(planned: Json) -> None:
    if not (planned["run_on_start"] or planned["run_on_stop"] or planned.get("cron")):
        raise RefusedError('at least one of "run_on_start", "run_on_stop", or "cron" must be set')
    if planned["start_blocks_login"] and not planned["run_on_start"]:
        raise RefusedError('"start_blocks_login" can only be set if "run_on_start" is "true"')


def _new() -> str:
    return str(uuid.uuid4())
