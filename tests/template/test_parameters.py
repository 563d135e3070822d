"""Every parameter: its default, each option, its edges, and what is refused with which words.

A row of GOOD says what is planned: a dotted path into the container, or into the settings document. A row of
BAD says what a user reads to mend it.
"""

import json
from typing import Any

import pytest

from tests.template.terraform import Plan, Terraform, TerraformError

CONTAINER, IMAGE = "docker_container.workspace[0]", "docker_image.workspace"
REPOSITORY = "ghcr.io/coder-ws-runtime/coder-workspace"
PROJECTS = "/home/coder/projects"
# The registry is asked in rows of its own, so that all others do without one.
UNPINNED = {"pin_image": "false"}

HOSTILE = [
    "'\"; $(touch /tmp/x)",
    "`touch /tmp/x`",
    "${CODER_AGENT_TOKEN}",
    "$(touch /tmp/x)",
    "a\nb",
    "-x",
    "\\",
    "%{ if true }x%{ endif }",
]


def port(external: int, internal: int, ip: str = "127.0.0.1", protocol: str = "tcp") -> dict[str, Any]:
    return {"external": external, "internal": internal, "ip": ip, "protocol": protocol}


GOOD = [
    # parameter, value, what is planned for it
    ("workspace_image", "base", {"image": f"{REPOSITORY}:base"}),
    ("workspace_image", "node", {"image": f"{REPOSITORY}:node"}),
    ("workspace_image", "cpp", {"image": f"{REPOSITORY}:cpp"}),
    ("repo_url", "https://example.org/you/project.git", {"web_shell.directory": f"{PROJECTS}/project"}),
    ("repo_url", "git@example.org:you/project.git", {"web_shell.directory": f"{PROJECTS}/project"}),
    ("repo_url", "ssh://git@example.org:2222/you/.dotted", {"web_shell.directory": f"{PROJECTS}/.dotted"}),
    ("directory", "/srv/a.b/c-d_e", {"web_shell.directory": "/srv/a.b/c-d_e"}),
    ("directory", "/home/coder/..dots", {"web_shell.directory": "/home/coder/..dots"}),
    ("additional_ports", ["1"], {"ports": [port(1, 1)]}),
    ("additional_ports", ["65535:1"], {"ports": [port(65535, 1)]}),
    (
        "additional_ports",
        ["8080:80", "5353/udp"],
        {"ports": [port(8080, 80), port(5353, 5353, protocol="udp")]},
    ),
    ("additional_ports", ["0.0.0.0:8080:80"], {"ports": [port(8080, 80, "0.0.0.0")]}),
    (
        "additional_ports",
        ["53/tcp", "53/udp"],
        {"ports": [port(53, 53), port(53, 53, protocol="udp")]},
    ),
    (
        "home_persist_paths",
        [".config/gh/", "~/.vimrc", "foo..bar"],
        {"home_persist_paths": [".config/gh/", "~/.vimrc", "foo..bar"]},
    ),
    ("jetbrains_allow_updates", "true", {"jetbrains.allow_updates": True}),
    ("jetbrains_allow_updates", "false", {"jetbrains.allow_updates": False}),
    ("memory", "0", {"memory": None}),
    ("memory", "1", {"memory": 1024}),
    ("memory", "64", {"memory": 65536}),
    ("cpus", "0", {"cpus": None}),
    ("cpus", "1", {"cpus": "1"}),
    ("cpus", "16", {"cpus": "16"}),
]

REPO = "Give a URL as git clone takes it"
DIRECTORY = "Give an absolute path"
NO_PORT = "is no port. Write 8080, 8080:80"
TWICE = "is named twice"
NO_PATH = "cannot be kept. Write paths below the home"
NO_LIST = 'Parameter value is not of type "list(string)"'

