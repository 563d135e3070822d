"""``idea.properties``: where an IDE keeps its files.

An IDE takes the first value that it finds: in a file named on its command line, in
``~/.config/JetBrains/<IDE>/idea.properties``, from ``~/idea.properties``, from its own ``bin/``
(PathManager.loadProperties in the IntelliJ platform). In a value, ``${name}`` stands for a system
property; `idea.paths.selector` is the IDE's product and version, e.g. ``GoLand2024.3``. So the file
in the home applies to every IDE, including those that are not installed yet.
"""

from collections.abc import Mapping

from coder_ws_runtime.dataclass import dataclass

ANY_IDE = "${idea.paths.selector}"

CONFIG = "idea.config.path"
PLUGINS = "idea.plugins.path"
SYSTEM = "idea.system.path"
LOG = "idea.log.path"

_HEADER = """\
# Where this IDE keeps its files. `ws-boot jetbrains` writes this at every start of the workspace:
# settings and plugins are kept, caches and logs are not. You may change a path; your line is kept.
"""
_HOME_HEADER = """\
# Where IDEs keep their files. `ws-boot jetbrains` writes this at every start of the workspace: settings
# and plugins are kept, caches and logs are not. You may change a path; to keep this file, run
# `home-persist add idea.properties`. Otherwise the next start writes a new one.
"""


@dataclass(frozen=True, slots=True)
class Completed:
    """A property file with all the lines that it needs."""

    text: str
    theirs: Mapping[str, str]
    """Keys of ours for which the user set another value, which is kept."""
    edited: bool = False
    """Whether it has anything that we did not write."""


class BrokenError(ValueError):
    """The file cannot be read as properties."""


def completed(text: str | None, wanted: Mapping[str, str], *, ours: str, in_home: bool = False) -> Completed:
    """The file with the missing keys of `wanted` added; the user's lines are kept as they are.

    Args:
        text: its content; None if there is no file.
        wanted: values by key; ASCII, without what would need an escape.
        ours: values with this prefix were written by us, and are corrected.
        in_home: whether it is the file in the home, which is not kept by default.

    Raises:
        BrokenError: it has an invalid escape.
    """
    lines = "".join(f"{key}={value}\n" for key, value in wanted.items())
    fresh = (_HOME_HEADER if in_home else _HEADER) + lines
    if text is None or text in {fresh, _HEADER + lines} or not text.strip():
        return Completed(fresh, {})
    # Slow to import, and needed only for a file that a user has edited.
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
