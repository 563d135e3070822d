"""A host's Docker socket with an owner and mode of our choice, before the real engine.

Stands in for the hosts that we do not have here: one where the group `docker` has another number,
Docker Desktop, whose socket is root's alone, and one whose daemon is restarted.
"""

import contextlib
import os
import socket
import threading
from pathlib import Path

ENGINE = "/var/run/docker.sock"


class HostSocket:
    """Listens at `path` and passes every connection on to the engine, half-closed ones too.

    Args:
        path: where; short, as paths of sockets have to be.
        gid: its group.
        uid: its owner.
        mode: its permission bits.
    """

    def __init__(self, path: Path, gid: int, *, uid: int = 0, mode: int = 0o660) -> None:
        self.path = path
        self.gid = gid
        self.answer: bytes | None = None
        """What is said to whoever connects, in the place of the engine's answer."""
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        os.chown(path, uid, gid)
        path.chmod(mode)
        self._listening.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Listen no more; the file stays, as that of a daemon that was killed."""
        # Wakes the thread up; close() alone would leave it in accept(2), and the socket open.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        if self.answer is None:
            _pass_on(client)
            return
        with client, contextlib.suppress(OSError):  # whoever has heard enough hangs up
            client.recv(65536)
            client.sendall(self.answer)


def _pass_on(client: socket.socket) -> None:
    """As the daemon: it reads on when the client has no more to send, and ends the connection itself."""
    with client, socket.socket(socket.AF_UNIX) as engine:
        engine.connect(ENGINE)
        threading.Thread(target=_pump, args=(client, engine), daemon=True).start()
        _pump(engine, client)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
