"""The check of the links of declared paths."""

import os

from coder_ws_runtime.doctor.checks.home import declarations, volume_problem
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Verdict, failure, found, ok, skipped
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.persist.manifest.entry import Entry, Kind
from coder_ws_runtime.persist.store.names import aside_name
from coder_ws_runtime.text import plural


@check("home.links", "the links of declared paths", needs=[Need.VOLUME], made_by=Need.BOOT)
def links(context: Context) -> Verdict:
    """Every declared path is a link to its place on the volume."""
    entries = context.ask(declarations).entries
    odd = [entry for entry in entries if not is_linked(context, entry)]
    summary = f"{plural(len(entries), 'declared path')}, all linked"
    if not odd:
        return ok(summary)
    if context.ask(volume_problem):
        return skipped("the volume cannot be used; see home.volume")
    from coder_ws_runtime.doctor.checks.link_faults import find_faults  # noqa: PLC0415 - most runs find none

    try:
        findings = find_faults(context, odd)
    except UserError as error:
        evidence = [f"~/{entry.path} is not linked" for entry in odd]
        return found([failure("home.link-not-looked-at", str(error), evidence=evidence)], "")
    diverted = [entry.path for entry in odd if (context.layout.home / entry.path).exists()]
    if diverted:
        summary = f"{plural(len(entries), 'declared path')}; your own links: ~/{', ~/'.join(diverted)}"
    return found(findings, summary)


def is_linked(context: Context, entry: Entry) -> bool:
    """Whether the link says what it should and leads somewhere, or a file has yet to be written.

    What an interrupted run set aside next to it has to be put back first.
    """
    target = f"{context.layout.volume}/{entry.on_volume}"
    place = context.layout.home / entry.path
    if os.path.lexists(place.with_name(aside_name(place.name))):
        return False
    try:
        if os.readlink(place) != target:
            return False
    except FileNotFoundError:
        # The daemon links a file when a program has written it; home.daemon tells whether it runs.
        return entry.kind is Kind.FILE and not os.path.lexists(target)
    except OSError:
        return False
    return os.path.isdir(target if entry.kind is Kind.DIRECTORY else os.path.dirname(target))
