"""What real Terraform plans, booted: files, scripts as the agent runs them, ports, and the doctor.

Coder's server is a stand-in on this host. It is planned as `localhost`, so that it answers at all says that
the template has rewritten its URL for the container.
"""

import http.server
import json
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping

import pytest

from devtools import images
from devtools.workspace import AGENT_FILE, AGENT_STAND_IN, Workspace
from tests.conftest import Spaces
from tests.harness.doctor import findings, look
from tests.template.conftest import UNPINNED
from tests.template.record import record, written
from tests.template.terraform import Plan, Terraform
from tests.template.test_extras import ALL, ALL_PARAMETERS

pytestmark = pytest.mark.docker

MARK = "executed"
"""The file that is left if one of the texts below is taken for code."""
HOSTILE = [
    "$(touch /tmp/executed)",
    "`touch executed`",
    "'; touch executed; '",
    '"; touch executed; "',
    '"$(touch executed)"',
    "|touch executed|/",
    "&& touch executed &&/",
    "${CODER_AGENT_TOKEN}/",
    "%{ if true }executed%{ endif }",
    "--root=/tmp",
    "-rf/",
    "*/",
    "a\\",
    " x ",
    "{}/",
]
"""Names that a file may have, so the template takes them for paths that last."""

Boot = Callable[..., Workspace]


class _Coder(http.server.BaseHTTPRequestHandler):
    """Coder's server, as far as a workspace asks it for anything before its agent connects."""

    key: Mapping[str, str] = {}

    def do_GET(self) -> None:
        answers: dict[str, object] = {"/api/v2/buildinfo": {"version": "v2.30.0"}}
        if self.headers.get("Coder-Session-Token") == "token-of-the-tests":
            answers["/api/v2/workspaceagents/me/gitsshkey"] = self.key
        if self.path not in answers and self.path != "/healthz":
            self.send_error(401)
            return
        body = json.dumps(answers[self.path]).encode() if self.path in answers else b"OK"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@pytest.fixture(scope="module")
def coder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port on which Coder's server listens."""
    key = tmp_path_factory.mktemp("key") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "coder", "-f", key], check=True)
    _Coder.key = {"private_key": key.read_text(), "public_key": key.with_suffix(".pub").read_text()}
    server = http.server.ThreadingHTTPServer(("", 0), _Coder)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def boot(terraform: Terraform, spaces: Spaces, coder: int, tmp_path_factory: pytest.TempPathFactory) -> Boot:
    """Plans with parameters, and boots what is planned."""

    def booted(
        name: str,
        parameters: Mapping[str, object] | None = None,
        environment: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        image: str = "base",
    ) -> Workspace:
        build = {
            "CODER_AGENT_URL": f"http://localhost:{coder}",
            "CODER_AGENT_SCRIPT_linux_amd64": f"{AGENT_STAND_IN}# ${{ACCESS_URL}}\n",
        }
        file = tmp_path_factory.mktemp(name) / "planned.json"
        file.write_text(written(record(terraform, parameters, {**build, **(environment or {})}, variables)))
        built = images.tag(image) if images.on_this_base(spaces.engine, image) else ""
        space = spaces.new(name, owner="booted", record=file, image=built)
        (script,) = [one["content"] for one in space.attributes["upload"] if one["file"] == AGENT_FILE]
        space.agent_script = script
        return space.boot()

    return booted


@pytest.fixture(scope="module")
def plain(boot: Boot) -> Workspace:
    """Every parameter at its default."""
    return boot("plain")


