"""The check of manifests and declared paths: each is valid, and the user may read it."""

import os
import shlex
from pathlib import Path

from coder_ws_runtime.doctor import remedies, systemd
from coder_ws_runtime.doctor.checks.home import declarations
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import check
from coder_ws_runtime.doctor.findings import Finding, Remedy, Verdict, failure, found, skipped
from coder_ws_runtime.doctor.user_files import renamed
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.layout import DEFAULT_USER
from coder_ws_runtime.persist.manifest.entry import NO_WORKSPACE_ID
from coder_ws_runtime.text import plural


@check("home.manifests", "the manifests and declared paths")
def manifests(context: Context) -> Verdict:
    """Every manifest is valid, and so is every path of the template and of the user."""
    known = context.ask(declarations)
    settings = context.settings_error is None and os.path.lexists(context.layout.settings_file)
    told = [error for error in known.refused if settings or error.code != NO_WORKSPACE_ID]
    findings = [_refused(context, error) for error in told]
    if not findings and len(told) < len(known.refused):
        return skipped("the workspace's ID is not known; see system.settings")
    sources = len({entry.source for entry in known.entries})
    return found(findings, f"{plural(len(known.entries), 'path')} of {plural(sources, 'source')}")


def _refused(context: Context, error: UserError) -> Finding:
    advice = error.hint or "correct or remove it"
    if error.code == "manifest.directory-unreadable" and context.layout.manifest_dir.is_dir():
        return _closed_manifests(context, error)
    if isinstance(error.__cause__, PermissionError):
        return _closed_manifest(context, error)
    if error.place.startswith(f"{context.layout.settings_file}:"):
        text = f"{advice}: it is a parameter of the workspace, which the restart asks for"
        remedy = remedies.restart_workspace(context, text, ask=True)
    else:
        again = systemd.restart_command(context, systemd.RESOLVE, "home-persist resolve")
        remedy = Remedy(f"{advice}; then check again", (*_readable_again(context, error), again))
    evidence = [error.place] if error.place else []
    problem = f"not persisted: {error.message}"
    return failure("home.manifest-refused", problem, remedy, evidence=evidence, about=error.place)


def _readable_again(context: Context, error: UserError) -> tuple[str, ...]:
    """Commands that make a manifest readable again; none if a person has to decide."""
    place = Path(error.place) if error.place.startswith("/") else None
    if place and os.path.lexists(place) and not place.is_file():
        run = context.as_user if _is_kept(context, error.place) else context.as_root
        return (run(renamed(error.place)),)
    if not isinstance(error.__cause__, UnicodeDecodeError) or not _is_kept(context, error.place):
        return ()
    file, copy = shlex.quote(error.place), shlex.quote(f"{error.place}.broken")
    convert = f"iconv --from-code=ISO-8859-1 --to-code=UTF-8 --output={file} {copy}"
    return (context.as_user(f"cp --backup=numbered {file} {copy}"), context.as_user(convert))


def _is_kept(context: Context, place: str) -> bool:
    return Path(place).is_relative_to(context.layout.volume)


def _closed_manifest(context: Context, error: UserError) -> Finding:
    """A manifest that the user may not read; home-persist runs as the user."""
    file = shlex.quote(error.place)
    commands = [f"chmod a+r {file}", "systemctl restart home-persist-resolve home-persist-watch"]
    if _is_kept(context, error.place):
        commands[:1] = [f"chown {DEFAULT_USER}: {file}", f"chmod u+rw {file}"]
    remedy = Remedy(
        "let the user read it, and link what it declares", tuple(map(context.as_root, commands)), safe=True
    )
    problem = f"what it declares is not persisted: it {error.message}"
    evidence = [f"{error.place}: {error.message}"]
    return failure("home.manifest-unreadable", problem, remedy, evidence=evidence, about=error.place)


def _closed_manifests(context: Context, error: UserError) -> Finding:
    remedy = Remedy(
        "make it readable for all users, and link what it declares",
        (
            context.as_root(f"chmod a+rx {shlex.quote(error.place)}"),
            context.as_root("systemctl restart home-persist-resolve home-persist-watch"),
        ),
        safe=True,
    )
    problem = f"nothing that the image declares is persisted: {error.message}"
    return failure("home.manifests-closed", problem, remedy, evidence=[error.place], about=error.place)
