"""A stand-in for Coder's server: it answers the one request of the doctor as the real one does."""

import json
import ssl
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from devtools.engine import Engine
from devtools.images import tag
from devtools.workspace import Workspace

NAME = "coder.workspaces.test"
"""Of the server, as workspaces know it."""
BUILD_INFO = "/api/v2/buildinfo"


class CoderServer:
    """Listens where containers of the default network reach the host.

    Args:
        engine: whose network.
        certificate: a PEM file of key and certificate; with it the server speaks TLS.
        address: of this host, where workspaces reach it otherwise.
    """

    def __init__(self, engine: Engine, certificate: Path | None = None, *, address: str = "") -> None:
        words = ["run", "--rm", "--add-host", "host:host-gateway", "--entrypoint", "getent", tag("base")]
        self.address = address or engine.docker(*words, "hosts", "host").stdout.split()[0]
        self.status = 200
        """Of every answer; what is not 200 comes without Coder's words."""
        self.ahead = 0.0
        """Seconds that its clock is ahead of ours."""
        self._certificate = certificate
        self.port = 0
        self.start()

    @property
    def scheme(self) -> str:
        """As in its URL."""
        return "https" if self._certificate else "http"

    def owns(self, space: Workspace) -> None:
        """Make it the server of a workspace that is not booted yet."""
        hosts = [item for item in space.attributes["host"] if item["host"] != NAME]
        space.attributes["host"] = [*hosts, {"host": NAME, "ip": self.address}]
        others = [pair for pair in space.attributes["env"] if "CODER_AGENT_URL=" not in pair]
        space.attributes["env"] = [*others, f"CODER_AGENT_URL={self.scheme}://{NAME}:{self.port}/"]

    def start(self) -> None:
        """Listen; at the same port as before, if there was one."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps({"version": "v2.29.1+stand-in"}) if server.status == 200 else "Bad Gateway"
                found = self.path == BUILD_INFO or server.status != 200
                self.send_response_only(server.status if found else 404)
                self.send_header("Date", formatdate(time.time() + server.ahead, usegmt=True))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer((self.address, self.port), Handler)
        self.port = self._server.server_address[1]
        if self._certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