def free_port() -> int:
    """A port of this host that is free."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.fixture(scope="module")
def port() -> int:
    """The port of this host that the workspace `hostile` has."""
    return free_port()


@pytest.fixture(scope="module")
def hostile(boot: Boot, port: int) -> Workspace:
    """Each text that a user may choose, as bad as it is accepted; and the limits, and a port."""
    return boot(
        "hostile",
        {
            "repo_url": "ssh://a~b%2F+c:d@example.org:22222/~x%24%28touch/.e-x+@/",
            "directory": "/home/coder/..@+-x/.y",
            "home_persist_paths": HOSTILE,
            "additional_ports": [f"{port}:8123"],
            "dotfiles_uri": "ssh://a@example.org:22/~b/.c-d_e",
            "dotfiles_branch": "a/b+c.d-e_",
            "jetbrains_allow_updates": "true",
            "memory": "1",
            "cpus": "1",
        },
        {"CODER_WORKSPACE_OWNER_NAME": "'\"; $(touch /tmp/executed) `touch executed`"},
    )


# As it is by default ------------------------------------------------------------------------------


def test_the_doctor_has_nothing_to_say(plain: Workspace) -> None:
    report = look(plain)
    assert findings(report) == {}
    assert {check["status"] for check in report["checks"]} == {"ok", "skipped"}


def test_coder_is_reached_from_the_container(plain: Workspace, coder: int) -> None:
    url = f"http://host.docker.internal:{coder}"
    assert plain.out("printenv CODER_AGENT_URL") == url
    assert plain.out(f"tail -n 1 {AGENT_FILE}") == f"# {url}/"
    assert plain.out(f"curl -fsS {url}/healthz") == "OK"


def test_the_scripts_run_as_the_agent_runs_them(plain: Workspace) -> None:
    for script in plain.plan["scripts"]:
        done = plain.as_agent(script["script"])
        assert (done.returncode, done.stderr) == (0, "")
        assert re.search(r"^\d+ paths [^\n]*$", done.stdout, re.MULTILINE), "one line of home-persist"


def test_one_script_that_fails_keeps_none_of_the_others(plain: Workspace) -> None:
    (script,) = plain.plan["scripts"]
    broken = script["script"].replace("home-persist resolve", "false", 1)
    done = plain.as_agent(broken)
    assert done.returncode == 1
    assert "JetBrains" in done.stdout


def test_what_the_dashboard_shows_is_measured(plain: Workspace) -> None:
    """The scripts of the agent's metadata; `coder stat` is the agent's own program, which is not here."""
    shown = {one["key"]: one["script"] for one in plain.plan["agent"]["metadata"]}
    own = {key for key, script in shown.items() if script.startswith("coder stat ")}
    said = {key: plain.as_agent(script) for key, script in shown.items() if key not in own}
    assert {key: done.returncode for key, done in said.items()} == dict.fromkeys(said, 0)
    assert said["doctor"].stdout == "well\n"
    assert re.fullmatch(r"(\d+[.]\d\d ?){3}\n", said["host"].stdout)


def test_each_app_is_healthy_by_its_own_check(plain: Workspace) -> None:
    served = [app for app in plain.plan["apps"] if "url" in app]
    assert served
    for app in served:
        (check,) = app["healthcheck"]
        # It has the time that Coder gives it.
        patience = f"--retry-connrefused --retry-delay {check['interval']} --retry {check['threshold']}"
        done = plain.as_agent(f"curl -fsS {patience} {check['url']}")
        assert (done.returncode, check["url"].startswith(f"{app['url']}/")) == (0, True), done.stderr


def test_the_agent_has_who_commits(plain: Workspace) -> None:
    said = plain.as_agent("git var GIT_AUTHOR_IDENT; git var GIT_COMMITTER_IDENT").stdout
    assert said.count("Recorded Owner <") == 2


def test_the_token_is_on_no_disk(plain: Workspace) -> None:
    """It is in the environment of PID 1 and of the agent; git asks Coder for keys."""
    token = dict(pair.split("=", 1) for pair in plain.attributes["env"])["CODER_AGENT_TOKEN"]
    assert token in plain.out("tr '\\0' '\\n' < /proc/1/environ", user="root")
    places = "/etc /home /mnt /opt /root /run /srv /tmp /usr/local /var"
    found = plain.sh(f"grep -rlsF -- {token} {places} | grep -v '^/run/docker.sock$'", user="root")
    assert found.stdout == ""
    assert plain.sh("ls -A ~/.ssh").stdout == ""


def test_claude_opens_in_the_project(plain: Workspace) -> None:
    (app,) = [one for one in plain.plan["apps"] if one["slug"] == "claude"]
    opened = plain.as_agent(f"claude() {{ pwd; }}; {app['command'].replace('exec ', '')}")
    assert (opened.returncode, opened.stdout) == (0, "/home/coder/projects\n")
    assert plain.as_agent(app["command"].replace("claude", "claude --version")).returncode == 0


EVERYWHERE = {
    "the agent": "{}",
    "a login shell": "bash -lc '{}'",
    "sudo": "sudo {}",
    "root's login shell": "sudo -i {}",
    "a login shell without an environment": "env -i bash -lc '{}'",
    "another user's login": "sudo su - coder -c '{}'",
    "a unit": "sudo systemd-run -q --wait --pipe {}",
    "a unit of the user's": "sudo systemd-run -q --wait --pipe -p User=coder {}",
}


@pytest.mark.parametrize("place", EVERYWHERE)
def test_the_workspace_s_id_is_everywhere(plain: Workspace, place: str) -> None:
    done = plain.as_agent(EVERYWHERE[place].format("printenv CODER_WORKSPACE_ID"))
    assert done.stdout.strip() == plain.workspace_id, done.stderr


@pytest.mark.parametrize("unit", ["coder-agent", "home-persist-watch", "web-shell"])
def test_the_units_of_the_image_have_it(plain: Workspace, unit: str) -> None:
    pid = plain.out(f"systemctl show -P MainPID {unit}")
    environ = plain.out(f"tr '\\0' '\\n' < /proc/{pid}/environ", user="root").splitlines()
    assert f"CODER_WORKSPACE_ID={plain.workspace_id}" in environ


def test_the_forges_are_known(plain: Workspace) -> None:
    _run_scripts(plain)
    known = plain.out("ssh-keygen -l -f /etc/ssh/ssh_known_hosts")
    # As the forges publish them.
    assert "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU github.com" in known
    assert "SHA256:eUXGGm1YGsMAS7vkcx6JOJdOGHPem5gQp4taiCfCLB8 gitlab.com" in known
    assert "SHA256:ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3SM bitbucket.org" in known


def test_git_ignores_what_the_template_says_and_a_user_s_own_file_stays(plain: Workspace) -> None:
    _run_scripts(plain)
    assert plain.out("cat ~/.config/git/ignore") == ".idea/\n.codex"
    assert plain.out("cd $(mktemp -d); git init -q; mkdir .idea; touch .idea/x; git status --porcelain") == ""
    plain.out("echo mine > ~/.config/git/ignore")
    _run_scripts(plain)
    assert plain.out("cat ~/.config/git/ignore") == "mine"


def _run_scripts(space: Workspace) -> None:
    for script in space.plan["scripts"]:
        done = space.as_agent(script["script"])
        assert (done.returncode, done.stderr) == (0, "")


# Presets, and everything switched on -------------------------------------------------------------


def presets(plan: Plan) -> dict[str, dict[str, str]]:
    """The parameters of each preset, by its name."""
    found = {
        one["values"]["name"]: one["values"]["parameters"]
        for one in plan.json["prior_state"]["values"]["root_module"]["resources"]
        if one["type"] == "coder_workspace_preset"
    }
    assert len(found) >= 3
    return found


def test_each_preset_boots_green(terraform: Terraform, boot: Boot) -> None:
    """In its stack's image if that was built on this base, else in the base; the rest is real."""
    for number, parameters in enumerate(presets(terraform.plan(variables=UNPINNED)).values()):
        space = boot(f"preset-{number}", parameters, image=parameters["workspace_image"])
        _run_scripts(space)
        assert findings(look(space)) == {}
        assert (
            space.engine.inspect(space.container)["HostConfig"]["Memory"] == int(parameters["memory"]) << 30
        )
        space.remove()


