"""No secret leaves the workspace in a bundle: plant some, and look for them."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from coder_ws_runtime.doctor.bundle import contents, write
from coder_ws_runtime.doctor.catalogue import CHECKS
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import examine
from coder_ws_runtime.doctor.redaction import GONE, is_sensitive, redact, secrets_of

# Put together here, so that no scanner takes them for real ones.
S = "Zq8" + "kW3vTx9LmN2pRs5bYd7F"
PEM = f"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAA{S}\n-----END OPENSSH PRIVATE KEY-----"


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(f"CODER_AGENT_TOKEN={S}", id="variable"),
        pytest.param(f'export GITHUB_TOKEN="{S} with blanks {S}"', id="quoted variable"),
        pytest.param(f"db_password: {S}", id="yaml"),
        pytest.param(f'{{"apiKey": "{S}", "user": "ada"}}', id="json"),
        pytest.param(f'{{"api_key":"{S}\\"{S}"}}'.replace('\\"', "'"), id="json without blanks"),
        pytest.param(json.dumps(json.dumps({"session_token": S})), id="json in json"),
        pytest.param(f"Authorization: Bearer {S}", id="header"),
        pytest.param(f"proxy-authorization: Basic {S}==", id="proxy header"),
        pytest.param(f"Coder-Session-Token: {S}", id="Coder's header"),
        pytest.param(f"curl -H 'Authorization: token {S}' https://x.example", id="curl"),
        pytest.param(f"cloning https://ada:{S}@git.example/a.git", id="password in a URL"),
        pytest.param(f"cloning https://{S}@git.example/a.git", id="token in a URL"),
        pytest.param(f"GET /callback?state=1&access_token={S}&x=1", id="query"),
        pytest.param(f"program --token {S} --user ada", id="option"),
        pytest.param(f"program --api-key={S}", id="option with ="),
        pytest.param(f"machine git.example login ada password {S}", id="netrc"),
        pytest.param(f"//registry.npmjs.org/:_authToken={S}", id="npmrc"),
        pytest.param(f"aws_secret_access_key = {S}", id="aws"),
        pytest.param(f"got ghp_{S}{S} from the keyring", id="GitHub"),
        pytest.param(f"key sk-ant-api03-{S} refused", id="Anthropic"),
        pytest.param(f"glpat-{S} refused", id="GitLab"),
        pytest.param(f"eyJhbGciOiJIUzI1NiJ9.{S}.{S}", id="JWT"),
        pytest.param(f"session {S[:10]}-{(S * 2)[:22]} ended", id="Coder's session token"),
        pytest.param(PEM, id="private key"),
        pytest.param(PEM.replace("\n", "\\n"), id="private key on one line"),
        pytest.param(PEM.rpartition("\n")[0], id="private key that was cut off"),
    ],
)
def test_a_secret_is_taken_out(line: str) -> None:
    clean = redact(f"before\n{line}\n")
    assert S not in clean
    assert (S * 2)[:22] not in clean
    assert GONE in clean
    assert clean.startswith("before\n")


@pytest.mark.parametrize(
    "line",
    [
        "Started coder-agent.service - Coder agent.",
        "/run/docker.sock: mode 0660, uid 0, gid 105, link count 1",
        "83 59 0:39 / / rw,relatime - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/SL5JAMQMS7E",
        '{"source": "claude-code", "scope": "owner", "paths": [".claude/", ".claude.json"]}',
        "the container has no CODER_AGENT_TOKEN, so the agent cannot log in",
        "workspace 0b7c8d5e-1111-4222-8333-944455556666 (dev)",
        "https://coder.example/api/v2/buildinfo answers, version v2.20.0",
    ],
)
def test_what_is_no_secret_stays(line: str) -> None:
    assert redact(line) == line


def test_known_values_are_taken_out_wherever_they_stand() -> None:
    secrets = secrets_of(
        {"CODER_AGENT_TOKEN": "plain-looking value", "PATH": "/usr/bin", "MY_KEY": "abcd1234"}
    )
    assert secrets == {"plain-looking value", "abcd1234"}
    assert redact("it said plain-looking value, then abcd1234", secrets) == f"it said {GONE}, then {GONE}"


@pytest.mark.parametrize(
    "name", ["CODER_AGENT_TOKEN", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "API_KEY", "npm_config__auth"]
)
def test_telling_names(name: str) -> None:
    assert is_sensitive(name)


@pytest.mark.parametrize("name", ["PATH", "HOME", "LANG", "SSH_TTY", "KEYBOARD", "AUTHOR", "PWD", "OLDPWD"])
def test_names_that_tell_nothing(name: str) -> None:
    assert not is_sensitive(name)


def test_a_bundle_has_no_planted_secret(tmp_path: Path) -> None:
    root = tmp_path / "root"
    files = {
        "etc/coder/workspace.json": json.dumps({"version": 1, "workspace": {"name": f"n token={S}"}}),
        "etc/home-persist.d/a.json": json.dumps({"source": "a", "paths": [".a/"], "password": S}),
        "etc/home-persist.d/b.json": f'{{"source": "b", "paths": ["ghp_{S}{S}/"]}}',
        "var/log/coder-ws/hooks/tool.log": f"+ curl -H 'Authorization: Bearer {S}'\nX_TOKEN={S}\n{PEM}\n",
        "run/coder-ws/watch.json": json.dumps({"problems": {".netrc": f"password {S}"}}),
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    context = Context.of(root, {"CODER_AGENT_TOKEN": S, "HOME": "/home/ada", "PATH": "/usr/bin"})
    results = examine(CHECKS, context)
    items = contents(context, results, 0.1, f"report with {S}\n")
    archive = tmp_path / "b.tar.gz"
    write(archive, "top", items)
    assert archive.stat().st_mode & 0o777 == 0o600
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as opened:
        kept = {item.name: opened.extractfile(item).read().decode() for item in opened if item.isfile()}  # type: ignore[union-attr]
    assert {
        "top/report.txt",
        "top/report.json",
        "top/links.txt",
        "top/versions.txt",
        "top/environment.txt",
    } <= set(kept)
    assert {"top/manifests/a.json", "top/hooks/tool.log", "top/settings.json"} <= set(kept)
    assert [name for name, content in kept.items() if S in content] == []
    assert "CODER_AGENT_TOKEN=" in kept["top/environment.txt"], "names stay"
    assert "HOME=/home/ada" in kept["top/environment.txt"]


def test_an_archive_that_is_there_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "b.tar.gz"
    file.write_text("mine")
    with pytest.raises(FileExistsError):
        write(file, "top", [("a", "b")])
    assert file.read_text() == "mine"
