"""Files of the tools' publishers: where they are taken from, and whether they are the right ones."""

import hashlib
import http.client
import json
import os
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

_BLOCK = 1 << 20
_TIMEOUT = 60.0
"""Seconds without a byte after which a server counts as silent."""
# What another try may fix; every other status is an answer.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class ToolError(Exception):
    """A tool cannot be installed. The message says which file, and what is wrong with it."""


class _LostError(Exception):
    """A try that failed.

    Args:
        reason: what went wrong.
        found: the SHA-256 of what came, in hexadecimal digits; empty if nothing did.
        passing: another try may fix it.
    """

    def __init__(self, reason: str, found: str = "", *, passing: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.found = found
        self.passing = passing


@dataclass(frozen=True, slots=True)
class Downloads:
    """Gets files.

    Args:
        mirror: see the module; empty for none.
        attempts: how often a server is asked that does not answer, or hangs up too early.
        pause: seconds before the second try; it doubles each time.
        sleep: how to wait.
    """

    mirror: str = field(default_factory=lambda: os.environ.get("MIRROR", ""))
    attempts: int = 5
    pause: float = 1.0
    sleep: Callable[[float], None] = time.sleep

    def address(self, url: str) -> str:
        """Where a publisher's URL is really taken from."""
        if not self.mirror:
            return url
        parts = urlsplit(url)
        query = f"?{parts.query}" if parts.query else ""
        return f"{self.mirror.rstrip('/')}/{parts.netloc}{parts.path}{query}"

    def text(self, url: str) -> str:
        """A small text, such as a file of checksums.

        Raises:
            ToolError: it is not to be had.
        """
        with tempfile.TemporaryDirectory() as directory:
            target = Path(directory) / "text"
            self._get(url, target, "")
            return target.read_text("utf-8")

    def file(self, url: str, target: Path, sha256: str) -> Path:
        """A file, once its checksum is right.

        Args:
            url: the publisher's.
            target: where to put it; what is there is replaced.
            sha256: in hexadecimal digits.

        Raises:
            ToolError: it is missing, truncated, or another file than expected; then `target` does not exist.
        """
        if len(sha256) != hashlib.sha256().digest_size * 2:
            raise ToolError(f"{url}: {sha256!r} is no SHA-256; nothing is downloaded without one")
        self._get(url, target, sha256.lower())
        return target

    def _get(self, url: str, target: Path, sha256: str) -> None:
        address = self.address(url)
        pause = self.pause
        for attempt in range(1, self.attempts + 1):
            try:
                found = _transfer(address, target)
            except _LostError as lost:
                target.unlink(missing_ok=True)
                if not lost.passing:
                    raise ToolError(_fault(url, address, lost.reason, sha256)) from lost
                say(f"{address}: {lost.reason} (try {attempt} of {self.attempts})")
                if attempt == self.attempts:
                    end = f"{lost.reason}, after {attempt} tries"
                    raise ToolError(_fault(url, address, end, sha256, lost.found)) from lost
                self.sleep(pause)
                pause *= 2
            else:
                if sha256 and found != sha256:
                    target.unlink()
                    raise ToolError(_fault(url, address, "this is another file", sha256, found))
                return


def _transfer(address: str, target: Path) -> str:
    """One try; returns the SHA-256 of what came."""
    request = urllib.request.Request(address, headers={"User-Agent": "coder-ws-runtime"})
    summed = hashlib.sha256()
    length = 0
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer, target.open("wb") as out:
            announced = answer.headers.get("Content-Length")
            # Of the answer itself only what was announced is read: a short one is seen by its length.
            while block := answer.read(_BLOCK):
                summed.update(block)
                length += len(block)
                out.write(block)
    except urllib.error.HTTPError as error:
        with error:
            raise _LostError(f"HTTP {error.code} {error.reason}", passing=error.code in _PASSING) from error
    except http.client.IncompleteRead as error:
        raise _LostError("the connection ended too early", summed.hexdigest()) from error
    except urllib.error.URLError as error:
        raise _LostError(f"{urlsplit(address).netloc} does not answer: {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise _LostError(f"{urlsplit(address).netloc} hangs up: {error!r}") from error
    if announced is not None and length != int(announced):
        raise _LostError(f"truncated: {length} bytes of {announced}", summed.hexdigest())
    return summed.hexdigest()


def _fault(url: str, address: str, what: str, expected: str, found: str = "") -> str:
    lines = [f"{Path(urlsplit(url).path).name}: {what}", f"  from      {address}"]
    if expected:
        lines += [
            f"  expected  sha256 {expected}",
            f"  found     {'sha256 ' + found if found else 'nothing'}",
        ]
    return "\n".join(lines)


def checksum(text: str, name: str) -> str:
    """The SHA-256 of a file, from its publisher's file of checksums.

    Args:
        text: lines as `sha256sum` prints them, or one checksum alone.
        name: the file's name, without directories.

    Raises:
        ToolError: the file is not listed.
    """
    rows = [line.split() for line in text.splitlines() if line.strip()]
    if len(rows) == 1 and len(rows[0]) == 1:
        return rows[0][0]
    for row in rows:
        if len(row) == 2 and Path(row[1].lstrip("*")).name == name:  # noqa: PLR2004 - a sum and a name
            return row[0]
    raise ToolError(f"{name} is not in its publisher's file of checksums")


def github_checksum(downloads: Downloads, repository: str, tag: str, name: str) -> str:
    """The SHA-256 of a file of a release, as GitHub computed it when the file was uploaded.

    Args:
        downloads: how its description is got.
        repository: `owner/name`.
        tag: the release's.
        name: the file's.

    Raises:
        ToolError: GitHub does not say.
    """
    url = f"https://api.github.com/repos/{repository}/releases/tags/{tag}"
    try:
        assets = json.loads(downloads.text(url))["assets"]
        digests = {asset["name"]: asset["digest"] or "" for asset in assets}
    except (ValueError, KeyError, TypeError) as error:
        raise ToolError(f"{downloads.address(url)} is no description of a release: {error!r}") from error
    kind, _, digest = digests.get(name, "").partition(":")
    if kind != "sha256":
        raise ToolError(f"{name}: GitHub names no SHA-256 of it in the release {tag} of {repository}")
    return digest


def say(text: str) -> None:
    """Tell the build's output."""
    print(text, file=sys.stderr, flush=True)
