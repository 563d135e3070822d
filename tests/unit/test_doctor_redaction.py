"""No secret leaves the workspace in a bundle: many are planted, each in every way that a log may have."""

import time

import pytest

from coder_ws_runtime.doctor.redaction import GONE, is_sensitive, redact, redact_json, secrets_of
from tests.harness.secrets import ALL, CARRIERS, Secret


def test_there_are_secrets_of_many_kinds() -> None:
    assert len({secret.kind for secret in ALL}) == len(ALL) >= 150


@pytest.mark.parametrize("carrier", CARRIERS)
def test_secrets_are_taken_out(carrier: str) -> None:
    leaks = [secret.kind for secret in ALL if _leaks(secret, carrier)]
    assert leaks == []


def _leaks(secret: Secret, carrier: str) -> bool:
    clean = redact(f"before\n{CARRIERS[carrier](secret.shown)}\n\nStarted a.service.\n")
    assert GONE in clean
    assert clean.startswith("before\n")
    if "without its end" not in secret.kind:
        assert clean.endswith("Started a.service.\n"), f"what comes after it stays: {secret.kind}"
    return any(part in clean for part in secret.parts)


def test_no_large_part_of_a_secret_is_left() -> None:
    ends = {item.kind: (item.parts[0][-12:], redact(item.shown)) for item in ALL if len(item.parts) == 1}
    assert [
        kind for kind, (end, clean) in ends.items() if end in clean or (len(end) >= 8 and end[4:] in clean)
    ] == []


@pytest.mark.parametrize(
    "line",
    [
        "Started coder-agent.service - Coder agent.",
        "coder-agent.service: Main process exited, code=exited, status=203/EXEC",
        "2026-11-26T03:41:17+0000 dev systemd[1]: Failed to start ws-hooks.service - Hooks.",
        "/run/docker.sock: mode 0660, uid 0, gid 105, link count 1",
        "permission denied while trying to connect to the Docker socket at unix:///var/run/docker.sock",
        'Get "http://%2Fvar%2Frun%2Fdocker.sock/info": dial unix /var/run/docker.sock: permission denied',
        "the container has no CODER_AGENT_TOKEN, so the agent cannot log in",
        "https://coder.example/api/v2/buildinfo answers, version v2.20.0",
        "curl: (6) Could not resolve host: coder.example",
        "fatal: Unable to create '/home/coder/.gitconfig.lock': File exists.",
        "error: ~/.claude.json: the volume is full (ENOSPC), so the path is left as it is",
        "Warning: Permanently added 'github.com' (ED25519) to the list of known hosts.",
        "git@github.com: Permission denied (publickey).",
        "Cloning into '/home/coder/projects/coder-ws-runtime'...",
        "Get:1 http://deb.debian.org/debian trixie/main amd64 python3.13-minimal amd64 3.13.5-2 [2224 kB]",
        "pulling ghcr.io/acme/coder-workspace:cpp@sha256:" + "3f" * 32,
        "Client: Docker Engine - Community 26.1.5+dfsg1, API version 1.45, Go go1.22.4",
        "  inet6 fe80::42:acff:fe11:2/64 scope link",
        "nameserver 2001:0db8:85a3:0000:0000:8a2e:0370:7334",
        "default via 172.17.0.1 dev eth0",
        "tmpfs on /run type tmpfs (rw,nosuid,nodev,size=65536k,mode=755)",
        'File "/usr/local/lib/python3/dist-packages/coder_ws_runtime/persist/session.py", line 9, in open',
        "java.lang.IllegalStateException: com.intellij.openapi.application.ApplicationInitializedListener",
        "/home/coder/.config/JetBrains/IntelliJIdea2024.3/idea.properties",
        "uid=1000(coder) gid=1000(coder) groups=1000(coder),27(sudo),999(docker)",
        "Failed password for invalid user",
        "agent_id=0b7c8d5e-1111-4222-8333-944455556666 connected",
        "open /home/coder/.config/gh/token: permission denied",
        "token: not set",
        "npm error 404 Not Found - GET https://registry.npmjs.org/@anthropic-ai/claude-codex - Not found",
        "PWD=/home/coder/projects",
        "the keyboard monkey's author passed the authentication",
        "Process 4711 (node) dumped core at 0x7f3a5c0b1e90",
    ],
)
def test_ordinary_diagnostics_stay(line: str) -> None:
    assert redact(line) == line


