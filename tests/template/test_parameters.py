"""Every parameter: its default, each option, its edges, and what is refused with which words.

A row of GOOD says what is planned: a dotted path into the container, or into the settings document. A row of
BAD says what a user reads to mend it. What is hostile and refused is in HOSTILE; what is accepted, tests of
a booted workspace carry into it.
"""

import json
import re
from typing import Any

import pytest

from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.persist.manifest.paths import normalise_path
from tests.template.terraform import Plan, Terraform, TerraformError

CONTAINER, IMAGE = "docker_container.workspace[0]", "docker_image.workspace"
REPOSITORY = "ghcr.io/coder-ws-runtime/coder-workspace"
PROJECTS = "/home/coder/projects"
# The registry is asked in rows of its own, so that all others do without one.
UNPINNED = {"pin_image": "false"}


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
    # As git names the clone.
    ("repo_url", "git@example.org:project.git", {"web_shell.directory": f"{PROJECTS}/project"}),
    (
        "repo_url",
        "https://github.com/you/you.github.io",
        {"web_shell.directory": f"{PROJECTS}/you.github.io"},
    ),
    ("repo_url", "https://example.org/you/project/", {"web_shell.directory": f"{PROJECTS}/project"}),
    # As github.com and gitlab.com show a branch, which the module takes.
    (
        "repo_url",
        "https://github.com/you/project/tree/a/branch",
        {"web_shell.directory": f"{PROJECTS}/project"},
    ),
    (
        "repo_url",
        "https://gitlab.com/you/project/-/tree/main",
        {"web_shell.directory": f"{PROJECTS}/project"},
    ),
    ("directory", "/x", {"web_shell.directory": "/x"}),
    ("directory", "/srv/app/", {"web_shell.directory": "/srv/app/"}),
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
    # An address may have several ports, and a port several addresses.
    (
        "additional_ports",
        ["127.0.0.1:80", "127.0.0.2:80", "[::1]:80"],
        {"ports": [port(80, 80), port(80, 80, "127.0.0.2"), port(80, 80, "::1")]},
    ),
    (
        "additional_ports",
        ["[::]:8080:80", "0.0.0.0:8080:80", "81:80"],
        {"ports": [port(8080, 80, "::"), port(8080, 80, "0.0.0.0"), port(81, 80)]},
    ),
    # One way of writing an address.
    ("additional_ports", ["[2001:DB8::0:1]:80"], {"ports": [port(80, 80, "2001:db8::1")]}),
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
    ("cpus", "1", {"cpus": "1.0"}),
    ("cpus", "16", {"cpus": "16.0"}),
]

REPO = "Give a URL as git clone takes it"
DIRECTORY = "Give an absolute path"
NO_PORT = "is no port. Write 8080, 8080:80"
TWICE = "is named twice"
NO_PATH = "cannot be kept. Write paths below the home"
BRANCH = "Give the name of a branch"
NO_LIST = 'Parameter value is not of type "list(string)"'

