"""A module registry on loopback, with stand-ins that have the real modules' variables and outputs.

A stand-in declares what the real module declares, in its simplest form, as Terraform's JSON.
"""

import contextlib
import copy
import http.server
import io
import json
import re
import tarfile
import threading
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from tests.template.standin.schema import DATA

Json = dict[str, Any]

_DOTFILES = "^$|^(https?://|ssh://|git@|git://)[a-zA-Z0-9._/:@~-]+$"

# What the interface does not say.
_BEHAVIOUR: dict[str, Json] = {
    "coder/jetbrains/coder": {
        # Terraform below 1.12 evaluates both sides of ||: there ide_config must be given, as in the real one.
        "validation": {
            "ide_config": ("${var.ide_config == null || length(var.ide_config) > 0}", "ide_config is empty."),
            "folder": ('${can(regex("^(?:/[^/]+)+/?$", var.folder))}', "The folder must be a full path."),
        },
        "locals": {
            "selected": "${length(var.default) > 0 ? var.default : "
            "toset(jsondecode(data.coder_parameter.jetbrains_ides[0].value))}"
        },
        "data": {
            "coder_parameter": {
                "jetbrains_ides": {
                    "count": "${length(var.default) == 0 ? 1 : 0}",
                    "name": "jetbrains_ides",
                    "type": "list(string)",
                    "form_type": "multi-select",
                    "default": "[]",
                    "mutable": True,
                    "order": "${var.coder_parameter_order}",
                    "dynamic": {
                        "option": {
                            "for_each": "${var.options}",
                            "content": {"name": "${option.value}", "value": "${option.value}"},
                        }
                    },
                }
            },
            # The real one asks JetBrains for the builds of what is selected, unless they are given.
            "http": {
                "jetbrains_ide_versions": {
                    "for_each": "${var.ide_config == null ? local.selected : toset([])}",
                    "url": "${var.releases_base_link}",
                }
            },
        },
        "resource": {
            "coder_app": {
                "jetbrains": {
                    "for_each": "${local.selected}",
                    "agent_id": "${var.agent_id}",
                    "slug": "jetbrains-${lower(each.key)}",
                    "display_name": "${each.key}",
                    "external": True,
                    "url": "jetbrains://gateway/coder?folder=${var.folder}&ide_product_code=${each.key}",
                }
            }
        },
    },
    "coder/git-clone/coder": {
        "locals": {
            "folder": '${var.folder_name != "" ? var.folder_name : '
            'var.url != "" ? replace(basename(var.url), ".git", "") : ""}'
        },
        "resource": {
            "coder_script": {
                "git_clone": {
                    "count": '${var.url != "" ? 1 : 0}',
                    "agent_id": "${var.agent_id}",
                    "display_name": "Git Clone",
                    "run_on_start": True,
                    "script": 'REPO_URL="${var.url}"\nBRANCH_NAME="${var.branch_name}"\n',
                }
            }
        },
        "output": {"repo_dir": '${local.folder != "" ? "${var.base_dir}/${local.folder}" : ""}'},
    },
    "coder/dotfiles/coder": {
        "count": {"coder_app.dotfiles": "${var.manual_update ? 1 : 0}"},
        "data": {
            "coder_parameter": {
                "dotfiles_uri": {
                    "count": "${var.dotfiles_uri == null ? 1 : 0}",
                    "name": "dotfiles_uri",
                    "default": "${var.default_dotfiles_uri}",
                    "mutable": True,
                    "validation": {"regex": _DOTFILES, "error": "Must be a valid dotfiles repository URL."},
                },
                "dotfiles_branch": {
                    "count": "${var.dotfiles_branch == null ? 1 : 0}",
                    "name": "dotfiles_branch",
                    "default": "${var.default_dotfiles_branch}",
                    "mutable": True,
                },
            }
        },
    },
}
_CLAUDE = {
    "claude_code_oauth_token": (
        "CLAUDE_CODE_OAUTH_TOKEN",
        'var.claude_code_oauth_token != ""',
        "var.claude_code_oauth_token",
    ),
    "anthropic_api_key": ("ANTHROPIC_API_KEY", 'var.anthropic_api_key != ""', "var.anthropic_api_key"),
    "anthropic_auth_token": ("ANTHROPIC_AUTH_TOKEN", "var.enable_ai_gateway", '"made up"'),
    "anthropic_base_url": ("ANTHROPIC_BASE_URL", 'var.anthropic_base_url != ""', "var.anthropic_base_url"),
    "anthropic_model": ("ANTHROPIC_MODEL", 'var.model != ""', "var.model"),
    "disable_autoupdater": ("DISABLE_AUTOUPDATER", "var.disable_autoupdater", '"1"'),
    "use_bedrock": ("CLAUDE_CODE_USE_BEDROCK", "var.use_bedrock", '"1"'),
    "use_vertex": ("CLAUDE_CODE_USE_VERTEX", "var.use_vertex", '"1"'),
}
_BEHAVIOUR["coder/claude-code/coder"] = {
    "validation": {
        "claude_binary_path": (
            '${var.claude_binary_path == "$HOME/.local/bin" || !var.install_claude_code}',
            "Custom claude_binary_path can only be used when install_claude_code is false.",
        ),
        "enable_ai_gateway": (
            "${!(var.enable_ai_gateway && length(var.anthropic_api_key) > 0)}",
            "anthropic_api_key cannot be provided when enable_ai_gateway is true.",
        ),
    },
    "resource": {
        "coder_env": {
            own: {
                "count": f"${{{when} ? 1 : 0}}",
                "agent_id": "${var.agent_id}",
                "name": name,
                "value": f"${{{value}}}",
            }
            for own, (name, when, value) in _CLAUDE.items()
        }
    },
}
# Each script is there where it was given; the module claude-code gives the one.
_BEHAVIOUR["coder/coder-utils/coder"] = {
    "count": {
        f"coder_script.{name}": f'${{coalesce(var.{name}, "-") == "-" ? 0 : 1}}'
        for name in ("pre_install_script", "post_install_script", "start_script")
    },
}
_APP = {"agent_id": "${var.agent_id}", "url": "http://localhost", "display_name": "stand-in"}
# By default none of them is set.
_ENV = {"agent_id": "${var.agent_id}", "value": "stand-in", "count": 0}
_SCRIPT = {
    "agent_id": "${var.agent_id}",
    "script": "true",
    "display_name": "stand-in",
    "run_on_start": True,
}


