"""``home-persist attic restore``."""

import os
import shlex
from collections.abc import Sequence

import click

from coder_ws_runtime import settings
from coder_ws_runtime.cli import commands, render
from coder_ws_runtime.cli.completion import attic_path
from coder_ws_runtime.cli.home_persist.attic_selection import (
    choose,
    of_path,
    typed_path,
    with_workspace,
)
from coder_ws_runtime.cli.loading import refuse_root
from coder_ws_runtime.errors import ExitStatus, RefusedError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.catch_up import catch_up
from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.manifest.paths import in_shell, is_below
from coder_ws_runtime.persist.reconcile.observe import glance
from coder_ws_runtime.persist.reconcile.settle import Outcome, settle
from coder_ws_runtime.persist.removed_elsewhere import drop_removed_link, find_removed
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_batch import parse_batch
from coder_ws_runtime.persist.store.attic_items import (
    Item,
    contents,
    restore,
    restore_to_home,
)


@click.command(
    "restore",
    short_help="Put a path back.",
    epilog=commands.examples(
        ("home-persist attic restore ~/.npmrc", "the newest copy, if nothing is in its place"),
        ("home-persist attic restore --force ~/.npmrc", "in exchange for what is there now"),
        ("home-persist attic restore --batch 20260131T093000.000Z-dev ~/.npmrc", "an older one"),
    ),
)
@click.argument("path", shell_complete=attic_path)
@click.option("--batch", metavar="BATCH", help="Take it from this batch, not from the newest that has it.")
@with_workspace
@click.option(
    "-f",
    "--force",
    is_flag=True,
    help="If PATH is declared, move what is there now to the attic.",
)
@commands.with_json
@commands.with_layout
def restore_(  # noqa: PLR0913 - one argument an option
    layout: Layout, path: str, batch: str | None, workspace: str | None, *, force: bool, as_json: bool
) -> int:
    """Put PATH back: its content on the volume, and the link in the home that leads there.

    If PATH exists, this is refused, unless you use --force: then what is there goes to the attic. A directory
    is replaced as a whole, not merged. If PATH is not declared, it is copied into the home, and only if
    nothing is there.

    Exit status: 0 done, 1 refused, 2 wrong usage, 3 no usable volume.
    """
    refuse_root(layout)
    wanted = typed_path(layout, path, "restore")
    outcome: Outcome | None = None
    values = settings.load(layout, os.environ)
    declarations = load_declarations(layout, values)
    # Inside a shared directory, this workspace's own comes first.
    children = {child.entry.path: child for child in declarations.children if child.kept}
    known = [*(child.entry for child in children.values()), *declarations.entries]
    with Session(layout, values) as session:
        catch_up(session)
        everything = contents(session.volume)
        found = choose(session, everything, known, workspace)
        entry = _declaring(known, found, wanted)
        if batch is None:
            if entry and entry.path == wanted and entry.path not in children and not force:
                _refuse_missing_link(session, entry, wanted)
            if not of_path(found, wanted):  # the daemon may have moved it there since then
                everything = contents(session.volume)
                found = choose(session, everything, known, workspace)
            batch = next((item.batch for item in of_path(found, wanted)), "")
        else:
            _refuse_other_workspace(parse_batch(batch).name, found, everything.items, wanted)
        if not batch:
            near = render.nearest_path(wanted, [item.path for item in found])
            raise RefusedError(
                "is not in the attic",
                code="attic.unknown",
                place=f"~/{wanted}",
                hint=near or _what_is_in_the_attic(entry, wanted),
            )
        exchanged = ""
        if entry:
            target = entry.on_volume + wanted.removeprefix(entry.path)
            exchanged = restore(session.attic, batch, wanted, target, force=force)
            linked = children[entry.path].detour if entry.path in children else entry
            outcome = settle(session, linked)  # the link too may have been deleted
        else:
            for removed in find_removed(session, declarations):
                if removed.path == wanted:
                    drop_removed_link(session, removed)
            restore_to_home(session.attic, session.ledger, session.home, batch, wanted)
    if as_json:
        document = {
            "path": wanted,
            "batch": batch,
            "declared": entry is not None,
            "attic": exchanged or None,
            "outcome": outcome.code if outcome else None,
            "error": outcome.error.as_dict() if outcome and outcome.error else None,
        }
        render.say_document("home-persist attic restore", document)
        return ExitStatus.REFUSED if outcome and outcome.error else ExitStatus.DONE
    if entry is None:
        render.say(
            f"~/{wanted}: copied into the home from {batch}; it is not declared, so it is lost with this"
            f" container (to keep it: home-persist add {in_shell(wanted)})",
            {"path": wanted, "batch": batch},
        )
        return ExitStatus.DONE
    lost = f"; what was there is in the attic: {exchanged}" if exchanged else ""
    render.say(f"~/{wanted}: restored from {batch}{lost}", {"path": wanted, "batch": batch})
    return _say_outcome(outcome)


