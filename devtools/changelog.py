"""A release's notes, from CHANGELOG.md."""

import re

from devtools.shell import DevError


def notes(text: str, version: str) -> str:
    """The part of the changelog that is about one version, without its heading.

    Args:
        text: the changelog.
        version: e.g. ``0.2.0``.

    Raises:
        DevError: the changelog has no such version.
    """
    heading = rf"^## {re.escape(version)}(?: [^\n]*)?\n"
    found = re.search(rf"{heading}(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise DevError(f"CHANGELOG.md has no version {version}", f"./dev changelog --release {version}")
    return found[1].strip()
