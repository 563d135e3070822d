"""``ws-doctor bundle`` and ``ws-doctor schema``."""

import os
import re
import sys
import time
from pathlib import Path

import click

from coder_ws_runtime.cli import commands, render
from coder_ws_runtime.cli.ws_doctor import text as doctor_text
from coder_ws_runtime.doctor.bundle import contents, write
from coder_ws_runtime.doctor.catalogue import CHECKS
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import examine
from coder_ws_runtime.doctor.redaction import redact
from coder_ws_runtime.doctor.report import DOCUMENT
from coder_ws_runtime.errors import ExitStatus, RefusedError
from coder_ws_runtime.layout import Layout


@click.command(
    "bundle",
    epilog=commands.examples(
        ("ws-doctor bundle", "write it into this directory"),
        ("ws-doctor bundle -o /tmp/ada.tar.gz", "write it there; an existing file is not replaced"),
    ),
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The archive to write; by default ws-doctor-<workspace>-<time>.tar.gz in this directory.",
)
@commands.with_layout
def bundle(layout: Layout, output: Path | None) -> int:
    """Write an archive for the person who helps you.

    It has the doctor's report, the journal of the units, logs of the agent and of hooks, the persisted
    paths, the engine, the network, disks and versions. Of environment variables and settings, it has values
    only for fields that are known to be harmless. In logs, whatever may be a secret becomes [redacted].
    """
    if render.terminal(sys.stderr):
        render.note("collecting, which takes a few seconds")
    began = time.monotonic()
    context = Context.of(layout.root, os.environ)
    results = examine(CHECKS, context)
    seconds = time.monotonic() - began
    report = "\n".join(map(render.plain, doctor_text.lines(results, seconds, verbose=True))) + "\n"
    items = contents(context, results, seconds, report)
    top = f"ws-doctor-{_file_name(context.settings.workspace.name)}-{time.strftime('%Y%m%dT%H%M%S')}"
    file = output or Path(f"{top}.tar.gz")
    try:
        write(file, top, items)
    except OSError as error:
        raise RefusedError(
            f"the archive cannot be written: {error.strerror}",
            code="bundle.not-written",
            place=str(file),
            hint="choose a new file in a directory that you may write to: ws-doctor bundle -o FILE",
        ) from error
    for item, content in items:
        render.say(f"  {item} ({render.size(len(content.encode(errors='replace')))})")
    render.say(f"{file.absolute()}: {render.size(file.stat().st_size)}")
    render.say("Read it before you send it.")
    return ExitStatus.DONE


def _file_name(workspace: str) -> str:
    """A workspace's name as a part of a file name."""
    clean = redact(workspace)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", clean).strip("-") or "workspace"


@click.command("schema", epilog=commands.examples(("ws-doctor schema > report.schema.json", "save it")))
def schema() -> int:
    """Print the JSON Schema of the report that --json prints."""
    from coder_ws_runtime.cli import contract  # noqa: PLC0415 - pydantic is slow to import

    render.say_json(contract.schema(DOCUMENT))
    return ExitStatus.DONE
