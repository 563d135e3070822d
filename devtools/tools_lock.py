"""images/tools.lock: the tools' versions, and checksums of downloads whose publisher gives none."""

import hashlib
import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from devtools.shell import ROOT, DevError, say
from downloads import Downloads, ToolError

LOCK = ROOT / "images/tools.lock"
Entry = dict[str, Any]
_NPM = "https://registry.npmjs.org"


def github(repository: str, downloads: Downloads, old: Entry) -> Entry:
    """The newest release of a repository; drafts and pre-releases do not count."""
    answer = json.loads(downloads.text(f"https://api.github.com/repos/{repository}/releases/latest"))
    return {**old, "version": answer["tag_name"].removeprefix("v")}


def npm(package: str, downloads: Downloads, old: Entry) -> Entry:
    """The version of a package that `npm install` takes."""
    return {**old, "version": json.loads(downloads.text(f"{_NPM}/{package}/latest"))["version"]}


def node(downloads: Downloads, old: Entry) -> Entry:
    """The newest Node with long-term support."""
    listed = json.loads(downloads.text("https://nodejs.org/dist/index.json"))
    newest = next(row["version"] for row in listed if row["lts"])
    return {**old, "version": newest.removeprefix("v")}


def files(address: str, downloads: Downloads, old: Entry) -> Entry:
    """The checksums of single scripts, as they are now; people review them in the lock file."""
    texts = {
        name: downloads.text(address.format(version=old["version"], name=name)) for name in old["sha256"]
    }
    sums = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    return {**old, "sha256": sums}


Step = Callable[[Downloads, Entry], Entry]
_NVM = "https://raw.githubusercontent.com/nvm-sh/nvm/v{version}/{name}"
STEPS: dict[str, tuple[Step, ...]] = {
    "claude-code": (partial(npm, "@anthropic-ai/claude-code"),),
    "cmake": (partial(github, "Kitware/CMake"),),
    # A major version and a fingerprint: changed by hand.
    "llvm": (),
    "node": (node,),
    "nvm": (partial(github, "nvm-sh/nvm"), partial(files, _NVM)),
    # Version 1.0.0 changed the licence from Apache-2.0: update it by hand.
    "rtk": (),
    "sccache": (partial(github, "mozilla/sccache"),),
    "web-shell": (partial(github, "SoureCode/web-shell"),),
}


def renew(lock: Path, downloads: Downloads, tools: Iterable[str] = ()) -> list[str]:
    """Write the newest versions into the lock file, and report what has changed.

    Args:
        lock: the lock file.
        downloads: how files are got.
        tools: which; all by default.

    Raises:
        ToolError: a publisher does not answer, or there is no such tool; the file is as it was.
    """
    entries: dict[str, Entry] = json.loads(lock.read_text())
    changed = []
    for tool in tools or entries:
        if tool not in entries or tool not in STEPS:
            raise ToolError(f"{tool}: no source of its newest version is known; see {Path(__file__).name}")
        entry = entries[tool]
        for step in STEPS[tool]:
            entry = step(downloads, entry)
        if entry != entries[tool]:
            changed.append(f"{tool}: {entries[tool]['version']} → {entry['version']}")
            entries[tool] = entry
    if changed:
        lock.write_text(json.dumps(entries, indent=2) + "\n")
    return changed


def command(tools: list[str]) -> int:
    """Renew the lock file of this checkout, and report what has changed.

    Raises:
        DevError: as `renew`.
    """
    try:
        changed = renew(LOCK, Downloads(), tools)
    except ToolError as error:
        raise DevError(str(error), "images/tools.lock was not changed") from error
    for line in changed or ["every tool is at its newest version"]:
        say(line)
    return 0
