"""``ws-doctor bundle`` and ``ws-doctor schema``."""

import json
import os
import time
from importlib.resources import files
from pathlib import Path

import click

from coder_ws_runtime.cli import commands, render
from coder_ws_runtime.cli.ws_doctor import text as doctor_text
from coder_ws_runtime.doctor.bundle import contents, write
from coder_ws_runtime.doctor.catalogue import CHECKS
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import examine
from coder_ws_runtime.errors import ExitStatus, RefusedError
from coder_ws_runtime.layout import Layout


@click.command(
    "bundle",
    epilog=commands.examples(
        ("ws-doctor bundle", "write it into this directory"),
        ("ws-doctor bundle -o /tmp/ada.tar.gz", "write it there; an existing file is left alone"),
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
    """Write one archive for whoever is asked for help.

    It has the doctor's report, the journal of our units, logs of hooks, manifests, the table of
    links, versions and the environment. Tokens, keys and passwords are taken out, and the names that
    they have there stay.
    """
    began = time.monotonic()
    context = Context.of(layout.root, os.environ)
    results = examine(CHECKS, context)
    seconds = time.monotonic() - began
    report = "\n".join(map(render.plain, doctor_text.lines(results, seconds, verbose=True))) + "\n"
    items = contents(context, results, seconds, report)
    name = context.settings.workspace.name or "workspace"
    top = f"ws-doctor-{name.replace('/', '-')}-{time.strftime('%Y%m%dT%H%M%S')}"
    file = output or Path(f"{top}.tar.gz")
    try:
        write(file, top, items)
    except OSError as error:
        raise RefusedError(
            f"the archive cannot be written: {error.strerror}",
            code="bundle.not-written",
            place=str(file),
            hint="name a new file in a directory that you may write to: ws-doctor bundle -o FILE",
        ) from error
    for item, content in items:
        render.say(f"  {item} ({render.size(len(content.encode()))})")
    render.say(f"{file.absolute()}: {render.size(file.stat().st_size)}; look it through before you send it")
    return ExitStatus.DONE


@click.command("schema", epilog=commands.examples(("ws-doctor schema > report.schema.json", "keep it")))
def schema() -> int:
    """Print the JSON Schema of the report that --json gives."""
    document = files("coder_ws_runtime.doctor").joinpath("report.schema.json").read_text()
    render.say_json(json.loads(document))
    return ExitStatus.DONE
