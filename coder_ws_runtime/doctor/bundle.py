"""One archive for the person who is asked for help: what the doctor says, and what it looked at.

It is made by an allowlist: values of variables and of documents go in by field, text goes through
:mod:`~coder_ws_runtime.doctor.redaction`.
"""

import io
import json
import os
import re
import tarfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from coder_ws_runtime.doctor import bundle_allowlist as allowlist
from coder_ws_runtime.doctor import bundle_sources as sources
from coder_ws_runtime.doctor import systemd
from coder_ws_runtime.doctor.bundle_sources import Source
from coder_ws_runtime.doctor.checks import agent
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Result
from coder_ws_runtime.doctor.redaction import redact, redact_json, secrets_of, secrets_of_unnamed
from coder_ws_runtime.doctor.report import as_json
from coder_ws_runtime.layout import WORKSPACE_ID
from coder_ws_runtime.persist.manifest.files import manifest_files, user_files
from coder_ws_runtime.system.container import own_container

Item = tuple[str, str]
"""A name in the archive, and a text."""

_ABOUT = """\
What is in this archive went through an allowlist on the way:
- of environment variables, settings and manifests the values of known fields; of others only the names;
- in logs "[redacted]" stands for what follows a name like "token" or "password", and for every long word that
  does not look like a path, a version, a time or a name.
A log keeps its last {kept} KiB, a line its first 8 KiB. Look it through before you send it.
"""


def contents(context: Context, results: Sequence[Result], seconds: float, report: str) -> list[Item]:
    """All that goes into the archive, without secrets.

    Args:
        context: the workspace.
        results: of all checks.
        seconds: how long they took.
        report: the same for people.
    """
    theirs = (context.ask(agent.environment) if context.ask(systemd.boots) else None) or {}
    secrets = secrets_of(context.env) | secrets_of(theirs)
    for environment in (context.env, theirs):
        secrets |= secrets_of_unnamed(environment, allowlist.VARIABLES)
    harmless = _identities(context) - secrets
    secrets -= harmless
    items = [
        ("about.txt", _ABOUT.format(kept=sources.LARGEST // 1024)),
        ("report.txt", redact(report, secrets, harmless)),
        ("report.json", _as_text(redact_json(as_json(results, context, seconds), secrets, harmless))),
        *_documents(context, secrets, harmless),
    ]
    for source, text in sources.gather([*_texts(context, theirs)]):
        items.append((redact(source.name, secrets), _cut(source, redact(text, secrets, harmless))))
    return [(name, content) for name, content in items if content.strip()]


def _as_text(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _cut(source: Source, text: str) -> str:
    """The end of a text that is without secrets already, from the beginning of a line on."""
    if source.cut:
        text = "".join(text.splitlines(keepends=True)[-source.cut :])
    if len(text) <= sources.LARGEST:
        return text
    return text[-sources.LARGEST :].partition("\n")[2]


def _identities(context: Context) -> set[str]:
    """Long words that name this workspace; a supporter finds by them what belongs together."""
    root = context.layout.root
    files = (root / "etc/machine-id", context.layout.proc / "sys/kernel/random/boot_id")
    found = {context.settings.workspace.id or _documented_id(context), own_container(context.layout.proc)}
    found |= {file.read_text(errors="replace").strip() for file in files if os.access(file, os.R_OK)}
    found |= {value.replace("-", "") for value in found}
    return {value for value in found if value}


def _documented_id(context: Context) -> str:
    """The workspace's id of a settings document that is refused for something else."""
    try:
        found = json.loads(sources.tail(context.layout.settings_file))["workspace"]["id"]
    except (ValueError, LookupError, TypeError):
        return ""
    return found if isinstance(found, str) and re.fullmatch(WORKSPACE_ID, found) else ""


def _documents(context: Context, secrets: set[str], harmless: set[str]) -> Iterator[Item]:
    """Documents, each by the fields that are known."""
    layout = context.layout

    def kept(path: Path, allowed: allowlist.Allowed) -> str:
        return allowlist.document(sources.tail(path), allowed, secrets, harmless)

    yield "settings.json", kept(layout.settings_file, allowlist.SETTINGS)
    for file in manifest_files(layout):
        yield redact(f"manifests/{file.name}", secrets), kept(file, allowlist.MANIFEST)
    for file in user_files(layout, context.settings.workspace.id):
        yield redact(f"manifests-of-the-user/{file.name}", secrets), kept(file, allowlist.MANIFEST)
    toolbox = layout.jetbrains_data / "Toolbox/environment.json"
    yield "jetbrains-environment.json", kept(toolbox, allowlist.TOOLBOX)
    yield "docker-config.txt", allowlist.docker_config(sources.tail(layout.home / ".docker/config.json"))
    watch = sources.tail(layout.watch_report)
    try:
        yield "watch.json", _as_text(redact_json(json.loads(watch), secrets, harmless)) if watch else ""
    except ValueError:
        yield "watch.json", f"not a JSON document; {len(watch)} characters are left out\n"


def _texts(context: Context, theirs: dict[str, str]) -> Iterator[Source]:
    """Texts, which go through the rules for logs."""
    yield Source("versions.txt", lambda: sources.versions(context))
    yield Source("environment.txt", lambda: "\n".join(allowlist.variables(context.env)))
    if theirs:
        yield Source("environment-of-the-agent.txt", lambda: "\n".join(allowlist.variables(theirs)))
    yield from sources.of_home(context)
    yield from sources.of_jetbrains(context)
    yield from sources.logs(context)
    if context.live:
        yield from sources.of_machine(context)
        yield from sources.of_docker(context)
    if context.ask(systemd.boots):
        yield from sources.of_system(context)


def write(file: Path, top: str, items: Sequence[Item]) -> None:
    """Write the archive, readable for its owner only; an existing file is left alone.

    Args:
        file: a new file, ``.tar.gz``.
        top: the directory in the archive that holds everything.
        items: what goes into it.

    Raises:
        OSError: it cannot be written, or is there.
    """
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    now = time.time()
    with open(descriptor, "wb") as opened, tarfile.open(fileobj=opened, mode="w:gz") as archive:
        for name, content in items:
            encoded = content.encode(errors="replace")
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size, entry.mtime, entry.mode = len(encoded), int(now), 0o600
            archive.addfile(entry, io.BytesIO(encoded))
