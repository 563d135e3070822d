"""The Docker daemon's HTTP API on its socket.

The command-line client takes a tenth of a second to start; this takes a few milliseconds. With HTTP/1.0, the
answer is not chunked, and ends with the connection.
"""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


LIMIT = 8.0
"""How many seconds an answer may take: a daemon starts other programs to tell its version, Podman even the
package manager, and the host may be busy."""


class DockerApiError(Exception):
    """The daemon's answer is not usable; the message is the end of a sentence."""


class NoAnswerError(DockerApiError):
    """No answer: there is no connection, it was closed at once, or nothing came in time."""


def get(path: Path, resource: str, *, limit: float = LIMIT) -> Any:  # noqa: ANN401 - a JSON value
    """The daemon's answer to GET.

    Args:
        path: its socket.
        resource: e.g. ``/version``; without an API version, the daemon's newest applies.
        limit: seconds for the whole answer.

    Raises:
        NoAnswerError: there was no answer.
        DockerApiError: the answer is not usable.
        PermissionError: we may not open the socket.
    """
    deadline = time.monotonic() + limit
    answer = bytearray()
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(limit)
            client.connect(str(path))
            client.sendall(f"GET {resource} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
            while piece := client.recv(65536):
                answer += piece
                client.settimeout(max(0.01, deadline - time.monotonic()))
    except TimeoutError as error:
        raise NoAnswerError(f"does not answer within {limit:g} s") from error
    except PermissionError:
        raise
    except OSError as error:
        raise NoAnswerError(f"cannot be reached: {error.strerror}") from error
    if not answer:
        raise NoAnswerError("closes the connection without an answer")
    return _body(bytes(answer))


def _body(answer: bytes) -> Any:  # noqa: ANN401 - a JSON value
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b"\r\n", 1)[0].split(b" ", 2)
    status = words[1].decode(errors="replace") if len(words) > 1 else "nothing"
    if status != "200":
        raise DockerApiError(f"answers with {status}")
    try:
        return json.loads(body)
    except ValueError as error:
        raise DockerApiError("answers with something that is not JSON") from error