def test_names_of_this_workspace_stay_where_they_are_known() -> None:
    line = "workspace 0b7c8d5e-1111-4222-8333-944455556666 (dev)"
    assert redact(line, harmless={"0b7c8d5e-1111-4222-8333-944455556666"}) == line
    assert redact(line) == f"workspace {GONE} (dev)", "a uuid may be a key"


def test_known_values_are_taken_out_wherever_they_are() -> None:
    secrets = secrets_of({"CODER_AGENT_TOKEN": "plain value", "PATH": "/usr/bin", "MY_KEY": "abcd1234"})
    assert secrets == {"plain value", "abcd1234"}
    assert redact("it said plain value, then abcd1234", secrets) == f"it said {GONE}, then {GONE}"
    assert redact("plain%20value plain+value cGxhaW4gdmFsdWU=", secrets) == f"{GONE} {GONE} {GONE}="


def test_the_password_in_an_address_of_the_environment_is_known() -> None:
    secrets = secrets_of({"HTTP_PROXY": "http://ada:s3cret@proxy:3128"})
    assert redact("logging in as ada with s3cret", secrets) == f"logging in as ada with {GONE}"


def test_documents_keep_their_keys() -> None:
    document = {"id": "agent.token", "list": [{"password": "abc", "user": "ada", "count": 3}], "none": None}
    assert redact_json(document) == {
        "id": "agent.token",
        "list": [{"password": GONE, "user": "ada", "count": 3}],
        "none": None,
    }


@pytest.mark.parametrize(
    "name",
    [
        *(
            "CODER_AGENT_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "PGPASSWORD",
            "API_KEY",
            "npm_config__auth",
            "apiKey",
            "DB_PASS",
        ),
        *("client-secret", "sessionToken", "SSH_KEYS", "MYSQL_PWD", "Cookie", "SENTRY_DSN"),
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_sensitive(name)


@pytest.mark.parametrize(
    "name",
    ["PATH", "HOME", "LANG", "SSH_TTY", "KEYBOARD", "AUTHOR", "PWD", "OLDPWD", "MONKEY", "COMPASS", "PINNED"],
)
def test_other_names(name: str) -> None:
    assert not is_sensitive(name)


# Time ------------------------------------------------------------------------------------------------

_SIZE = 512 * 1024
_PATTERNS = {
    "one word": "x",
    "assignments": "a=b ",
    "names": "password ",
    "names without blanks": "key",
    "addresses": "://",
    "logins": "a:b@",
    "operators": "token=",
    "quotes": "\"'\\",
    "percent signs": "%41",
    "PEM": "-----BEGIN ",
    "blanks": " ",
    "hyphens": "ab1c2D-",
    "JSON": '{"a":"bcdefghijklm","c":[1,2,3]},',
    "uuids": "0b7c8d5e-1111-4222-8333-944455556666 ",
    "programs": "mysql x ",
    "signs": "=:>",
}


@pytest.mark.parametrize("unit", _PATTERNS.values(), ids=_PATTERNS.keys())
def test_a_line_of_half_a_mebibyte_takes_milliseconds(unit: str) -> None:
    line = (unit * (_SIZE // len(unit) + 1))[:_SIZE]
    assert _seconds(line) < 0.25


@pytest.mark.parametrize("unit", _PATTERNS.values(), ids=_PATTERNS.keys())
def test_the_time_is_linear(unit: str) -> None:
    """Lines that are as long as they may be: four times as many take about four times as long."""
    line = (unit * 8192)[:8192] + "\n"
    few, many = _seconds(line * 16), _seconds(line * 64)
    assert many < max(few * 8, 0.25)


def _seconds(text: str) -> float:
    """The processor's time for it, the better of two tries."""
    tries = []
    for _ in range(2):
        began = time.process_time()
        redact(text)
        tries.append(time.process_time() - began)
    return min(tries)
