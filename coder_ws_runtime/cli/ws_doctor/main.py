"""``ws-doctor``: finds what is wrong with a workspace, and how to fix it."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click

from coder_ws_runtime.cli import commands, completion, render
from coder_ws_runtime.cli.tables import table
from coder_ws_runtime.cli.ws_doctor import text as doctor_text
from coder_ws_runtime.cli.ws_doctor.look import REST_OF_LINE, Run, look, say_run, status_of
from coder_ws_runtime.doctor.catalogue import CHECKS
from coder_ws_runtime.doctor.engine import Check, Result
from coder_ws_runtime.doctor.fixes import Fix, apply, safe_fixes
from coder_ws_runtime.doctor.report import as_json as report_as_json
from coder_ws_runtime.doctor.selection import IGNORED, select
from coder_ws_runtime.errors import ExitStatus, UsageError
from coder_ws_runtime.layout import Layout

# Control sequences of terminals (console_codes(4)): cursor to the upper left, erase from there.
_HOME, _REST_OF_SCREEN = "\x1b[H", "\x1b[J"


@commands.group("ws-doctor", invoke_without_command=True)
@click.option(
    "--only",
    multiple=True,
    metavar="CHECK",
    shell_complete=completion.check_id,
    help="Run only these checks: an ID, a category, docker.*, a,b.",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="CHECK",
    shell_complete=completion.check_id,
    help="Run all checks but these; WS_DOCTOR_IGNORE adds more, separated by spaces.",
)
@click.option("--strict", is_flag=True, help="Exit with status 1 for warnings too.")
@click.option("-q", "--quiet", is_flag=True, help="Print only what is wrong.")
@click.option("-v", "--verbose", is_flag=True, help="Print what each check found.")
@click.option("--list", "list_", is_flag=True, help="List the checks; run none.")
@click.option("--fix", is_flag=True, help="Apply the remedies that are safe, then check again.")
@click.option("--metadata", is_flag=True, help="Print one line for Coder's metadata; exit with status 0.")
@click.option(
    "--watch",
    type=commands.Number(1, commands.DAY),
    is_flag=False,
    flag_value=5.0,
    metavar="[SECONDS]",
    help="Check again and again, every SECONDS (default: 5).",
)
@commands.with_json
@commands.with_layout
@click.pass_context
def ws_doctor(click_context: click.Context, /, layout: Layout, **options: Any) -> int | None:  # noqa: ANN401
    """Check the workspace; report what is wrong and how to fix it.

    Exit status: 0 no failures, 1 failures, 2 wrong usage.
    """
    if not commands.has_no_subcommand(click_context):
        return None
    modes = [name for name in ("list_", "fix", "metadata", "watch") if options[name]]
    if len(modes) > 1 or (options["as_json"] and modes in (["metadata"], ["watch"])):
        names = [f"--{name.rstrip('_')}" for name in modes] + (["--json"] if options["as_json"] else [])
        raise UsageError(f"{' and '.join(names)} cannot be combined", code="cli.usage")
    always = os.environ.get(IGNORED, "").split()
    checks = select(CHECKS, options["only"], options["ignore"], always)
    if options["list_"]:
        return _list(checks, as_json=options["as_json"])
    if options["watch"]:
        return _watch(checks, layout, options["watch"])
    run = look(checks, layout)
    if options["metadata"]:
        render.say(doctor_text.metadata(run.results))
        return ExitStatus.DONE
    fixes: list[dict[str, Any]] = []
    if options["fix"]:
        run, fixes = _fix(run, partial(look, checks, layout), say=not options["as_json"])
    if options["as_json"]:
        render.say_json(report_as_json(run.results, run.context, run.seconds, fixes))
    else:
        style = {name: options[name] for name in ("quiet", "verbose")}
        say_run(run, **style)
    return status_of(run.results, strict=options["strict"])


def _list(checks: Sequence[Check], *, as_json: bool) -> int:
    listed = doctor_text.listing(checks)
    if as_json:
        checks_ = [{"id": id_, "title": title, "explanation": said} for id_, title, said in listed]
        render.say_document("ws-doctor --list", {"checks": checks_})
    else:
        for line in table(("CHECK", "LOOKS AT"), [(id_, said) for id_, _, said in listed]):
            render.say(line)
    return ExitStatus.DONE


def _fix(run: Run, look_again: Callable[[], Run], *, say: bool) -> tuple[Run, list[dict[str, Any]]]:
    """Show the safe remedies, apply them, and check again: a fixed cause may have hidden other findings."""
    todo = safe_fixes(run.results)
    if say and not todo:
        render.say("nothing can be fixed safely without asking")
    done: list[dict[str, Any]] = []
    title = "to fix:"
    while todo:
        if say:
            render.say(title)
            for item in todo:
                render.say(f"  {render.style(f'$ {item.command}', bold=True)}  ({', '.join(item.checks)})")
        done += [_apply(item, run, say=say) for item in todo]
        run = look_again()
        tried = {item["command"] for item in done}
        todo = [item for item in safe_fixes(run.results) if item.command not in tried]
        title = "also to fix:"
    return run, done


def _apply(item: Fix, run: Run, *, say: bool) -> dict[str, Any]:
    ended = apply(item, run.context)
    if say and ended.ok:
        render.say(f"done: {item.command}")
    elif say:
        render.warn(f"{item.command}: {ended.complaint}")
    return {"command": item.command, "checks": list(item.checks), "status": ended.status}


def _watch(checks: Sequence[Check], layout: Layout, pause: float) -> int:
    """Show the whole report on a terminal, elsewhere only changes, until Ctrl-C; return the last status."""
    before: list[Result] = []
    try:
        while True:
            run = look(checks, layout)
            if render.terminal(sys.stdout):
                _redraw(run, pause)
            else:
                _tell_changes(before, run)
            before = run.results
            time.sleep(pause)
    except KeyboardInterrupt:
        return status_of(before, strict=False)


def _redraw(run: Run, pause: float) -> None:
    """Draw over the previous report, without flicker, as much as fits the screen, findings first."""
    columns, rows = shutil.get_terminal_size()
    last = [
        doctor_text.total(run.results, run.seconds),
        f"{time.strftime('%H:%M:%S')}, again in {pause:g} s; press Ctrl-C to stop",
    ]
    report = doctor_text.screen(run.results, columns=columns, rows=rows - len(last) - 1)
    shown = [line if render.coloured(sys.stdout) else render.plain(line) for line in [*report, *last]]
    sys.stdout.write(_HOME + "".join(f"{line}{REST_OF_LINE}\n" for line in shown) + _REST_OF_SCREEN)
    sys.stdout.flush()


def _tell_changes(before: Sequence[Result], run: Run) -> None:
    changed = list(doctor_text.changes(before, run.results))
    if not before or changed:
        render.say(f"{time.strftime('%H:%M:%S')} {doctor_text.total(run.results, run.seconds)}")
    for line in changed:
        render.say(line)


ws_doctor.epilog = commands.examples(
    ("ws-doctor", "show what is wrong, and the commands that fix it"),
    ("ws-doctor -v --only docker", "show what the checks of Docker found"),
    ("ws-doctor --fix", "apply the remedies that are safe, then check again"),
    ("ws-doctor --json", "for programs"),
    ("ws-doctor bundle", "write an archive for support"),
)

ws_doctor.add_lazy("bundle", "coder_ws_runtime.cli.ws_doctor.bundle", "bundle")
ws_doctor.add_lazy("schema", "coder_ws_runtime.cli.ws_doctor.bundle", "schema")


def main() -> int:
    """Run ``ws-doctor`` with the arguments of this process, and return its exit status."""
    return commands.run(ws_doctor)
