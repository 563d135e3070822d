"""A local mirror of the tools' publishers, for builds that do not reach them, and for tests.

It serves the stand-ins of tests/images as `http://<here>/<host>/<path>`, which is what the recipes take
`MIRROR` for.
"""

import fcntl
import functools
import http.server
import os
import socketserver
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness.engine import Engine
from tests.harness.images import PREFIX
from tests.harness.shell import STATE, say

TREE = STATE / "mirror"
# Build arguments that the recipes know; whoever sets one in the environment means it.
ARGUMENTS = ("MIRROR", "LLVM_SOURCE", "LLVM_VERSION", "LLVM_KEY")
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


@contextmanager
def arguments(engine: Engine) -> Iterator[dict[str, str]]:
    """The build arguments of this machine: the environment's, or those of a mirror while this lasts."""
    given = {name: os.environ[name] for name in ARGUMENTS if os.environ.get(name)}
    if "MIRROR" in given or reached():
        yield given
        return
    say(f"{_PUBLISHER} does not answer: the tools come from a mirror of stand-ins")
    with stand_ins(engine) as args:
        yield {**args, **given}


@contextmanager
def stand_ins(engine: Engine) -> Iterator[dict[str, str]]:
    """Make the stand-ins that are not made yet, and serve them. Gives the build arguments that use them."""
    from tests.images import standins_cpp

    TREE.mkdir(parents=True, exist_ok=True)
    with (TREE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        args = standins_cpp.make(TREE, engine)
    with serve(TREE) as address:
        yield {"MIRROR": address, **args}


class Server(socketserver.ThreadingTCPServer):
    """Not the one of http.server, which asks the name service for this host's name at each start."""

    allow_reuse_address = True
    # Two workers of the tests serve the same tree at the same port.
    allow_reuse_port = True
    daemon_threads = True


@contextmanager
def serve(tree: Path, *, port: int | None = None) -> Iterator[str]:
    """Serve a directory to this host.

    Args:
        tree: what to serve.
        port: by default the same one each time for this checkout: it is an argument of the builds, and
            a layer is kept for the same arguments only.
    """

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    if port is None:
        port = 20000 + int(PREFIX.rpartition("-")[2], 16) % 10000
    handler = functools.partial(Silent, directory=str(tree))
    with Server(("127.0.0.1", port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