BAD = [
    # parameter, value, what is said
    ("workspace_image", "rust", 'the value "rust" must be defined as one of options'),
    ("workspace_image", "", "must be a valid option"),
    ("repo_url", "https://example.org/$(touch /tmp/x)", REPO),
    ("repo_url", "https://example.org/x\n", REPO),
    ("repo_url", "--upload-pack=touch /tmp/x", REPO),
    ("repo_url", "ext::sh -c touch% /tmp/x", REPO),
    ("repo_url", "https://example.org/../..", REPO),
    ("repo_url", "git@example.org:..", REPO),
    ("repo_url", "-oProxyCommand=touch@example.org:x", REPO),
    ("directory", "projects", DIRECTORY),
    ("directory", "~/projects", DIRECTORY),
    ("directory", "/", DIRECTORY),
    ("directory", "//x", DIRECTORY),
    ("directory", "/home/../etc", DIRECTORY),
    ("directory", "/home/coder/..", DIRECTORY),
    ("directory", "/home/coder/.", DIRECTORY),
    ("directory", "/home/coder/\n", DIRECTORY),
    ("directory", "/$(touch /tmp/x)", DIRECTORY),
    ("additional_ports", "80", NO_LIST),
    ("additional_ports", "[80", NO_LIST),
    ("additional_ports", "null,", NO_LIST),
    ("additional_ports", "[1]", NO_LIST),
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
            " 80",
            "80\n",
            "127.0.0.1",
            "127.0.0.1::80",
            "1:2:3:80",
            "::1:80:80",
            "[::1]",
            "[:::]:80:80",
            "[127.0.0.1.1]:80:80",
        )
    ],
    ("additional_ports", ["8080", "8080:80"], TWICE),
    ("additional_ports", ["8080", "0.0.0.0:8080:80"], TWICE),
    ("additional_ports", ["8080", "08080:80"], TWICE),
    ("additional_ports", ["[::1]:8080:80", "[::]:8080:80"], "8080/tcp of IPv6 is named twice"),
    ("additional_ports", ["[::1]:80", "[0:0::1]:80"], TWICE),
    ("home_persist_paths", "x", NO_LIST),
    ("home_persist_paths", ["fine", "a/../b"], f'"a/../b" {NO_PATH}'),
    ("home_persist_paths", ["/etc/", ".home-persist/"], f'"/etc/", ".home-persist/" {NO_PATH}'),
    ("jetbrains_allow_updates", "maybe", '"maybe" is not a bool'),
    ("memory", "-1", "Give a number of GiB from 0 to 64"),
    ("memory", "65", "Give a number of GiB from 0 to 64"),
    ("memory", "1.5", "Give a number of GiB"),
    ("memory", "$(touch /tmp/x)", "Give a number of GiB"),
    ("cpus", "17", "Give a number of cores from 0 to 16"),
    ("cpus", "x", "Give a number of cores"),
    ("dotfiles_uri", "you/dotfiles", REPO),
    ("dotfiles_uri", "file:///etc", REPO),
    ("dotfiles_branch", "a b", BRANCH),
    ("dotfiles_branch", "a;b", BRANCH),
]

HOSTILE = [
    "'\"; $(touch /tmp/x)",
    "$(touch /tmp/x)",
    "`touch /tmp/x`",
    "'; touch /tmp/x; '",
    '"; touch /tmp/x; "',
    "| touch /tmp/x",
    "${CODER_AGENT_TOKEN}",
    "%{ if true }x%{ endif }",
    "a\nb",
    "a\rb",
    "-x",
    "\\",
    "\u202e",
]


# What each says to a text that is none of its.
REFUSALS = {
    "workspace_image": "must be a valid option",
    "repo_url": REPO,
    "directory": DIRECTORY,
    "additional_ports": NO_LIST,
    "home_persist_paths": NO_LIST,
    "jetbrains_allow_updates": "is not a bool",
    "jetbrains_ides": "is not a valid list of strings",
    "memory": "Give a number of GiB",
    "cpus": "Give a number of cores",
    "dotfiles_uri": REPO,
    "dotfiles_branch": BRANCH,
}

# Good ones and bad ones; which are which, home-persist says.
PATHS = [
    ".config/gh/",
    "~/.vimrc",
    "$HOME/.vimrc",
    "${HOME}/.vimrc",
    "/home/coder/.vimrc",
    "foo..bar",
    "...",
    ".../x",
    "./x",
    "a//b",
    "a/./b",
    "x/.home-persist/y",
    "x/.workspaces",
    "$(touch /tmp/x)",
    "%{ if true }x%{ endif }",
    "-x",
    " ",
    " /x",
    "~/ ",
    " x/y ",
    "~~",
    "..",
    "../b",
    "a/..",
    "a/../b",
    "~/..",
    "/etc/",
    "/home/coder",
    "/home/coder/",
    "/home/coder//etc",
    "~root/",
    "~",
    "~/",
    "~//x",
    "$HOME",
    "${HOME}",
    "$HOME/",
    "",
    ".",
    "./.",
    "/",
    ".home-persist/",
    "./.home-persist",
    ".//.workspaces/x",
    "~/.jetbrains-dist/",
    "x.home-persist",
    "x.home-persist-copy/y",
    "x/y.home-persist-swap/",
    "a\nb",
    "a\tb",
    "a\x7f",
]

