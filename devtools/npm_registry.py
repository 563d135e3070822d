"""A mirror of npm's registry: it asks the one that npm asks on this host, and keeps what it was given."""

import functools
import http.server
import os
import shutil
import ssl
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from devtools.shell import run

PLACE = "/registry.npmjs.org/"
"""Where the mirror has it."""
_SECONDS = 60.0


@functools.cache
def _origin() -> str:
    """The registry of this host's npm, or npm's own."""
    found = run(["npm", "config", "get", "registry"], check=False).stdout.strip()
    return found if found.startswith("http") else f"https:/{PLACE}"


def _context() -> ssl.SSLContext:
    """Trusts what this host trusts, and what it trusts for Node."""
    context = ssl.create_default_context()
    more = os.environ.get("NODE_EXTRA_CA_CERTS", "")
    if os.path.exists(more):
        context.load_verify_locations(more)
    return context


def answer(request: http.server.BaseHTTPRequestHandler, tree: Path) -> None:
    """Answer a request for a package's description, or for its archive, which never changes and is kept."""
    path = request.path.removeprefix(PLACE)
    asked = urllib.request.Request(f"{_origin().rstrip('/')}/{path}", headers=_headers(request))
    with tempfile.TemporaryDirectory(dir=tree) as directory:
        copy = Path(directory) / "copy"
        try:
            given = urllib.request.urlopen(asked, timeout=_SECONDS, context=_context())
            with given, copy.open("wb") as file:
                shutil.copyfileobj(given, file)
        except urllib.error.HTTPError as error:
            request.send_error(error.code)
            return
        except OSError as error:
            request.send_error(502, str(error))
            return
        request.send_response(200)
        request.send_header("Content-Length", str(copy.stat().st_size))
        request.end_headers()
        with copy.open("rb") as content:
            shutil.copyfileobj(content, request.wfile)
        if "/-/" in path and ".." not in path:
            kept = tree / PLACE.strip("/") / path
            kept.parent.mkdir(parents=True, exist_ok=True)
            copy.replace(kept)


def _headers(request: http.server.BaseHTTPRequestHandler) -> dict[str, str]:
    return {"Accept": request.headers.get("Accept", "*/*"), "User-Agent": "coder-ws-runtime"}