@pytest.fixture(scope="module")
def whole(boot: Boot) -> Workspace:
    """Everything that can be on at once."""
    chosen = {**ALL_PARAMETERS, "additional_ports": [f"{free_port()}:80"], "memory": "1", "cpus": "1"}
    return boot("whole", chosen, variables=ALL)


def test_everything_switched_on_boots_green(whole: Workspace) -> None:
    _run_scripts(whole)
    assert findings(look(whole)) == {}
    assert len(whole.plan["scripts"]) == 2


def test_the_time_zone_is_everywhere(whole: Workspace) -> None:
    for place, words in EVERYWHERE.items():
        assert whole.as_agent(words.format("date +%Z")).stdout.strip() in ("CET", "CEST"), place


def test_commits_are_signed_with_coder_s_key(whole: Workspace) -> None:
    _run_scripts(whole)
    made = whole.as_agent(
        "set -e; cd $(mktemp -d); git init -q; git commit -q --allow-empty -m x; git tag -m x v1; "
        "git log --show-signature --format=%G? -1; git verify-tag v1; "
        "git config --show-origin user.signingKey"
    )
    assert made.returncode == 0, made.stderr
    assert "\nG\n" in f"\n{made.stdout}"
    assert "file:/etc/gitconfig\t/run/git-commit-signing/key" in made.stdout
    # It is in memory, for this user alone, and none of the owner's files says that there is one.
    assert whole.out("stat -f -c %T /run/git-commit-signing") == "tmpfs"
    assert (
        whole.out("stat -c '%a %U' /run/git-commit-signing /run/git-commit-signing/key")
        == "700 coder\n600 coder"
    )
    found = whole.sh("grep -rlsF 'OPENSSH PRIVATE KEY' /etc /home /mnt /srv /tmp /var", user="root")
    assert found.stdout == ""
    assert whole.sh("test -e ~/.gitconfig").returncode == 1


