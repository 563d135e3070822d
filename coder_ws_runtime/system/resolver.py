"""Whether name servers answer (resolv.conf(5))."""

import os
import socket
import struct

_PORT = 53
_DATAGRAM = 512
_LIMIT = 3
"""The resolver of the C library asks at most so many servers (MAXNS)."""


def nameservers(resolv_conf: str) -> list[str]:
    """The addresses of the name servers that programs ask, in their order."""
    lines = (line.split() for line in resolv_conf.splitlines())
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"][:_LIMIT]


def answering(server: str, limit: float) -> bool:
    """Whether a name server answers at all, whatever its answer: a refusal is one, too.

    It is asked for the servers of the root, which needs no name of anybody (RFC 1035, section 4).

    Args:
        server: its address, of either version of IP.
        limit: seconds.
    """
    identity = os.urandom(2)
    query = identity + struct.pack(">HHHHH", 0x0100, 1, 0, 0, 0) + b"\0" + struct.pack(">HH", 2, 1)
    try:
        # As bytes: of text the codec for names in other scripts would be loaded.
        family, kind, _, _, address = socket.getaddrinfo(
            server.encode(), _PORT, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )[0]
        with socket.socket(family, kind) as client:
            client.settimeout(limit)
            client.connect(address)
            client.send(query)
            return client.recv(_DATAGRAM)[:2] == identity
    except OSError:
        return False
