"""``home-persist compile``: an image build runs it after it has installed the manifests."""

import click

from coder_ws_runtime.cli import commands, render
from coder_ws_runtime.errors import ExitStatus, RefusedError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.compiled import write_compiled
from coder_ws_runtime.persist.manifest.files import available_files, manifest_files, read_document
from coder_ws_runtime.persist.manifest.lint import check_files
from coder_ws_runtime.text import plural


@click.command(
    short_help="For image builds: validate the image's manifests.",
    epilog=commands.examples(
        ("RUN home-persist compile", "in a Dockerfile, after it has copied the manifests"),
        ("home-persist validate FILE", "check a manifest on your own machine"),
    ),
)
@commands.with_layout
def compile(layout: Layout) -> int:  # noqa: A001 - the command's name
    """Validate the image's manifests, and write the result into one file.

    With that file, the first start of a container has nothing to validate and is faster. A manifest that
    is changed or added later is validated when a container starts.

    Exit status: 0 done, 1 a manifest was refused and nothing was written, 2 wrong usage.
    """
    from coder_ws_runtime.persist.manifest import model  # noqa: PLC0415 - pydantic is slow to import

    files = [*manifest_files(layout), *available_files(layout)]
    faults = [fault for one in check_files(layout, files, "") for fault in one.faults]
    for fault in faults:
        render.complain(fault)
    if faults:
        return ExitStatus.REFUSED
    found = {}
    for file in files:
        document = read_document(file)
        found[str(file)] = {"text": document.decode(), "value": model.validate(document, place=str(file))}
    try:
        write_compiled(layout, found)
    except OSError as error:
        raise RefusedError(
            f"cannot be written: {error.strerror}",
            code="manifest.not-compiled",
            place=str(layout.compiled_manifests),
            hint="run it as root, while the image is built",
        ) from error
    render.say(f"{layout.compiled_manifests}: {plural(len(found), 'manifest')} validated")
    return ExitStatus.DONE
