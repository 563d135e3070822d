"""Whether name servers answer (resolv.conf(5))."""

import os
import socket
import struct

_PORT = 53
_DATAGRAM = 512
_TRIES = 3
"""How often to ask: a datagram may get lost, or come late from a busy server."""
_LIMIT = 3
"""The C library's resolver uses at most this many servers (MAXNS)."""


def nameservers(resolv_conf: str) -> list[str]:
    """The addresses of the name servers that programs use, in order."""
    lines = (line.split() for line in resolv_conf.splitlines())
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"][:_LIMIT]


def answering(server: str, limit: float) -> bool:
    """Whether a name server answers at all; a refusal is an answer too.

    The query is for the root's name servers, so it needs no other name (RFC 1035, section 4).

    Args:
        server: its IPv4 or IPv6 address.
        limit: seconds, for all tries.
    """
    identity = os.urandom(2)
    query = identity + struct.pack(">HHHHH", 0x0100, 1, 0, 0, 0) + b"\0" + struct.pack(">HH", 2, 1)
    try:
        # As bytes: of text the codec for names in other scripts would be loaded.
        family, kind, _, _, address = socket.getaddrinfo(
            server.encode(), _PORT, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )[0]
        with socket.socket(family, kind) as client:
            client.settimeout(limit / _TRIES)
            client.connect(address)
            return any(_asked(client, query) == identity for _ in range(_TRIES))
    except OSError:
        return False


def _asked(client: socket.socket, query: bytes) -> bytes:
    """The identity of the next answer, or nothing if there is none in time."""
    client.send(query)
    try:
        return client.recv(_DATAGRAM)[:2]
    except TimeoutError:
        return b""