def interfaces() -> dict[str, Json]:
    """The interfaces of the real modules, by their place in the registry."""
    found: dict[str, Json] = json.loads((DATA / "modules.json").read_text())
    return found


def stand_in(name: str, interface: Json) -> Json:
    """A module with this interface, as Terraform's JSON."""
    behaviour = _BEHAVIOUR.get(name, {})
    resources = copy.deepcopy(behaviour.get("resource", {}))
    for address, resource in interface["managed_resources"].items():
        own = resource["name"]
        match resource["type"]:
            case "coder_app":
                simple = _APP | {"slug": own.replace("_", "-")}
            case "coder_env":
                simple = _ENV | {"name": own.upper()}
            case _:
                simple = dict(_SCRIPT)
        if address in behaviour.get("count", {}):
            simple["count"] = behaviour["count"][address]
        resources.setdefault(resource["type"], {}).setdefault(own, simple)
    calls = {
        call["name"]: {
            "source": call["source"],
            "version": call["version"],
            **{
                variable: f"${{var.{variable}}}" if variable in interface["variables"] else ""
                for variable, details in interfaces()[call["source"].partition("/")[2]]["variables"].items()
                if details["required"]
            },
        }
        for call in interface["module_calls"].values()
    }
    whole = {
        "terraform": {
            "required_version": ", ".join(interface["required_core"]),
            "required_providers": {
                provider: {"source": it["source"], "version": ", ".join(it["version_constraints"])}
                for provider, it in interface["required_providers"].items()
            },
        },
        "variable": {
            variable: _variable(details, behaviour.get("validation", {}).get(variable))
            for variable, details in interface["variables"].items()
        },
        "locals": behaviour.get("locals", {}),
        "data": behaviour.get("data", {}),
        "resource": resources,
        "module": calls,
        "output": {
            output: {"value": behaviour.get("output", {}).get(output, f"made up: {output}")}
            for output in interface["outputs"]
        },
    }
    return {key: value for key, value in whole.items() if value}


def _variable(details: Json, validation: tuple[str, str] | None) -> Json:
    # In JSON a type is an expression on one line.
    kind = re.sub(r"(?<![{(])\s*\n\s*(?![})])", ", ", details.get("type") or "any")
    made: Json = {"type": re.sub(r"\s+", " ", kind)}
    if not details["required"]:
        # A default is no template: Terraform takes it as it is.
        made["default"] = details["default"]
    if validation:
        made["validation"] = {"condition": validation[0], "error_message": validation[1]}
    return made


def _archive(module: Json) -> bytes:
    buffer = io.BytesIO()
    content = json.dumps(module, indent=1).encode()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo("main.tf.json")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


class _Handler(http.server.BaseHTTPRequestHandler):
    """Terraform's module registry protocol."""

    def do_GET(self) -> None:
        name, _, rest = self.path.removeprefix("/v1/modules/").partition("/coder/")
        known = {key.removesuffix("/coder"): (key, interface) for key, interface in interfaces().items()}
        if name not in known:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        key, interface = known[name]
        version = interface["version"]
        if rest == "versions":
            self._answer(json.dumps({"modules": [{"versions": [{"version": version}]}]}).encode())
        elif rest == f"{version}/download":
            self.send_response(HTTPStatus.NO_CONTENT)
            self.send_header("X-Terraform-Get", "./module.tar.gz")
            self.end_headers()
        elif rest == f"{version}/module.tar.gz":
            self._answer(_archive(stand_in(key, interface)))
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _answer(self, content: bytes) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@contextlib.contextmanager
def registry() -> Iterator[str]:
    """Serve the modules, and say at which URL."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/modules/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
