"""Run a stand-in: as the program that Terraform starts, or in this process for one run of Terraform."""

import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from tf.gen import grpc_controller_pb2 as controller_pb
from tf.gen import grpc_controller_pb2_grpc as controller_rpc
from tf.gen import tfplugin_pb2_grpc as rpc

from tests.template.standin.coder import Coder
from tests.template.standin.docker import Docker
from tests.template.standin.kubernetes import Kubernetes
from tests.template.standin.schema import providers
from tests.template.standin.servicer import Provider, Rules

RULES: Mapping[str, type[Rules]] = {
    "coder/coder": Coder,
    "kreuzwerker/docker": Docker,
    # Asks nothing of the outside: its only data source is refused.
    "hashicorp/http": Rules,
    "hashicorp/kubernetes": Kubernetes,
}


class _Controller(controller_rpc.GRPCControllerServicer):
    """Terraform's way to end a provider's process."""

    def __init__(self, ended: threading.Event) -> None:
        self._ended = ended

    def Shutdown(self, request: object, context: object) -> controller_pb.Empty:  # noqa: N802
        self._ended.set()
        return controller_pb.Empty()


def _server(source: str, socket: Path, environment: Mapping[str, str], ended: threading.Event) -> grpc.Server:
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    rpc.add_ProviderServicer_to_server(Provider(providers()[source], RULES[source](environment)), server)
    controller_rpc.add_GRPCControllerServicer_to_server(_Controller(ended), server)
    server.add_insecure_port(f"unix://{socket}")
    server.start()
    return server


@contextlib.contextmanager
def attached(directory: Path, environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Serve all stand-ins for one run of Terraform.

    A program per provider and phase would take seconds of each run.

    Args:
        directory: for the sockets; short, a socket's path has at most 107 bytes.
        environment: what the providers see as theirs.

    Returns:
        what Terraform needs in its environment.
    """
    servers, attach = [], {}
    for source in RULES:
        socket = directory / f"{source.replace('/', '-')}.sock"
        servers.append(_server(source, socket, environment, threading.Event()))
        attach[f"registry.terraform.io/{source}"] = {
            "Protocol": "grpc",
            "ProtocolVersion": 6,
            "Pid": os.getpid(),
            "Test": True,
            "Addr": {"Network": "unix", "String": str(socket)},
        }
    try:
        yield {"TF_REATTACH_PROVIDERS": json.dumps(attach)}
    finally:
        for server in servers:
            server.stop(grace=None).wait()


def main(source: str, directory: str) -> None:
    """Be the program: say where it listens, and serve until Terraform says that it is over."""
    ended = threading.Event()
    socket = Path(directory) / f"{os.getpid()}.sock"
    server = _server(source, socket, os.environ, ended)
    # The core's and the protocol's version; without a certificate, so TF_DISABLE_PLUGIN_TLS is needed.
    print(f"1|6|unix|{socket}|grpc|", flush=True)
    ended.wait()
    server.stop(grace=1).wait()
    socket.unlink(missing_ok=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
