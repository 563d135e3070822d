"""``idea.properties``: where an IDE keeps what.

An IDE takes the first value that it finds: from a file named on its command line, from
``~/.config/JetBrains/<IDE>/idea.properties``, from ``~/idea.properties``, from its own ``bin/``
(PathManager.loadProperties of the IntelliJ platform). In a value ``${name}`` stands for a system
property; `idea.paths.selector` is the IDE's product and version, e.g. ``GoLand2024.3``. So the file
in the home serves every IDE, also one that nobody has installed yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass

ANY_IDE = "${idea.paths.selector}"

CONFIG = "idea.config.path"
PLUGINS = "idea.plugins.path"
SYSTEM = "idea.system.path"
LOG = "idea.log.path"

_HEADER = """\
# Where this IDE keeps what, written by `ws-boot jetbrains` at every start of the workspace: settings
# and plugins last, caches and logs do not. To change a path, change its line: it is kept.
"""
_HOME_HEADER = """\
# Where IDEs keep what, written by `ws-boot jetbrains` at every start of the workspace: settings and
# plugins last, caches and logs do not. To change a path, change its line, and keep this file by
# `home-persist add idea.properties`: without that it is a new one at the next start.
"""


@dataclass(frozen=True, slots=True)
class Completed:
    """A property file that says all that it has to."""

    text: str
    theirs: Mapping[str, str]
    """Keys of ours to which the user gave another value, which is kept."""
    edited: bool = False
    """Whether it holds anything that we did not write."""


class BrokenError(ValueError):
    """The file cannot be read as properties."""


def completed(text: str | None, wanted: Mapping[str, str], *, ours: str, in_home: bool = False) -> Completed:
    """The file with what it lacks of `wanted`; every line that a user wrote is kept as it is.

    Args:
        text: what the file holds; None if there is none.
        wanted: values by key; ASCII, without what would need an escape.
        ours: values that begin with this were written by us, and are corrected.
        in_home: whether it is the file in the home, which does not last by itself.

    Raises:
        BrokenError: it holds an escape that is none.
    """
    lines = "".join(f"{key}={value}\n" for key, value in wanted.items())
    fresh = (_HOME_HEADER if in_home else _HEADER) + lines
    if text is None or text in {fresh, _HEADER + lines} or not text.strip():
        return Completed(fresh, {})
    # Slow to import, and only a file that a user has edited needs it.
    from javaproperties import InvalidUEscapeError, PropertiesFile  # noqa: PLC0415

    try:
        properties = PropertiesFile.loads(text)
    except InvalidUEscapeError as error:
        raise BrokenError(str(error)) from error
    theirs = {
        key: properties[key]
        for key, value in wanted.items()
        if key in properties and properties[key] != value and not properties[key].startswith(ours)
    }
    if all(properties.get(key) == value for key, value in wanted.items() if key not in theirs):
        return Completed(text, theirs, edited=True)
    for key, value in wanted.items():
        if key not in theirs and properties.get(key) != value:
            properties[key] = value
    return Completed(properties.dumps(), theirs, edited=True)
