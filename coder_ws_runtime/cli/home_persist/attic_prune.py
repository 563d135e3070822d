"""``home-persist attic prune``."""

import os
import time
from collections.abc import Sequence

import click

from coder_ws_runtime import settings
from coder_ws_runtime.cli import commands, render
from coder_ws_runtime.cli.home_persist.attic_selection import (
    choose,
    columns,
    item_as_json,
    with_workspace,
)
from coder_ws_runtime.cli.loading import refuse_root
from coder_ws_runtime.cli.tables import table
from coder_ws_runtime.dataclass import replace
from coder_ws_runtime.errors import ExitStatus
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_bounds import DAY, Bounds, Expired, Space, to_prune
from coder_ws_runtime.persist.store.attic_items import (
    Item,
    contents,
)
from coder_ws_runtime.persist.store.attic_pruning import Pruned, prune
from coder_ws_runtime.text import plural


@click.command(
    "prune",
    short_help="Delete what is beyond the limits.",
    epilog=commands.examples(
        ("home-persist attic prune", "show what would be deleted, and what is kept"),
        ("home-persist attic prune --older-than 7 --yes", "delete what is older than a week"),
        ("home-persist attic prune --versions 3 --yes", "keep three versions of each file"),
    ),
)
@click.option(
    "--older-than",
    type=commands.Number(0, commands.CENTURY),
    default=30.0,
    show_default=True,
    metavar="DAYS",
    help="Delete versions older than this.",
)
@click.option(
    "--versions",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    metavar="NUMBER",
    help="Keep this many versions of each file; delete the oldest first.",
)
@with_workspace
@click.option("--yes/--dry-run", " /-n", help="Do it, or only show it (the default).")
@commands.with_json
@commands.with_layout
def prune_(  # noqa: PLR0913 - one argument an option
    layout: Layout, older_than: float, versions: int, workspace: str | None, *, yes: bool, as_json: bool
) -> int:
    """Delete versions that are older than DAYS, and those beyond the NUMBER newest of each file.

    The attic may take a tenth of the volume, but at most 4 GiB, and should leave a twentieth of the volume
    free. Beyond that, the oldest versions that have a newer one in the attic are deleted, but a hundredth
    of the volume remains for them. home-persist does the same by itself when something is added, and when
    the volume has no room.

    Exit status: 0 done, 1 something cannot be read or removed, 2 wrong usage, 3 no usable volume.
    """
    if yes:
        refuse_root(layout)
    bounds = replace(Bounds(), age=older_than * DAY, versions=versions)
    values = settings.load(layout, os.environ)
    with Session(layout, values, writing=yes) as session:
        now, space = time.time(), Space.of(session.volume)
        read = contents(session.volume)
        chosen = read.items if workspace is None else choose(session, read, (), workspace)
        if yes:
            done = prune(session.volume, now, bounds, only=chosen)
        else:
            gone = to_prune(chosen, now, bounds, space)
            going = {id(one.item) for one in gone}
            done = Pruned(gone, [], [item for item in chosen if id(item) not in going])
    places = {one.place for one in done.problems}
    problems = [*done.problems, *(one for one in read.problems if one.place not in places)]
    if as_json:
        items = [{**item_as_json(one.item), "cause": one.cause.value} for one in done.gone]
        errors = [error.as_dict() for error in problems]
        render.say_document("home-persist attic prune", {"done": yes, "items": items, "errors": errors})
    else:
        _say_pruned(done, bounds, space, done_already=yes)
        for error in problems:
            render.complain(error)
    return ExitStatus.REFUSED if problems else ExitStatus.DONE


def _say_pruned(done: Pruned, bounds: Bounds, space: Space, *, done_already: bool) -> None:
    if done.gone:
        rows = [[*columns(one.item), _cause(one)] for one in done.gone]
        for line in table(["BATCH", "PATH", "SIZE", "AGE", "BECAUSE"], rows):
            render.say(line)
    if done.kept:
        oldest = render.ago(time.time() - done.kept[-1].origin.time)
        limit = f"{bounds.share:.0%} of the volume ({render.size(bounds.limit(space))})"
        limits = f"{bounds.age / DAY:g} days, {bounds.versions} versions of a file, {limit}"
        render.say(
            f"kept: {_amount(done.kept)}, the oldest from {oldest}; the limits are {limits};"
            " to remove more: --older-than, --versions"
        )
    if not done.gone:
        render.say("nothing to remove")
        return
    what = _amount([one.item for one in done.gone])
    render.say(f"removed: {what}" if done_already else f"would be removed: {what}; --yes does it")


_CAUSES = {
    "age": "too old",
    "versions": "too many versions",
    "share": "the attic is too large",
    "room": "the volume is nearly full",
}


def _cause(one: Expired) -> str:
    return _CAUSES[one.cause.value]


def _amount(found: Sequence[Item]) -> str:
    return f"{plural(len(found), 'file')}, {render.size(sum(item.size for item in found))}"