def _say_outcome(outcome: Outcome | None) -> ExitStatus:
    """Whether the home shows what was restored: the link may be refused, or the home had a newer save."""
    if outcome is None:
        return ExitStatus.DONE
    name = f"~/{outcome.entry.path}{outcome.entry.slash}"
    if outcome.error:
        render.warn("it is on the volume, but the home does not show it:")
        render.complain(outcome.error)
        return ExitStatus.REFUSED
    if outcome.problem or outcome.attic:
        lost = f"; the replaced version is in the attic: {outcome.attic}" if outcome.attic else ""
        render.warn(f"{name}: {outcome.problem or outcome.decision.text}{lost}")
    return ExitStatus.DONE


def _what_is_in_the_attic(entry: Entry | None, path: str) -> str:
    shown = "home-persist attic list shows what is"
    if entry is None or entry.path == path:
        return shown
    return f"it has no copy of what is deleted or overwritten inside ~/{entry.path}/; {shown}"


def _refuse_missing_link(session: Session, entry: Entry, path: str) -> None:
    """Refuse a path that only lacks its link: what the volume has is newer than all that the attic has.

    Raises:
        RefusedError: that is so.
    """
    seen = glance(session, entry)
    if seen.home is None and seen.diverted_at is None and seen.volume:
        raise RefusedError(
            "is still on the volume: only its link was deleted or renamed",
            code="attic.link-missing",
            place=f"~/{path}",
            hint="home-persist resolve creates the link again",
        )


def _refuse_other_workspace(batch: str, found: Sequence[Item], everything: Sequence[Item], path: str) -> None:
    """Refuse a batch that has the path only for another workspace.

    Raises:
        RefusedError: that is so; the hint says how to get it all the same.
    """
    if any(item.batch == batch for item in found):
        return
    others = [item for item in everything if item.batch == batch]
    if not of_path(others, path):
        return
    options = ("--workspace", others[0].record.workspace or others[0].origin.label, "--batch", batch)
    raise RefusedError(
        f"batch {batch!r} has another workspace's own copy of it",
        code="attic.other-workspace",
        place=f"~/{path}",
        hint=f"to take that: home-persist attic restore {shlex.join(options)} {in_shell(path)}",
    )


def _declaring(known: Sequence[Entry], found: Sequence[Item], path: str) -> Entry | None:
    """The entry for a path in the attic; None if nothing declares it.

    Raises:
        RefusedError: it is not one path on the volume, nor one in the home; the hint names what the user
            may have meant.
    """
    for entry in known:
        if path == entry.path or is_below(path, entry.path):
            return entry
    inner = [entry.path for entry in known if is_below(entry.path, path)]
    if inner and of_path(found, path):
        has = [f"~/{other}" for other in inner if of_path(found, other)]
        raise RefusedError(
            "is not declared, so it has no place on the volume",
            code="path.not-declared",
            place=f"~/{path}",
            hint=f"these paths in it are declared: {', '.join(has)}"
            if has
            else "restore its parts one by one",
        )
    return None
