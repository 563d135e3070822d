"""Images that tests build on the base: with programs, with homes that come from a layer."""

import shutil
import tempfile
from pathlib import Path

from devtools.engine import Engine
from devtools.images import PREFIX, tag
from devtools.shell import ROOT


def build(engine: Engine, directory: Path, *, sources: tuple[str, ...] = ()) -> str:
    """Build the Dockerfile of a directory on the base image, and return the image's name.

    Args:
        engine: where.
        directory: has the Dockerfile.
        sources: files of this checkout that the context has in ``src``.

    Raises:
        DevError: the build failed.
    """
    name = f"{PREFIX}/test:{directory.name}"
    with tempfile.TemporaryDirectory() as context:
        shutil.copytree(directory, context, dirs_exist_ok=True)
        for source in sources:
            copy = Path(context) / "src" / source
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / source, copy)
        engine.build(directory / "Dockerfile", name, Path(context), args={"BASE": tag("base")})
    return name
