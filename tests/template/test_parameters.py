"""Every parameter: its default, each option, its edges, and what is refused with which words.

A row of GOOD says what is planned: a dotted path into the container, or into the settings document. A row of
BAD says what a user reads to fix it. What is hostile and refused is in HOSTILE; what is accepted, tests of
a booted workspace carry into it.
"""

import base64
import json
import re
from typing import Any

import pytest

from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.persist.manifest.paths import normalise_path
from tests.template.standin.docker import CONTAINERS
from tests.template.standin.installation import ROOT
from tests.template.terraform import BUILD, Plan, Terraform, TerraformError

CONTAINER, IMAGE = "docker_container.workspace[0]", "docker_image.workspace[0]"
REPOSITORY = "ghcr.io/sourecode/coder-workspace"
PROJECTS = "/home/coder/projects"
# The registry is asked in rows of its own, so that all others do without one.
UNPINNED = {"pin_image": "false"}


def port(external: int, internal: int, ip: str = "127.0.0.1", protocol: str = "tcp") -> dict[str, Any]:
    return {"external": external, "internal": internal, "ip": ip, "protocol": protocol}


# What a browser shows: the page, what is cloned, and the branch.
_GITHUB, _GITLAB = "https://github.com/you/project", "https://gitlab.com/group/sub/project"
_OWN = "https://git.example.org/you/project"
PAGES = [
    (_GITHUB, _GITHUB, ""),
    (f"{_GITHUB}/", _GITHUB, ""),
    (f"{_GITHUB}/tree/a/branch", _GITHUB, "a/branch"),
    (f"{_GITHUB}/tree/main/", _GITHUB, "main"),
    (f"{_GITHUB}/pull/1", _GITHUB, ""),
    (f"{_GITHUB}/pull/1/files#diff-0a1b", _GITHUB, ""),
    (f"{_GITHUB}/issues", _GITHUB, ""),
    (f"{_GITHUB}/blob/main/README.md?plain=1#L2-L3", _GITHUB, ""),
    (f"{_GITHUB}/commit/0123abc", _GITHUB, ""),
    (f"{_GITHUB}?tab=readme-ov-file", _GITHUB, ""),
    ("http://www.github.com/you/project/pulls", _GITHUB, ""),
    ("https://github.com/you/you.github.io/pull/1", "https://github.com/you/you.github.io", ""),
    (f"{_GITLAB}/-/tree/main", _GITLAB, "main"),
    (f"{_GITLAB}/-/merge_requests/3/diffs", _GITLAB, ""),
    (f"{_OWN}/-/tree/a/branch", _OWN, "a/branch"),
    (f"{_OWN}/-/issues/3", _OWN, ""),
    ("https://bitbucket.org/you/project/src/main/", "https://bitbucket.org/you/project", ""),
    ("https://bitbucket.org/you/project/pull-requests/3", "https://bitbucket.org/you/project", ""),
    ("https://codeberg.org/you/project/src/branch/dev", "https://codeberg.org/you/project", "dev"),
    (f"{_OWN}/pull/12/commits", _OWN, ""),
    (f"{_OWN}/pulls/12", _OWN, ""),
    (f"{_OWN}/commit/0123abcdef", _OWN, ""),
    # Names of repositories, not pages.
    ("https://git.example.org/you/pull", "https://git.example.org/you/pull", ""),
    ("https://git.example.org/a/tree/b", "https://git.example.org/a/tree/b", ""),
]

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
    *[
        (
            "repo_url",
            page,
            {"web_shell.directory": f"{PROJECTS}/{url.rpartition('/')[2]}", "clone": (url, branch)},
        )
        for page, url, branch in PAGES
    ],
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
    ("home_persist_paths", ["x" * 236, "é" * 118], {"home_persist_paths": ["x" * 236, "é" * 118]}),
    # The same twice, and what is below a directory, is kept once.
    (
        "home_persist_paths",
        [".foo/", "~/.foo/", ".foo/bar"],
        {"home_persist_paths": [".foo/", "~/.foo/", ".foo/bar"]},
    ),
    ("editors", [], {"apps": ["claude", "web-shell"]}),
    (
        "editors",
        ["code-server", "vscode", "vscode-insiders", "cursor", "windsurf", "zed", "jetbrains"],
        {
            "apps": [
                "claude",
                "code-server",
                "cursor",
                "vscode-desktop",
                "vscode-insiders",
                "web-shell",
                "windsurf",
                "zed",
            ]
        },
    ),
    ("time_zone", "Europe/Berlin", {"env.TZ": "Europe/Berlin"}),
    ("time_zone", "America/Argentina/Buenos_Aires", {"env.TZ": "America/Argentina/Buenos_Aires"}),
    ("time_zone", "Etc/GMT+3", {"env.TZ": "Etc/GMT+3"}),
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
TWO_KINDS = "is both a directory and a file"
NO_ZONE = "Give a name of the time zone database"
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
    # JSON that the provider takes for a list of texts.
    ("additional_ports", "null", f"null {NO_PORT}"),
    ("additional_ports", [None], f"null {NO_PORT}"),
    ("additional_ports", ["80", None], f"null {NO_PORT}"),
    # No host has these addresses.
    *[
        ("additional_ports", [f"{address}:80:80"], NO_PORT)
        for address in ("0.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "[ff02::1]", "[fe80::1]")
    ],
    ("additional_ports", ["8080", "8080:80"], TWICE),
    ("additional_ports", ["8080", "0.0.0.0:8080:80"], TWICE),
    ("additional_ports", ["8080", "08080:80"], TWICE),
    ("additional_ports", ["[::1]:8080:80", "[::]:8080:80"], "8080/tcp of IPv6 is named twice"),
    ("additional_ports", ["[::1]:80", "[0:0::1]:80"], TWICE),
    ("home_persist_paths", "x", NO_LIST),
    ("home_persist_paths", "null", f"null {NO_PATH}"),
    ("home_persist_paths", [None], f"null {NO_PATH}"),
    ("home_persist_paths", ["fine", None], f"null {NO_PATH}"),
    ("home_persist_paths", ["x" * 300], NO_PATH),
    ("home_persist_paths", ["x" * 237], NO_PATH),
    ("home_persist_paths", ["é" * 119], NO_PATH),
    ("home_persist_paths", [f".config/{'x' * 237}/y"], NO_PATH),
    ("home_persist_paths", [".foo", ".foo/"], f'".foo/" {TWO_KINDS}'),
    ("home_persist_paths", ["~/.foo//", "$HOME/.foo"], f'"~/.foo//" {TWO_KINDS}'),
    ("home_persist_paths", [".foo/bar/x", "fine", "./.foo"], f'".foo/bar/x" {TWO_KINDS}'),
    ("editors", ["emacs"], 'values "emacs" are missing from the options'),
    ("editors", [None], "are missing from the options"),
    ("commit_signing", "maybe", '"maybe" is not a bool'),
    ("time_zone", "Berlin;x", NO_ZONE),
    ("time_zone", "/etc/passwd", NO_ZONE),
    ("time_zone", "../x", NO_ZONE),
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
    "commit_signing": "is not a bool",
    "time_zone": NO_ZONE,
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
    "x" * 236,
    "x" * 237,
    "x" * 300,
    "é" * 118,
    "é" * 119,
    f"~/a/{'x' * 237}/",
]