BAD = [
    # parameter, value, what is said
    ("workspace_image", "rust", 'the value "rust" must be defined as one of options'),
    ("workspace_image", "", "must be a valid option"),
    *[("workspace_image", text, "must be a valid option") for text in HOSTILE[:2]],
    *[("repo_url", text, REPO) for text in HOSTILE],
    ("repo_url", "https://example.org/$(touch /tmp/x)", REPO),
    ("repo_url", "https://example.org/x\n", REPO),
    ("repo_url", "--upload-pack=touch /tmp/x", REPO),
    ("repo_url", "ext::sh -c touch% /tmp/x", REPO),
    ("repo_url", "https://example.org/../..", REPO),
    *[("directory", text, DIRECTORY) for text in HOSTILE],
    ("directory", "projects", DIRECTORY),
    ("directory", "/home/../etc", DIRECTORY),
    ("directory", "/home/coder/\n", DIRECTORY),
    ("directory", "/$(touch /tmp/x)", DIRECTORY),
    ("additional_ports", "80", NO_LIST),
    ("additional_ports", "[80", NO_LIST),
    *[("additional_ports", [text], NO_PORT) for text in HOSTILE],
    *[
        ("additional_ports", [text], NO_PORT)
        for text in (
            "80,x",
            "",
            "0",
            "65536",
            "8080:0",
            "1.2.3:80:80",
            "999.0.0.1:80:80",
            "80/sctp",
            "80:",
            ":80",
        )
    ],
    ("additional_ports", ["8080", "8080:80"], TWICE),
    ("additional_ports", ["8080", "0.0.0.0:8080:80"], TWICE),
    ("home_persist_paths", "x", NO_LIST),
    *[
        ("home_persist_paths", [text], NO_PATH)
        for text in (
            "..",
            "a/../b",
            "../b",
            "a/..",
            "/etc/",
            "~root/",
            "",
            "/",
            ".home-persist/",
            "a\nb",
            "a\tb",
        )
    ],
    ("jetbrains_allow_updates", "maybe", '"maybe" is not a bool'),
    ("memory", "-1", "Give a number of GiB from 0 to 64"),
    ("memory", "65", "Give a number of GiB from 0 to 64"),
    ("memory", "1.5", "Give a number of GiB"),
    ("memory", "$(touch /tmp/x)", "Give a number of GiB"),
    ("cpus", "17", "Give a number of cores from 0 to 16"),
    ("cpus", "x", "Give a number of cores"),
    *[("dotfiles_uri", text, REPO) for text in HOSTILE],
    *[("dotfiles_branch", text, "Give the name of a branch") for text in HOSTILE],
]


def planned(plan: Plan) -> dict[str, Any]:
    """The container's attributes and the settings document, by dotted path."""
    container = plan.values(CONTAINER)
    found = {name: container.get(name) for name in ("memory", "cpus", "ports")}
    found["image"] = plan.values(IMAGE)["name"]

    def walk(value: object, place: str) -> None:
        found[place] = value
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, f"{place}.{key}" if place else key)

    (document,) = [one["content"] for one in container["upload"] if one["file"].endswith("workspace.json")]
    walk(json.loads(document), "")
    return found


@pytest.mark.parametrize(("name", "value", "expected"), GOOD, ids=lambda value: str(value)[:40])
def test_good(terraform: Terraform, name: str, value: object, expected: dict[str, Any]) -> None:
    found = planned(terraform.plan({name: value}, variables=UNPINNED))
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize(("name", "value", "said"), BAD, ids=lambda value: repr(value)[:40])
def test_bad(terraform: Terraform, name: str, value: object, said: str) -> None:
    with pytest.raises(TerraformError) as refused:
        terraform.plan({name: value}, variables=UNPINNED)
    assert said in str(refused.value)
    assert name in str(refused.value)


def test_the_defaults(terraform: Terraform) -> None:
    found = planned(terraform.plan(variables=UNPINNED))
    assert found["image"] == f"{REPOSITORY}:base"
    assert found["web_shell.directory"] == PROJECTS
    assert (found["memory"], found["cpus"], found["ports"]) == (None, None, [])
    assert found["home_persist_paths"] == []
    assert found["jetbrains.allow_updates"] is False
