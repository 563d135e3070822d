"""What real Terraform plans, booted: files, scripts as the agent runs them, ports, and the doctor.

Coder's server is a stand-in on this host. It is planned as `localhost`, so that it answers at all says that
the template has rewritten its URL for the container.
"""

import http.server
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping

import pytest

from devtools.workspace import AGENT_FILE, AGENT_STAND_IN, Workspace
from tests.conftest import Spaces
from tests.harness.doctor import findings, look
from tests.template.record import record, written
from tests.template.terraform import Terraform

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

    def do_GET(self) -> None:
        body = json.dumps({"version": "v2.30.0"}).encode() if self.path == "/api/v2/buildinfo" else b"OK"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@pytest.fixture(scope="module")
def coder() -> Iterator[int]:
    """The port on which Coder's server listens."""
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
    ) -> Workspace:
        build = {
            "CODER_AGENT_URL": f"http://localhost:{coder}",
            "CODER_AGENT_SCRIPT_linux_amd64": f"{AGENT_STAND_IN}# ${{ACCESS_URL}}\n",
        }
        file = tmp_path_factory.mktemp(name) / "planned.json"
        file.write_text(written(record(terraform, parameters, {**build, **(environment or {})})))
        space = spaces.new(name, owner="booted", record=file)
        (script,) = [one["content"] for one in space.attributes["upload"] if one["file"] == AGENT_FILE]
        space.agent_script = script
        return space.boot()

    return booted


@pytest.fixture(scope="module")
def plain(boot: Boot) -> Workspace:
    """Every parameter at its default."""
    return boot("plain")


@pytest.fixture(scope="module")
def port() -> int:
    """A port of this host that is free."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


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
        assert re.search(r"\d+ paths in place, nothing to change", done.stdout)


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
    for app in plain.plan["apps"]:
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