BAD_VARIABLES = [
    # variable, value, what is said
    ("image_repository", "ghcr.io/you/image:tag", "without a tag or digest"),
    ("image_repository", "Ghcr.io/You/image", "without a tag or digest"),
    ("image_repository", "", "without a tag or digest"),
    # An earlier default, which Coder carries over.
    ("image_repository", "ghcr.io/coder-ws-runtime/coder-workspace", "does not belong to this project"),
    ("image_digests", '{"base": "latest"}', "Give digests as registries do"),
    ("docker_host", "build-2", "Give a URL in the form of DOCKER_HOST"),
    ("docker_socket", "docker.sock", "Give an absolute path"),
    ("arch", "x86_64", "built for amd64 and arm64"),
    ("home_volume", "home", "owners do not share a home"),
    ("home_volume", "/srv/{owner}", "Give a name of a Docker volume"),
    ("shared_volume", "/srv/shared", "Give a name of a Docker volume"),
    ("max_memory", "0", "at least 1"),
    ("max_memory", "1.5", "a whole number"),
    ("max_cpus", "-1", "at least 1"),
    ("jetbrains_builds", "{}", "Name at least one IDE"),
    ("jetbrains_builds", '{"IU": "latest"}', "Give builds as JetBrains numbers them"),
    ("external_auth", '{"github": "yes"}', 'Give "required" or "optional"'),
    ("gitignore", '["a\\nb"]', "one pattern of gitignore(5) per entry"),
    ("language", "de DE", "Give the name of a locale"),
    ("time_zone", "Europe/Berlin;", "Give a name of the time zone database"),
    ("memory_threshold", "101", "from 0 to 100"),
    ("volume_threshold", "0.5", "a whole number from 0 to 100"),
    ("daily_cost", "-1", "at least 0"),
    ("anthropic_base_url", "llm.example.org'", "Give a URL"),
]


