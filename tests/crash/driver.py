"""The verbs that the fault harness kills, each in a process of its own. They print `changed PATH`."""

import importlib
import os
import pkgutil
import sys
from pathlib import Path

from coder_ws_runtime import persist, settings
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.entry import Declarations, Entry
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.migrations.run import migrate
from coder_ws_runtime.persist.reconcile.event import LINK_DELETED, NO_EVENT, LinkEvent, link_moved
from coder_ws_runtime.persist.reconcile.settle import settle
from coder_ws_runtime.persist.remove import Removal
from coder_ws_runtime.persist.renames import follow_renames
from coder_ws_runtime.persist.scope_changes import find_scope_changes, follow_scope_change
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_items import items, restore
from tests.crash.contents import ADDED, DELETED, EXCHANGED, RENAMED


def load_everything() -> None:
    """Load what the package loads late: an error is to strike files of the user, not modules."""
    for module in pkgutil.walk_packages(persist.__path__, f"{persist.__name__}."):
        importlib.import_module(module.name)


def run(verb: str) -> int:
    """Do as the commands do with a refusal; returns the exit status."""
    try:
        return main(verb)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def main(verb: str) -> int:
    layout = Layout.of(Path("/"), os.environ)
    values = settings.load(layout, os.environ)
    with Session(layout, values) as session:
        session.clear_left()
        found = load_declarations(layout, values)
        if verb == "restore":
            return _restore(session)
        if verb == "remove":
            return _remove(Removal(session))
        failed = False
        session.relink = verb != "renamed"  # the daemon creates no link again
        if verb == "migrate":  # as `home-persist resolve` does
            for item in migrate(session, found):
                print(f"changed {item.step.id}: {item.decision.text} {item.error or ''}")
                failed = failed or item.error is not None
        if verb == "scope":  # as above
            for change in list(find_scope_changes(session, found)):
                done = follow_scope_change(session, change, found)
                print(f"changed scope of {change.entry.path}: {done.error or ''}")
                failed = failed or done.error is not None
        renamed = follow_renames(session, found.entries) if verb == "resolve" else {}
        for entry in found.entries:
            event = _event(session, found, entry, verb)
            outcome = renamed.get(entry.path) or settle(session, entry, event=event)
            if outcome.changed:
                print(f"changed {entry.path}: {outcome.decision.text}")
            if outcome.error:
                failed = True
                print(f"error {outcome.error}")
    return 1 if failed else 0


def _event(session: Session, found: Declarations, entry: Entry, verb: str) -> LinkEvent:
    """What the daemon would say of a link that a program deleted or renamed; others have no event."""
    path = entry.path
    if verb == "heal" and path == DELETED and not os.path.lexists(session.home.path / path):
        return LINK_DELETED
    moved = {"renamed": RENAMED, "exchanged": dict(zip(EXCHANGED, EXCHANGED[::-1], strict=True))}
    place = moved.get(verb, {}).get(path, "")
    new = session.home.path / place
    if place and new.is_symlink() and str(new.readlink()) == f"{session.volume.path}/{entry.on_volume}":
        return link_moved(place, next((one for one in found.entries if one.path == place), None))
    return NO_EVENT


def _restore(session: Session) -> int:
    """Exchange what lost in .wins/ for what won, once."""
    for item in items(session.volume):
        if item.path == ".wins/both":
            restore(session.attic, item.batch, item.path, item.path, force=True)
            print(f"changed {item.path}")
            return 0
    return 1


def _remove(removal: Removal) -> int:
    """Stop keeping what the user declared; what a run before has done already is well."""
    failed = False
    for done in removal.run(ADDED):
        if done.entry:
            print(f"changed {done.path}")
        if done.error and done.error.code != "path.not-declared":
            failed = True
            print(f"error {done.error}")
    return 1 if failed else 0
