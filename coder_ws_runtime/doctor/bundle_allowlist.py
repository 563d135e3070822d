"""Which variables and fields go into a bundle with their values: those known to hold no secret.

Of everything else, only the name is included. A new field is left out until it is added here; a test compares
list with the models of the documents.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from coder_ws_runtime.doctor.redaction import redact_json
from coder_ws_runtime.doctor.redaction_forms import GONE, redact_word
from coder_ws_runtime.system.mounts import unescaped

_VARIABLES_TEXT = """
BASH_ENV CODER CODER_AGENT_AUTH CODER_AGENT_URL CODER_WORKSPACE_AGENT_NAME CODER_WORKSPACE_ID
CODER_WORKSPACE_NAME CODER_WORKSPACE_OWNER_NAME CODER_WORKSPACE_TRANSITION COLORTERM COLUMNS COMPOSE_FILE
COMPOSE_PROJECT_NAME CC CXX DBUS_SESSION_BUS_ADDRESS DISPLAY DOCKER_BUILDKIT DOCKER_CERT_PATH
DOCKER_CONFIG DOCKER_CONTEXT DOCKER_HOST DOCKER_TLS_VERIFY EDITOR FORCE_COLOR HISTFILE HOME
HOME_PERSIST_LEDGER_DIR HOME_PERSIST_MANIFEST_DIR HOME_PERSIST_STATE HOSTNAME HTTPS_PROXY HTTP_PROXY
INVOCATION_ID JOURNAL_STREAM LANG LANGUAGE LC_ALL LC_COLLATE LC_CTYPE LC_MESSAGES LC_NUMERIC LC_TIME LESS
LINES LOGNAME MAIL NO_COLOR NO_PROXY NOTIFY_SOCKET NVM_BIN NVM_DIR OLDPWD PAGER PATH PWD PYTHONPATH
PYTHONUNBUFFERED SHELL SHLVL SSH_CONNECTION SSH_TTY SUDO_UID SUDO_USER SYSTEMD_EXEC_PID TERM TERM_PROGRAM
TMPDIR TZ USER VIRTUAL_ENV VISUAL WATCHDOG_USEC WS_DOCTOR_IGNORE XDG_CACHE_HOME XDG_CONFIG_HOME
XDG_DATA_HOME XDG_RUNTIME_DIR XDG_STATE_HOME _REMOTE_USER container http_proxy https_proxy no_proxy
"""
VARIABLES = frozenset(_VARIABLES_TEXT.split())
"""Variables whose values go into a bundle, after the rules for text were applied to them."""

Allowed = Mapping[str, "Allowed | bool"]
"""The fields of an object: a mapping if the field holds objects, True if it holds other values."""

_PATHS: Allowed = {"path": True, "mode": True, "scope": True, "why": True}
SETTINGS: Allowed = {
    "version": True,
    "engine": True,
    "engine_knows_all_workspaces": True,
    "docker": {"mtu": True, "address_pools": True},
    "workspace": {"id": True, "name": True, "owner": True, "access_url": True},
    "home_persist_paths": _PATHS,
    "projects": True,
    "jetbrains": {"allow_updates": True},
    "hooks": {"time_limit": True},
    "web_shell": {"directory": True, "title": True},
}
MANIFEST: Allowed = {
    "$schema": True,
    "version": True,
    "source": True,
    "description": True,
    "scope": True,
    "paths": _PATHS,
    "except": True,
    "enable": True,
    "migrations": {"id": True, "remove": True, "rename": True, "rescope": {"path": True, "to": True}},
}
TOOLBOX: Allowed = {
    "tools": {
        "allowInstallation": True,
        "allowUpdate": True,
        "allowUninstallation": True,
        "allowLogCollection": True,
        "location": {"path": True, "levels": True},
    }
}

# Mount options whose values are numbers, versions and modes of operation.
_MOUNT_VALUES_TEXT = """
actimeo blksize blocksize cache data dfltuid dfltgid errors gid group_id lookupcache local_lock
max_batch_time max_read mode mountproto namlen nconnect nr_inodes port proto ptmxmode rsize retrans sec
size timeo uid user_id vers wsize
"""
_MOUNT_VALUES = frozenset(_MOUNT_VALUES_TEXT.split())
_FLAG = re.compile(r"[a-z][a-z_0-9]{0,24}")
_VALUE = re.compile(r"[A-Za-z0-9._-]{1,16}")
_HELPER = re.compile(r"[a-z][a-z0-9-]{0,30}")


def variables(environment: Mapping[str, str]) -> Iterator[str]:
    """A line for each variable, with its value if it is known to be harmless.

    Args:
        environment: of a process.
    """
    for name, value in sorted(environment.items()):
        yield f"{redact_word(name)}={value if name in VARIABLES else GONE}".replace("\n", "\\n")


def document(text: str, allowed: Allowed, secrets: Collection[str], harmless: Collection[str]) -> str:
    """A JSON document with the values of its known fields; of all others, the name.

    Args:
        text: of the document.
        allowed: its known fields.
        secrets: as for :func:`~coder_ws_runtime.doctor.redaction.redact`.
        harmless: as for redact.
    """
    if not text.strip():
        return ""
    try:
        value = json.loads(text)
    except ValueError as error:
        return (
            f"not a JSON document ({getattr(error, 'msg', 'invalid')}); {len(text)} characters are left out\n"
        )
    kept = redact_json(_kept(value, allowed), secrets, harmless)
    return json.dumps(kept, indent=2, ensure_ascii=False) + "\n"


def _kept(value: Any, allowed: "Allowed | bool") -> Any:  # noqa: ANN401 - a JSON value
    if isinstance(value, list):
        return [_kept(inner, allowed) for inner in value]
    if not isinstance(value, dict):
        return value
    if isinstance(allowed, bool):
        return GONE
    return {key: _kept(inner, allowed[key]) if key in allowed else GONE for key, inner in value.items()}


def docker_config(text: str) -> str:
    """How the Docker client's configuration says to log in, and where it connects.

    Args:
        text: of ``~/.docker/config.json``, whose ``auths`` hold passwords.
    """
    if not text.strip():
        return ""
    try:
        value = json.loads(text)
        lines = [f"current context: {_plain(value.get('currentContext', 'default'))}"]
        if "credsStore" in value:
            lines.append(f"helper for all registries: docker-credential-{_plain(value['credsStore'])}")
        for host, helper in value.get("credHelpers", {}).items():
            lines.append(f"helper for {redact_word(host)}: docker-credential-{_plain(helper)}")
        lines += [f"logged in at {redact_word(host)}" for host in value.get("auths", {})]
        lines += [f"other field: {redact_word(key)}" for key in value if key not in _DOCKER_FIELDS]
    except (ValueError, AttributeError, TypeError):
        return f"not a configuration of the Docker client; {len(text)} characters are left out\n"
    return "\n".join(lines) + "\n"


_DOCKER_FIELDS = frozenset({"currentContext", "credsStore", "credHelpers", "auths"})


def _plain(value: object) -> str:
    return value if isinstance(value, str) and _HELPER.fullmatch(value) else GONE


def mounts(mountinfo: str) -> Iterator[str]:
    """A line for each mount: where, what kind, from what, and its options.

    Of unknown options only the name is shown: file systems take passwords as options.

    Args:
        mountinfo: in the format of proc_pid_mountinfo(5).
    """
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if len(fields) < 6 or len(rest) < 3:  # noqa: PLR2004 - the fields up to the options; type, source, options
            continue
        options = dict.fromkeys([*fields[5].split(","), *rest[2].split(",")])
        root = "" if fields[3] == "/" else f"[{unescaped(fields[3])}]"
        point, source = unescaped(fields[4]), unescaped(rest[1])
        yield f"{point}  {rest[0]}  {source}{root}  {','.join(map(_option, options))}"


def _option(option: str) -> str:
    name, equals, value = option.partition("=")
    if not equals:
        return name if _FLAG.fullmatch(name) else redact_word(name)
    known = name in _MOUNT_VALUES and _VALUE.fullmatch(value)
    return f"{redact_word(name)}={value if known else '…'}"


def properties(text: str, names: Collection[str]) -> Iterator[str]:
    """The lines of a property file: with values if they set one of `names`, else without.

    Args:
        text: of the file, with ``name=value`` in each line.
        names: the properties whose values are wanted.
    """
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith(("#", "!")):
            yield f"{name.strip()}={value.strip() if name.strip() in names else '…'}"


def file_names(directory: Path, names: Collection[str]) -> Iterator[str]:
    """A line for each name in a directory, after the rules for words were applied to it.

    Args:
        directory: its path.
        names: in it.
    """
    for name in sorted(names):
        yield f"{directory}/{redact_word(name)}"
