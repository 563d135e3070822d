"""An archive for the person who helps a user: the doctor's report, and what the doctor looked at.

An allowlist decides what is in it: values of variables and documents are included by field, text goes through
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
"""A name in the archive, and its text."""

_ABOUT = """\
An allowlist decided what is in this archive:
- of environment variables, settings and manifests, values of known fields only; of all others the name;
- in logs, "[redacted]" replaces what follows a name like "token" or "password", and every long word that
  does not look like a path, a version, a time or a name.
Of a log, the last {kept} KiB are kept, of a line the first 8 KiB. Read everything before you send it.
"""


def contents(context: Context, results: Sequence[Result], seconds: float, report: str) -> list[Item]:
    """Everything for the archive, without secrets.

    Args:
        context: the workspace.
        results: of all checks.
        seconds: how long they took in total.
        report: the results as text for people.
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
    """The end of a text that has no secrets, from the start of a line."""
    if source.cut:
        text = "".join(text.splitlines(keepends=True)[-source.cut :])
    if len(text) <= sources.LARGEST:
        return text
    return text[-sources.LARGEST :].partition("\n")[2]


def _identities(context: Context) -> set[str]:
    """Long words that identify this workspace, so that the reader can match them."""
    root = context.layout.root
    files = (root / "etc/machine-id", context.layout.proc / "sys/kernel/random/boot_id")
    found = {context.settings.workspace.id or _documented_id(context), own_container(context.layout.proc)}
    found |= {file.read_text(errors="replace").strip() for file in files if os.access(file, os.R_OK)}
    found |= {value.replace("-", "") for value in found}
    return {value for value in found if value}


def _documented_id(context: Context) -> str:
    """The workspace's ID from a settings document that was refused for another reason."""
    try:
        found = json.loads(sources.tail(context.layout.settings_file))["workspace"]["id"]
    except (ValueError, LookupError, TypeError):
        return ""
    return found if isinstance(found, str) and re.fullmatch(WORKSPACE_ID, found) else ""


def _documents(context: Context, secrets: set[str], harmless: set[str]) -> Iterator[Item]:
    """Documents, with the values of known fields."""
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
    """Texts, to which the rules for logs apply."""
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
    """Write the archive, readable for its owner only. An existing file is not replaced.

    Args:
        file: a new file, ``.tar.gz``.
        top: the directory in the archive that holds everything.
        items: what goes into it.

    Raises:
        OSError: it cannot be written, or it exists.
    """
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    now = time.time()
    with open(descriptor, "wb") as opened, tarfile.open(fileobj=opened, mode="w:gz") as archive:
        for name, content in items:
            encoded = content.encode(errors="replace")
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size, entry.mtime, entry.mode = len(encoded), int(now), 0o600
            archive.addfile(entry, io.BytesIO(encoded))
