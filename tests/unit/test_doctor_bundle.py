"""The archive for support: what goes in by value, what by name, and no secret wherever it was planted."""

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from coder_ws_runtime.doctor import bundle_allowlist as allowlist
from coder_ws_runtime.doctor import bundle_sources as sources
from coder_ws_runtime.doctor.bundle import contents, write
from coder_ws_runtime.doctor.catalogue import CHECKS
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import examine
from coder_ws_runtime.persist.manifest.model import ManifestDocument
from coder_ws_runtime.settings import schema as settings_schema
from tests.harness.secrets import ALL

SECRET = "Tr0ub" + "adour&3!x"
ID = "0b7c8d5e-1111-4222-8333-944455556666"
SETTINGS: dict[str, Any] = {
    "version": 1,
    "workspace": {"id": ID, "name": "dev", "owner": "ada", "access_url": "https://coder.example"},
    "home_persist_paths": ["~/.config/foo/", {"path": ".bar/", "scope": "workspace"}],
    "projects": "/home/coder/projects",
}


def bundle(root: Path, files: dict[str, str], env: dict[str, str] | None = None) -> dict[str, str]:
    """The files of the archive that is made of a tree with these files."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    context = Context.of(root, {"HOME": "/home/ada", "PATH": "/usr/bin", **(env or {})})
    return dict(contents(context, examine(CHECKS, context), 0.1, "the report\n"))


def test_no_planted_secret_is_in_it(tmp_path: Path) -> None:
    shown = "\n\n".join(secret.shown for secret in ALL)
    env = {f"SOME_{number}": part for number, secret in enumerate(ALL) for part in secret.parts[:1]}
    files = {
        "etc/coder/workspace.json": json.dumps({**SETTINGS, "a_new_field": shown, "web_shell": {"x": shown}}),
        "etc/home-persist.d/a.json": json.dumps({"source": "a", "paths": [".a/"], "extra": shown}),
        "etc/home-persist.d/broken.json": f'{{"source": {shown}',
        "var/log/coder-ws/hooks/tool.log": shown,
        "tmp/coder-agent.log": shown,
        "tmp/coder-startup-script.log": "\n".join(shown.split("\n\n")),
        "run/coder-ws/watch.json": json.dumps({"problems": {secret.kind: secret.shown for secret in ALL}}),
        "home/coder/.docker/config.json": json.dumps(
            {"auths": {"ghcr.io": {"auth": shown}}, "HttpHeaders": shown}
        ),
        "home/coder/.local/share/JetBrains/Toolbox/environment.json": json.dumps(
            {"tools": {"x": shown}, "y": shown}
        ),
        "home/coder/idea.properties": "\n".join(
            f"some.property={part}" for item in ALL for part in item.parts
        ),
    }
    made = bundle(tmp_path, files, env)
    assert {"hooks/tool.log", "agent/coder-agent.log", "settings.json", "environment.txt"} <= set(made)
    short = {part for secret in ALL for part in secret.parts if len(part) < 10}  # also words of other texts
    leaks = [
        (name, secret.kind)
        for name, text in made.items()
        for secret in ALL
        for part in secret.parts
        if part in text and part not in short
    ]
    assert leaks == []


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("LANG", "C.UTF-8", "LANG=C.UTF-8"),
        ("DOCKER_HOST", "unix:///run/docker.sock", "DOCKER_HOST=unix:///run/docker.sock"),
        (
            "HTTPS_PROXY",
            f"http://ada:{SECRET}@proxy.example:3128",
            "HTTPS_PROXY=http://[redacted]@proxy.example:3128",
        ),
        ("CODER_WORKSPACE_ID", ID, f"CODER_WORKSPACE_ID={ID}"),
        ("CODER_AGENT_TOKEN", SECRET, "CODER_AGENT_TOKEN=[redacted]"),
        ("FAVOURITE", SECRET, "FAVOURITE=[redacted]"),
        ("SOME_FLAG", "1", "SOME_FLAG=[redacted]"),
        ("LS_COLORS", "rs=0", "LS_COLORS=[redacted]"),
    ],
)
def test_variables_are_named_and_known_ones_have_values(
    name: str, value: str, line: str, tmp_path: Path
) -> None:
    made = bundle(tmp_path, {"etc/coder/workspace.json": json.dumps(SETTINGS)}, {name: value})
    assert line in made["environment.txt"].splitlines()


def test_what_a_variable_holds_is_taken_out_of_logs_too(tmp_path: Path) -> None:
    log = {"tmp/coder-agent.log": "it said Winter in Wien 9 to me\n"}
    made = bundle(tmp_path, log, {"FAVOURITE": "Winter in Wien 9"})
    assert made["agent/coder-agent.log"] == "it said [redacted] to me\n"


def test_settings_are_given_by_field(tmp_path: Path) -> None:
    document = {**SETTINGS, "password": SECRET, "jetbrains": {"allow_updates": True, "license": SECRET}}
    made = bundle(tmp_path, {"etc/coder/workspace.json": json.dumps(document)})
    kept = json.loads(made["settings.json"])
    assert kept == {
        **SETTINGS,
        "password": "[redacted]",
        "jetbrains": {"allow_updates": True, "license": "[redacted]"},
    }


def _fields(schema: dict[str, Any], whole: dict[str, Any], place: str = "") -> set[str]:
    """The places of all fields that a JSON Schema declares, with dots."""
    if "$ref" in schema:
        return _fields(whole["$defs"][schema["$ref"].rpartition("/")[2]], whole, place)
    parts = [part for key in ("anyOf", "oneOf", "allOf") for part in schema.get(key, ())]
    parts += [schema["items"]] if isinstance(schema.get("items"), dict) else []
    found = {field for part in parts for field in _fields(part, whole, place)}
    for name, inner in schema.get("properties", {}).items():
        found |= {f"{place}.{name}"} | _fields(inner, whole, f"{place}.{name}")
    return found


def _allowed(fields: allowlist.Allowed, place: str = "") -> set[str]:
    found = set()
    for name, inner in fields.items():
        found |= {f"{place}.{name}"}
        found |= set() if isinstance(inner, bool) else _allowed(inner, f"{place}.{name}")
    return found


@pytest.mark.parametrize(
    ("schema", "allowed"),
    [
        (settings_schema(), allowlist.SETTINGS),
        (ManifestDocument.model_json_schema(by_alias=True), allowlist.MANIFEST),
    ],
)
def test_each_field_of_a_document_was_thought_about(
    schema: dict[str, Any], allowed: allowlist.Allowed
) -> None:
    """A new field goes into the allowlist, or into this test with the reason why it does not."""
    assert _fields(schema, schema) - _allowed(allowed) == set()


def test_the_docker_client_s_logins_are_named(tmp_path: Path) -> None:
    config = {
        "auths": {"ghcr.io": {"auth": SECRET}},
        "credsStore": "pass",
        "credHelpers": {"x.example": "ecr-login"},
        "currentContext": "rootless",
        "HttpHeaders": {"X": SECRET},
    }
    made = bundle(tmp_path, {"home/coder/.docker/config.json": json.dumps(config)})
    assert made["docker-config.txt"].splitlines() == [
        "current context: rootless",
        "helper for all registries: docker-credential-pass",
        "helper for x.example: docker-credential-ecr-login",
        "logged in at ghcr.io",
        "other field: HttpHeaders",
    ]


def test_mounts_have_their_type_and_options() -> None:
    shown = (
        "110 92 254:0 /volumes/home/_data /mnt/home\\040persist rw,relatime master:1 - nfs4 server:/x"
        f" rw,vers=4.2,hard,password={SECRET},addr=10.0.0.1\n"
        "92 68 0:39 / / rw - overlay overlay rw,lowerdir=/a:/b\nnonsense\n"
    )
    assert list(allowlist.mounts(shown)) == [
        (
            "/mnt/home persist  nfs4  server:/x[/volumes/home/_data]  "
            "rw,relatime,vers=4.2,hard,password=…,addr=…"
        ),
        "/  overlay  overlay  rw,lowerdir=…",
    ]


def test_properties_of_ides_have_the_values_of_directories_only(tmp_path: Path) -> None:
    text = f"# note\nidea.log.path=/tmp/jetbrains/log\nmy.licence={SECRET}\n"
    made = bundle(tmp_path, {"home/coder/idea.properties": text})
    assert made["jetbrains.txt"].splitlines()[1:] == ["  idea.log.path=/tmp/jetbrains/log", "  my.licence=…"]


def test_secrets_are_taken_out_before_anything_is_cut(tmp_path: Path) -> None:
    """What announces the secret is cut off; the secret itself is where the kept part begins."""
    filler = "x y z\n" * 10
    for distance in (0, 40, 400, 4000):
        log = "password: |\n" + f"  {SECRET}\n" * 800 + filler * (sources.LARGEST // len(filler) - distance)
        made = bundle(tmp_path / str(distance), {"tmp/coder-agent.log": log})
        kept = made["agent/coder-agent.log"]
        assert SECRET not in kept
        assert sources.LARGEST - 1000 < len(kept) <= sources.LARGEST or distance
        assert kept.endswith("x y z\n")


def test_logs_are_read_without_waiting_and_without_following_links(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    os.mkfifo(tmp_path / "tmp/coder-pipe.log")
    (tmp_path / "elsewhere").write_text("not ours\n")
    (tmp_path / "tmp/coder-link.log").symlink_to(tmp_path / "elsewhere")
    made = bundle(tmp_path, {"tmp/coder-agent.log": "ours\n"})
    assert [name for name in made if name.startswith("agent/")] == ["agent/coder-agent.log"]


def test_a_source_that_fails_is_named(tmp_path: Path) -> None:
    def fail() -> str:
        raise RuntimeError(SECRET)

    assert sources.gather([sources.Source("a.txt", fail)])[0][1] == "could not be read: RuntimeError\n"


def test_the_archive_is_for_its_owner_only(tmp_path: Path) -> None:
    archive = tmp_path / "b.tar.gz"
    write(archive, "top", [("a.txt", "text\n")])
    assert archive.stat().st_mode & 0o777 == 0o600
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as opened:
        assert opened.getnames() == ["top/a.txt"]


def test_an_archive_that_exists_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "b.tar.gz"
    file.write_text("mine")
    with pytest.raises(FileExistsError):
        write(file, "top", [("a", "b")])
    assert file.read_text() == "mine"