BAD_VARIABLES = [
    # variable, value, what is said
    ("image_repository", "ghcr.io/you/image:tag", "without tag and digest"),
    ("image_repository", "Ghcr.io/You/image", "without tag and digest"),
    ("image_repository", "", "without tag and digest"),
    ("image_digests", '{"base": "latest"}', "Give digests as registries do"),
    ("registry_config", "user:password", "Give the text of a Docker config.json"),
    ("docker_host", "build-2", "Give a URL as DOCKER_HOST has it"),
    ("docker_socket", "unix:///var/run/docker.sock", "Give an absolute path"),
    ("arch", "x86_64", "built for amd64 and arm64"),
    ("home_volume", "home", "owners do not share a home"),
    ("home_volume", "/srv/{owner}", "Give a name of a Docker volume"),
    ("shared_volume", "/srv/shared", "Give a name of a Docker volume"),
    ("max_memory", "0", "1 at least"),
    ("max_memory", "1.5", "a whole number"),
    ("max_cpus", "-1", "1 at least"),
    ("jetbrains_builds", "{}", "Name at least one IDE"),
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


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_everywhere(terraform: Terraform, text: str) -> None:
    """Terraform goes on after a refusal, and says them all."""
    with pytest.raises(TerraformError) as refused:
        terraform.plan(dict.fromkeys(REFUSALS, text), variables=UNPINNED)
    said = str(refused.value).split("Error: ")
    for name, words in REFUSALS.items():
        # One of the module's has the number of its instance.
        (own,) = [one for one in said if f"data.coder_parameter.{name}," in one.replace("[0]", "")]
        assert words in own


def test_hostile_ports(terraform: Terraform) -> None:
    with pytest.raises(TerraformError) as refused:
        terraform.plan({"additional_ports": HOSTILE}, variables=UNPINNED)
    listed = re.search(rf"additional_ports: (.*) {NO_PORT}", str(refused.value))
    assert listed
    assert json.loads(f"[{listed[1]}]") == HOSTILE


def test_paths_are_refused_as_home_persist_refuses_them(terraform: Terraform) -> None:
    def refuses(path: str) -> bool:
        try:
            normalise_path(path, "/home/coder")
        except RefusedError:
            return True
        return False

    with pytest.raises(TerraformError) as refused:
        terraform.plan({"home_persist_paths": PATHS}, variables=UNPINNED)
    listed = re.search(rf"home_persist_paths: (.*) {NO_PATH}", str(refused.value))
    assert listed
    assert json.loads(f"[{listed[1]}]") == [path for path in PATHS if refuses(path)]


@pytest.mark.parametrize(("name", "value", "said"), BAD_VARIABLES, ids=lambda value: repr(value)[:40])
def test_bad_variable(terraform: Terraform, name: str, value: str, said: str) -> None:
    with pytest.raises(TerraformError) as refused:
        terraform.plan(variables={**UNPINNED, name: value})
    assert said in str(refused.value)
    assert f'variable "{name}"' in str(refused.value)


def test_the_defaults(terraform: Terraform) -> None:
    found = planned(terraform.plan(variables=UNPINNED))
    assert found["image"] == f"{REPOSITORY}:base"
    assert found["web_shell.directory"] == PROJECTS
    assert (found["memory"], found["cpus"], found["ports"]) == (None, None, [])
    assert found["home_persist_paths"] == []
    assert found["jetbrains.allow_updates"] is False
