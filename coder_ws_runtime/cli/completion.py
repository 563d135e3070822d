"""What a shell offers after TAB: declared paths, optional manifests, hooks, checks."""

import os
import re
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path

import click

from coder_ws_runtime.cli.loading import workspace_settings
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.entry import Declarations, Entry
from coder_ws_runtime.persist.manifest.files import available_files, user_files
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.manifest.paths import is_below

Complete = Callable[[click.Context, click.Parameter, str], list[str]]

_SPECIAL = re.compile(r"([^\w./~$+@%=:,-])")


def any_path(context: click.Context, _: click.Parameter, word: str) -> list[str]:
    """Every declared path."""
    layout, _id, found = _declared(context)
    return _offered(layout, _names(found.entries), word)


def attic_path(context: click.Context, _: click.Parameter, word: str) -> list[str]:
    """The contents of the attic, and the declared paths that it has versions of."""
    # Most completions need neither of these modules.
    from coder_ws_runtime.persist.session import Session  # noqa: PLC0415
    from coder_ws_runtime.persist.store.attic_items import items  # noqa: PLC0415

    layout, _id, found = _declared(context)
    try:
        with Session(layout, workspace_settings(layout)[0], writing=False) as session:
            there = {item.path for item in items(session.volume)}
    except UserError:
        return []
    whole = {entry.path for entry in found.entries if any(is_below(path, entry.path) for path in there)}
    return _offered(layout, sorted(there | whole), word)


def removable_path(context: click.Context, _: click.Parameter, word: str) -> list[str]:
    """What `remove` accepts: the user's own paths; with ``--switch-off``, every declared path."""
    layout, workspace_id, found = _declared(context)
    entries = found.entries
    if not context.params.get("switch_off"):
        own = tuple(f"{file}:" for file in user_files(layout, workspace_id))
        entries = tuple(entry for entry in entries if entry.place.startswith(own))
    return _offered(layout, _names(entries), word)


def optional_name(context: click.Context, _: click.Parameter, word: str) -> list[str]:
    """What `enable` accepts: manifests that are off; and `disable`: those that are on."""
    layout, _id, found = _declared(context)
    on = context.info_name == "disable"
    names = found.enabled if on else (file.stem for file in available_files(layout))
    return [name for name in names if name.startswith(word) and (name in found.enabled) == on]


def any_optional_name(context: click.Context, _: click.Parameter, word: str) -> list[str]:
    """Every optional manifest."""
    layout, _id, _found = _declared(context)
    return [file.stem for file in available_files(layout) if file.stem.startswith(word)]


def hook_id(context: click.Context, _: click.Parameter, word: str) -> list[str]:
    """The hooks of the image's tools."""
    from coder_ws_runtime.boot.hooks.discover import discover  # noqa: PLC0415 - for ws-boot only

    layout = Layout.of(Path(context.params.get("root") or "/"), os.environ)
    return [hook.id for hook in discover(layout) if hook.id.startswith(word)]


def check_id(_: click.Context, __: click.Parameter, word: str) -> list[str]:
    """What ``--only`` and ``--ignore`` accept: IDs and categories of checks, also after a comma."""
    from coder_ws_runtime.doctor.catalogue import CHECKS  # noqa: PLC0415 - for ws-doctor only

    before, comma, last = word.rpartition(",")
    names = [*dict.fromkeys(item.category for item in CHECKS), *(item.id for item in CHECKS)]
    return [f"{before}{comma}{name}" for name in names if name.startswith(last)]


def _declared(context: click.Context) -> tuple[Layout, str, Declarations]:
    """The workspace, its ID, and what is declared; nothing if that cannot be determined."""
    layout = Layout.of(Path(context.params.get("root") or "/"), os.environ)
    try:
        values = workspace_settings(layout)[0]
        return layout, values.workspace.id, load_declarations(layout, values)
    except UserError:
        return layout, "", Declarations((), (), ())


def _names(entries: Iterable[Entry]) -> list[str]:
    return [f"{entry.path}{entry.slash}" for entry in entries]


def _offered(layout: Layout, paths: Iterable[str], word: str) -> list[str]:
    """Paths in the form that the user began to type, quoted for the shell.

    bash inserts a completion into the command line as it is; zsh and fish quote it themselves.
    """
    if _asks("fish"):
        word = _unquoted(word)
    prefix = next((p for p in ("~/", "$HOME/", f"{layout.home}/") if word.startswith(p)), "")
    names = [f"{prefix}{path}" for path in paths]
    found = [name for name in names if name.startswith(word)]
    return [_SPECIAL.sub(r"\\\1", name) for name in found] if _asks("bash") else found


def _asks(shell: str) -> bool:
    """Whether a shell asks for completions; a variable says so, e.g. ``_WS_BOOT_COMPLETE=bash_complete``."""
    told = (value for name, value in os.environ.items() if re.fullmatch(r"_[A-Z_]+_COMPLETE", name))
    return any(value.startswith(f"{shell}_") for value in told)


def _unquoted(word: str) -> str:
    """Remove the quotes: fish passes a word as it was typed. A word that cannot be parsed stays as it is."""
    try:
        return next(iter(shlex.split(word)), "")
    except ValueError:
        return word