def test_signing_without_an_answer_of_coder_fails(boot: Boot) -> None:
    space = boot("unsigned", {"commit_signing": "true"}, {"CODER_AGENT_URL": "http://localhost:9"})
    (script,) = [one for one in space.plan["scripts"] if "signing" in one["display_name"]]
    done = space.as_agent(script["script"].replace("--retry 5 --retry-connrefused", ""))
    assert done.returncode != 0
    assert "curl: (7)" in done.stderr
    assert space.out("ls /run/git-commit-signing") == ""
    assert space.sh("git config commit.gpgSign").stdout == ""


# With what users may choose -----------------------------------------------------------------------


def test_no_text_of_a_user_is_executed(hostile: Workspace) -> None:
    for script in hostile.plan["scripts"]:
        done = hostile.as_agent(script["script"])
        assert (done.returncode, done.stderr) == (0, "")
    for shown in hostile.plan["agent"]["metadata"]:
        hostile.as_agent(shown["script"])
    hostile.out("ws-doctor; home-persist status; home-persist validate; home-persist gc; ws-boot hooks")
    assert hostile.out(f"find / /mnt /run -xdev -name {MARK}", user="root") == ""


def test_each_is_a_path_that_lasts(hostile: Workspace) -> None:
    known = json.loads(hostile.out("home-persist status --json"))["paths"]
    fine = {one["path"] for one in known if one["ok"]}
    assert [text for text in HOSTILE if text.rstrip("/") not in fine] == []


def test_the_doctor_finds_no_fault_in_them(hostile: Workspace) -> None:
    assert findings(look(hostile)) == {}


def test_the_owner_s_name_is_a_name(hostile: Workspace) -> None:
    said = hostile.as_agent('printf %s "$GIT_AUTHOR_NAME"').stdout
    assert said == "'\"; $(touch /tmp/executed) `touch executed`"


def test_a_port_leads_into_the_workspace_from_this_host_alone(hostile: Workspace, port: int) -> None:
    words = ["python3", "-m", "http.server", "8123", "--directory", "/etc/coder"]
    hostile.engine.docker("exec", "-d", "-u", "coder", hostile.container, *words)
    hostile.out("for _ in $(seq 50); do curl -fs localhost:8123 >/dev/null && break; sleep 0.1; done")
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"GET /workspace.json HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["workspace"]["name"] == "hostile"
    assert hostile.sh(f"curl -m 3 -s host.docker.internal:{port}").returncode != 0


def test_the_limits_hold(hostile: Workspace) -> None:
    host = hostile.engine.inspect(hostile.container)["HostConfig"]
    assert (host["Memory"], host["NanoCpus"]) == (1024**3, 10**9)


def test_toolbox_may_update(hostile: Workspace) -> None:
    document = json.loads(hostile.out("cat ~/.local/share/JetBrains/Toolbox/environment.json"))
    assert document["tools"]["allowUpdate"] is True