def planned(plan: Plan) -> dict[str, Any]:
    """The container's attributes and the settings document, by dotted path."""
    container = plan.values(CONTAINER)
    found = {name: container.get(name) for name in ("memory", "cpus", "ports")}
    found["image"] = plan.values(IMAGE)["name"]
    found |= {f"env.{name}": value for name, value in plan.values("coder_agent.main")["env"].items()}
    found["apps"] = apps(plan)
    found["clone"] = cloned(plan)

    def walk(value: object, place: str) -> None:
        found[place] = value
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, f"{place}.{key}" if place else key)

    (document,) = [one["content"] for one in container["upload"] if one["file"].endswith("workspace.json")]
    walk(json.loads(document), "")
    return found


def apps(plan: Plan) -> list[str]:
    """The buttons, by the module that makes them or by their own name."""
    addresses = [re.sub(r"\[.*?\]", "", one) for one in plan.addresses() if ".coder_app." in f".{one}"]
    return sorted(one.split(".")[1] for one in addresses)


def cloned(plan: Plan) -> tuple[str, str]:
    """What the module git-clone is given: URL and branch. The real one has its script in base64."""
    try:
        script = plan.values("module.git-clone[0].coder_script.git_clone[0]")["script"]
    except KeyError:
        return "", ""
    encoded = re.search(r"echo -n '([A-Za-z0-9+/=]+)'", script)
    text = base64.b64decode(encoded[1]).decode() if encoded else script
    url, branch = (re.search(rf'^{name}="(.*)"$', text, re.MULTILINE) for name in ("REPO_URL", "BRANCH_NAME"))
    assert url
    assert branch
    return url[1], branch[1]


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


MALFORMED = [
    "{",
    "user:SECRET",
    '"SECRET"',
    '["SECRET"]',
    "null",
    '{"auths": {"ghcr.io": {"auth": "SECRET"}}',
    '{"auths": null, "x": "SECRET"}',
    '{"auths": "SECRET"}',
    '{"auths": ["SECRET"]}',
    '{"auths": {"ghcr.io": "SECRET"}}',
    '{"auths": {"ghcr.io": {"auth": "SECRET-is-no-base64"}}}',
    '{"auths": {"ghcr.io": {"auth": "U0VDUkVU"}}}',
    '{"auths": {"ghcr.io": {"username": "SECRET"}}}',
]


@pytest.mark.parametrize("config", MALFORMED)
def test_a_malformed_registry_config_is_refused_and_not_printed(terraform: Terraform, config: str) -> None:
    with pytest.raises(TerraformError) as refused:
        terraform.plan(variables={**UNPINNED, "registry_config": config})
    assert 'variable "registry_config": Give the text of a Docker config.json' in str(refused.value)
    assert "SECRET" not in str(refused.value)
    assert "U0VDUkVU" not in str(refused.value)


@pytest.mark.parametrize(
    "config",
    [
        {"auths": {}},
        {"auths": {"ghcr.io": {"auth": "eDp5"}}},
        {"auths": {"ghcr.io": {"username": "x", "password": "y"}, "other.example": {"identitytoken": "z"}}},
        {"auths": {"ghcr.io": {"auth": "eDp5"}}, "credsStore": "", "HttpHeaders": {}},
    ],
    ids=json.dumps,
)
def test_a_registry_config_of_docker_is_taken(terraform: Terraform, config: dict[str, Any]) -> None:
    planned = terraform.plan(variables={**UNPINNED, "registry_config": json.dumps(config)})
    assert planned.actions(CONTAINER) == ["create"]


