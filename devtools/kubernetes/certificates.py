"""Keys, certificates and tokens of the embedded cluster. They are good for this machine and for a month."""

import base64
from collections.abc import Sequence
from pathlib import Path

from devtools.shell import run

_TOKENS = {"admin": "admin,admin,system:masters", "node": "system:node,node,system:masters"}


def ensure_certificates(directory: Path, addresses: Sequence[str], server: str) -> None:
    """Make what is missing: `keys/` and the kubeconfig files `admin.conf` and `node.conf`.

    Args:
        directory: where.
        addresses: of the API server.
        server: its URL, as this machine reaches it.
    """
    keys = directory / "keys"
    if not (keys / "tokens.csv").exists():
        keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(keys, addresses)
    authority = base64.b64encode((keys / "ca.crt").read_bytes()).decode()
    for line in (keys / "tokens.csv").read_text().splitlines():
        token, _, uid, _ = line.split(",", 3)
        _write_config(directory / f"{uid}.conf", server, authority, token)


def _make(keys: Path, addresses: Sequence[str]) -> None:
    def openssl(*words: str | Path) -> str:
        return run(["openssl", *words]).stdout.strip()

    openssl("genrsa", "-out", keys / "sa.key", "2048")
    openssl("rsa", "-in", keys / "sa.key", "-pubout", "-out", keys / "sa.pub")
    new = ["-newkey", "rsa:2048", "-nodes"]
    authority: list[str | Path] = [
        "-x509",
        "-subj",
        "/CN=cluster",
        "-days",
        "30",
        "-keyout",
        keys / "ca.key",
        "-out",
        keys / "ca.crt",
    ]
    openssl("req", *new, *authority)
    openssl("req", *new, "-subj", "/CN=api", "-keyout", keys / "api.key", "-out", keys / "api.csr")
    names = [*(f"IP:{address}" for address in addresses), "DNS:kubernetes.default.svc", "DNS:localhost"]
    extensions = keys / "api.ext"
    extensions.write_text(f"subjectAltName={','.join(names)}\n")
    signed: list[str | Path] = [
        "-in",
        keys / "api.csr",
        "-CA",
        keys / "ca.crt",
        "-CAkey",
        keys / "ca.key",
        "-CAcreateserial",
    ]
    openssl("x509", "-req", *signed, "-days", "30", "-extfile", extensions, "-out", keys / "api.crt")
    lines = []
    for uid, rest in _TOKENS.items():
        token = openssl("rand", "-hex", "16")
        name, _, group = rest.split(",")
        lines.append(f'{token},{name},{uid},"{group}"\n')
    (keys / "tokens.csv").write_text("".join(lines))


def _write_config(file: Path, server: str, authority: str, token: str) -> None:
    file.touch(mode=0o600)
    file.write_text(
        f"""apiVersion: v1
kind: Config
clusters: [{{name: here, cluster: {{server: "{server}", certificate-authority-data: {authority}}}}}]
users: [{{name: me, user: {{token: {token}}}}}]
contexts: [{{name: here, context: {{cluster: here, user: me}}}}]
current-context: here
"""
    )
