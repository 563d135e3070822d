"""A local mirror of the tools' publishers, for builds that do not reach them, and for tests.

It serves the stand-ins of tests/images as `http://<here>/<host>/<path>`, which is what the recipes take
`MIRROR` for. Of npm's registry it is a real mirror.
"""

import fcntl
import functools
import hashlib
import http.server
import json
import os
import re
import socketserver
import threading
import urllib.error
import urllib.request
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from devtools import images, npm_registry
from devtools.engine import Engine
from devtools.shell import STATE, say
from devtools.stacks import images as known_images
from devtools.stacks import lineage

TREE = STATE / "mirror"
# Build arguments that the recipes know; one that is set in the environment counts.
ARGUMENTS = ("MIRROR", "TOOLS", "LLVM_SOURCE", "LLVM_VERSION")
_PUBLISHER = "https://github.com"
_SECONDS = 5.0


def reached() -> bool:
    """Whether the publishers answer."""
    try:
        with urllib.request.urlopen(_PUBLISHER, timeout=_SECONDS):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def build(engine: Engine, stack: str) -> str:
    """Build a stack's image and its parents' as this machine can, and return its name; see `images.build`."""
    for name in lineage(stack) or [stack]:
        with arguments(engine, recipes([name])) as args:
            built = images.build(engine, name, args)
    return built


def recipes(stacks: Iterable[str]) -> list[str]:
    """The recipes that these stacks' Dockerfiles run."""
    known = known_images()
    files = [known[stack].dockerfile for stack in stacks if stack in known]
    return [name for file in files for name in re.findall(r"/tools/([\w-]+)/install", file.read_text())]


@contextmanager
def arguments(engine: Engine, tools: Collection[str]) -> Iterator[dict[str, str]]:
    """The build arguments of this machine: the environment's, or those of a mirror while this lasts."""
    given = {name: os.environ[name] for name in ARGUMENTS if os.environ.get(name)}
    if not tools or "MIRROR" in given or reached():
        yield given
        return
    say(f"{_PUBLISHER} cannot be reached: the tools come from a mirror of stand-ins")
    with stand_ins(engine, tools) as args:
        yield {**args, **given}


@contextmanager
def stand_ins(engine: Engine, tools: Collection[str]) -> Iterator[dict[str, str]]:
    """Make the stand-ins that are not made yet, and serve them. Gives the build arguments that use them."""
    from tests.images import standins

    TREE.mkdir(parents=True, exist_ok=True)
    with (TREE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        differs = standins.make(TREE, engine, tools)
    # The same port for the same files: it is an argument of the builds, and a layer is kept for the same
    # arguments. Another checkout that serves there has the same files.
    files = standins.content() + " ".join(tools).encode()
    port = 20000 + int(hashlib.sha256(files).hexdigest()[:8], 16) % 10000
    with serve(TREE, port=port) as address:
        yield {"MIRROR": address, **({"TOOLS": json.dumps(differs)} if differs else {})}


class Server(socketserver.ThreadingTCPServer):
    """Not the one of http.server, which asks the name service for this host's name at each start."""

    allow_reuse_address = True
    # Two workers of the tests serve the same tree at the same port.
    allow_reuse_port = True
    daemon_threads = True


@contextmanager
def serve(tree: Path, *, port: int = 0) -> Iterator[str]:
    """Serve a directory to this host, and npm's registry.

    Args:
        tree: what to serve.
        port: by default one that is free.
    """

    class Handler(http.server.SimpleHTTPRequestHandler):
        # npm asks for many files at once, and keeps its connections.
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path.startswith(npm_registry.PLACE) and not os.path.isfile(f"{tree}{self.path}"):
                npm_registry.answer(self, tree)
            else:
                super().do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    handler = functools.partial(Handler, directory=str(tree))
    with Server(("127.0.0.1", port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
