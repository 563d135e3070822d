"""Images that tests build on the base: with programs, with homes that come from a layer."""

import os
import shutil
import ssl
import tempfile
from pathlib import Path

from tests.harness.engine import Engine
from tests.harness.images import PREFIX, tag
from tests.harness.shell import ROOT


def build(engine: Engine, directory: Path, *, sources: tuple[str, ...] = ()) -> str:
    """Build the Dockerfile of a directory on the base image, and return the image's name.

    Args:
        engine: where.
        directory: has the Dockerfile; the context has besides it ``certificates.pem``, the certificates
            that this machine trusts, and ``src``.
        sources: files of this checkout that come into ``src``.

    Raises:
        DevError: the build failed.
    """
    name = f"{PREFIX}/test:{directory.name}"
    trusted = os.environ.get("NODE_EXTRA_CA_CERTS") or ssl.get_default_verify_paths().cafile
    with tempfile.TemporaryDirectory() as context:
        shutil.copytree(directory, context, dirs_exist_ok=True)
        certificates = Path(trusted).read_bytes() if trusted and Path(trusted).exists() else b""
        (Path(context) / "certificates.pem").write_bytes(certificates)
        for source in sources:
            copy = Path(context) / "src" / source
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / source, copy)
        engine.build(directory / "Dockerfile", name, Path(context), args={"BASE": tag("base")})
    return name
