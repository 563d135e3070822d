"""A real image registry on loopback: Debian's `docker-registry` with TLS, and small images to push to it."""

import contextlib
import io
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from devtools.engine import Engine
from devtools.images import PREFIX

_PATIENCE = 20.0
# Its PID 1 ends at systemd's signal for a halt, as the workspaces' does.
_INIT = "#!/bin/busybox sh\ntrap 'exit 0' 37\nwhile :; do /bin/busybox sleep 1 & wait; done\n"


class Registry:
    """One registry that can be stopped and started; what was pushed stays.

    Args:
        directory: for its images, its certificate and its log; must exist.
        engine: what pushes to it. Docker trusts a registry on 127.0.0.1 whatever its certificate is.
    """

    def __init__(self, directory: Path, engine: Engine) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.address = f"127.0.0.1:{listening.getsockname()[1]}"
        self.repository = f"{self.address}/{PREFIX}/coder-workspace"
        self.certificate = directory / "registry.pem"
        self._directory = directory
        self._engine = engine
        self._process: subprocess.Popen[bytes] | None = None
        key = directory / "registry.key"
        request = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=registry",
        ]
        request += [
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            str(key),
            "-out",
            str(self.certificate),
        ]
        subprocess.run(request, check=True, capture_output=True)
        (directory / "registry.yml").write_text(
            f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {directory}/images}}}}\n"
            f"http: {{addr: '{self.address}', tls: {{certificate: {self.certificate}, key: {key}}}}}\n"
        )

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to trust it."""
        return {"SSL_CERT_FILE": str(self.certificate)}

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            TimeoutError: it does not.
        """
        with (self._directory / "registry.log").open("ab") as log:
            words = ["docker-registry", "serve", str(self._directory / "registry.yml")]
            self._process = subprocess.Popen(words, stdout=log, stderr=log)
        host, port = self.address.split(":")
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
                return
            time.sleep(0.05)
        raise TimeoutError((self._directory / "registry.log").read_text())

    def stop(self) -> None:
        """Stop it: the next connection is refused."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def push(self, tag: str, version: str) -> str:
        """Push another image under a tag, and return its name by digest. The engine keeps neither."""
        name = f"{self.repository}:{tag}"
        self._engine.docker("import", "--change", 'CMD ["/sbin/init"]', "-", name, stdin=_image(version))
        self._engine.docker("push", "-q", name)
        (digest,) = self._engine.inspect(name)["RepoDigests"]
        self._engine.docker("image", "rm", name, digest, check=False)
        return str(digest)

    def forget(self) -> None:
        """Remove what the engine has pulled from it."""
        listed = self._engine.docker("image", "ls", "-q", "--no-trunc", self.repository).stdout.split()
        if listed:
            self._engine.docker("image", "rm", "-f", *sorted(set(listed)))


def _image(version: str) -> bytes:
    """The file system of an image: a shell, a program that is PID 1, and what makes it another image."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(shutil.which("busybox") or "", "bin/busybox")
        for name, content in {"sbin/init": _INIT, "etc/version": version}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content.encode()))
    return buffer.getvalue()


@contextlib.contextmanager
def serving(engine: Engine) -> Iterator[Registry]:
    """A registry that runs. At the end it is gone, and with it what the engine had from it."""
    with tempfile.TemporaryDirectory(prefix="registry") as directory:
        registry = Registry(Path(directory), engine)
        registry.start()
        try:
            yield registry
        finally:
            registry.stop()
            registry.forget()