def test_no_sensitive_variable_has_a_validation() -> None:
    """Terraform below 1.15 prints the value that a validation refuses."""
    blocks = re.findall(
        r'^variable "(\w+)" [{]\n(.*?)^}', (ROOT / "main.tf").read_text(), re.MULTILINE | re.DOTALL
    )
    sensitive = {
        name: block for name, block in blocks if re.search(r"^  sensitive += true", block, re.MULTILINE)
    }
    assert len(sensitive) >= 3
    assert [name for name, block in sensitive.items() if "validation {" in block] == []


def test_all_that_is_refused_is_said_at_once(terraform: Terraform) -> None:
    with pytest.raises(TerraformError) as refused:
        terraform.plan({"additional_ports": ["x"], "home_persist_paths": ["/x"]}, variables=UNPINNED)
    assert f'"x" {NO_PORT}' in str(refused.value)
    assert f'"/x" {NO_PATH}' in str(refused.value)


@pytest.mark.parametrize(
    ("url", "port", "is_taken"),
    [
        ("http://localhost:7080", "7080:80", True),
        ("http://127.0.0.1:7080", "0.0.0.0:7080:80", True),
        ("http://localhost", "80", True),
        ("http://localhost:7080", "7080/udp", False),
        ("http://localhost:7080", "10.0.0.1:7080:80", False),
        ("http://localhost:7080", "7081:7080", False),
        ("https://coder.example.org:7080", "7080:80", False),
    ],
)
def test_the_port_of_coder_on_this_host_is_taken(
    terraform: Terraform, url: str, port: str, *, is_taken: bool
) -> None:
    def planned() -> Plan:
        environment = {"CODER_AGENT_URL": url}
        return terraform.plan({"additional_ports": [port]}, environment=environment, variables=UNPINNED)

    if not is_taken:
        assert planned().actions(CONTAINER) == ["create"]
        return
    with pytest.raises(TerraformError, match="is the port of the host on which Coder listens"):
        planned()


OTHER = {"coder.owner": "grace", "coder.workspace_id": "2", "coder.workspace_name": "cobol"}


@pytest.mark.parametrize(
    ("ports", "wanted", "is_taken"),
    [
        ("127.0.0.1|8080/tcp", "8080:80", True),
        ("127.0.0.1|1/tcp 127.0.0.1|8080/tcp", "8080:80", True),
        ("0.0.0.0|8080/tcp", "8080:80", True),
        ("127.0.0.1|8080/tcp", "0.0.0.0:8080:80", True),
        ("::|8080/tcp", "[::1]:8080:80", True),
        ("::1|8080/tcp", "[::]:8080:80", True),
        ("127.0.0.1|8080/udp", "8080:80", False),
        ("127.0.0.1|18080/tcp", "8080:80", False),
        ("127.0.0.2|8080/tcp", "8080:80", False),
        ("::|8080/tcp", "8080:80", False),
        ("0.0.0.0|8080/tcp", "[::]:8080:80", False),
    ],
)
def test_a_port_that_another_workspace_takes_is_named(
    terraform: Terraform, ports: str, wanted: str, *, is_taken: bool
) -> None:
    """With a real engine: test_engine.py."""
    if terraform.real:
        pytest.skip("the containers of the engine are not the stand-in's")

    def planned(labels: dict[str, str], state: str = "running") -> Plan:
        listed = json.dumps([{"labels": labels, "state": state}, {"labels": {}, "state": "running"}])
        return terraform.plan(
            {"additional_ports": [wanted]}, environment={CONTAINERS: listed}, variables=UNPINNED
        )

    labels = {**OTHER, "coder.ports": ports}
    assert planned(labels, "exited").actions(CONTAINER) == ["create"]
    # The workspace's own container is replaced.
    assert planned({**labels, "coder.workspace_id": BUILD["CODER_WORKSPACE_ID"]}).actions(CONTAINER)
    if not is_taken:
        assert planned(labels).actions(CONTAINER) == ["create"]
        return
    with pytest.raises(TerraformError, match=r"8080/tcp \(grace's workspace cobol\) is taken"):
        planned(labels)


def test_the_defaults(terraform: Terraform) -> None:
    found = planned(terraform.plan(variables=UNPINNED))
    assert found["image"] == f"{REPOSITORY}:base"
    assert found["web_shell.directory"] == PROJECTS
    assert (found["memory"], found["cpus"], found["ports"]) == (None, None, [])
    assert found["home_persist_paths"] == []
    assert found["jetbrains.allow_updates"] is False
