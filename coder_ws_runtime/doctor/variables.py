"""Where an environment variable is set, and how to remove it: `unset` helps only one shell."""

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from coder_ws_runtime.dataclass import dataclass, replace
from coder_ws_runtime.doctor import remedies
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.findings import Remedy
from coder_ws_runtime.doctor.template import by_template
from coder_ws_runtime.system import text_file

_OF_USER = (
    ".profile",
    ".bash_profile",
    ".bash_login",
    ".bashrc",
    ".bash_aliases",
    ".zshenv",
    ".zprofile",
    ".zshrc",
    ".zlogin",
    ".config/fish/config.fish",
    ".config/environment.d",
)
_OF_SYSTEM = (
    "etc/environment",
    "etc/profile",
    "etc/profile.d",
    "etc/bash.bashrc",
    "etc/zsh",
    "etc/fish/conf.d",
)
_DECLARING = frozenset({"export", "declare", "typeset"})
_SUBSTITUTION = re.compile(r"\$\([^()]*\)|`[^`]*`")


@dataclass(frozen=True, slots=True)
class Place:
    """A line that sets a variable."""

    file: Path
    line: int
    """Counted from 1."""
    whole: bool
    """Whether the line does nothing else."""

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}"


def take_out(
    context: Context, name: str, text: str, *, others: Sequence[str] = ()
) -> tuple[Remedy, list[str]]:
    """How to remove a variable in this shell and in new ones, and as evidence, where it is set.

    Args:
        context: the workspace.
        name: the variable's.
        text: what the result is.
        others: variables that are taken out, too.
    """
    places = list(_places(context, name, others))
    unset = f"set --erase {name}" if _shell(context) == "fish" else f"unset {name}"
    if places:
        commands = tuple(_without(context, place) for place in places if place.whole)
        rest = [str(place) for place in places if not place.whole]
        also = f"; remove it from {', '.join(rest)}, too" if rest else ""
        return Remedy(f"{text}{also}", (*commands, unset)), [f"{name} is set in {place}" for place in places]
    if not _is_inherited(context, name):
        return Remedy(text, (unset,)), [f"{name} is set in this shell only"]
    template = remedies.change_template(
        context,
        f"remove {name} from the env of the template's coder_agent, or of its "
        + by_template(context, "docker_container", "container"),
    )
    evidence = [f"{name} is in the environment with which this shell was started"]
    return Remedy(f"{text}; this works for this shell", (unset,), then=template), evidence


def take_out_all(context: Context, names: Sequence[str], text: str) -> tuple[Remedy, list[str]]:
    """Like `take_out`, for variables that are wrong for the same reason."""
    taken = [take_out(context, name, text, others=names) for name in names]
    commands = dict.fromkeys(command for remedy, _ in taken for command in remedy.commands)
    then = next((remedy.then for remedy, _ in taken if remedy.then), None)
    return replace(taken[0][0], commands=tuple(commands), then=then), [
        line for _, set_in in taken for line in set_in
    ]


def complete_path(context: Context, missing: Sequence[str]) -> tuple[Remedy, list[str]]:
    """How to add directories to PATH in this shell and in new ones, and as evidence, what replaces it.

    Args:
        context: the workspace.
        missing: the directories.
    """
    text = "add them to PATH"
    added = (
        f"set --export PATH {' '.join(missing)} $PATH"
        if _shell(context) == "fish"
        else f'export PATH="{":".join(missing)}:$PATH"'
    )
    places = [place for place in _places(context, "PATH") if _replaces(place, missing)]
    if not places:
        return Remedy(f"{text}; if new shells lack them too, correct what sets PATH", (added,)), []
    commands = tuple(_without(context, place) for place in places if place.whole)
    rest = [str(place) for place in places if not place.whole]
    also = f"; correct {', '.join(rest)}, too" if rest else ", and no longer replace it in new shells"
    return Remedy(f"{text}{also}", (added, *commands)), [f"PATH is replaced in {place}" for place in places]


def _replaces(place: Place, missing: Sequence[str]) -> bool:
    """Whether a line sets PATH to something without its old value and without these directories."""
    line = text_file.read(place.file).split("\n")[place.line - 1]
    return not re.search(r"\$\{?PATH\b", line) and not any(name in line for name in missing)


def _without(context: Context, place: Place) -> str:
    # ':' does nothing: a branch of an `if` may not be empty.
    inert = ": # " if _is_script(place.file) else "# "
    change = (
        f"sed -i --follow-symlinks {shlex.quote(f'{place.line}s/^/{inert}/')} {shlex.quote(str(place.file))}"
    )
    of_user = place.file.is_relative_to(context.layout.home)
    return context.as_user(change) if of_user else context.as_root(change)


def _is_script(file: Path) -> bool:
    """Whether it is one: /etc/environment and environment.d(5) are not."""
    return file.name != "environment" and file.suffix != ".conf"


def _places(context: Context, name: str, others: Sequence[str] = ()) -> Iterator[Place]:
    assigned = re.compile(
        rf"^\s*(?:(?:export|declare\s+-\S+|typeset\s+-\S+)\s+)?{name}=|^\s*set\s+(?:-\S+\s+)+{name}\s"
    )
    # A pattern of a `case`, such as TZ=*, sets nothing.
    mentioned = re.compile(rf"(?:^|[\s;&]){name}=(?!\*)|\bset\s+(?:-\S+\s+)+{name}\s")
    tops = [
        *(context.layout.home / file for file in _OF_USER),
        *(context.layout.root / file for file in _OF_SYSTEM),
    ]
    for file in _files(tops):
        for number, line in enumerate(text_file.read(file).split("\n"), 1):
            if not line.lstrip().removeprefix(": ").startswith("#") and mentioned.search(line):
                sets = assigned.match(line) is not None
                yield Place(file, number, sets and (not _is_script(file) or _is_alone(line, {name, *others})))


def _is_alone(line: str, names: set[str]) -> bool:
    """Whether a line of a script sets these variables and nothing else, as far as that is easy to tell."""
    lexer = shlex.shlex(_SUBSTITUTION.sub("", line), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:  # its quotes end in another line, or its backslash continues it
        return False
    if words[0] == "set":  # fish, where all words are the value
        return not any(set(word) <= set(";&|") for word in words)
    ours = {*_DECLARING, ";", "&&", *names}
    rest = [word for word in words if word not in ours and not word.startswith("-")]
    return all("=" in word and word.partition("=")[0] in names for word in rest)


def _files(tops: list[Path]) -> Iterator[Path]:
    for top in tops:
        try:
            yield from sorted(path for path in top.iterdir() if path.is_file())
        except NotADirectoryError:
            yield top
        except OSError:
            continue


def _shell(context: Context) -> str:
    """The name of the program that called us."""
    return text_file.read(context.layout.proc / f"{os.getppid()}/comm").strip()


def _is_inherited(context: Context, name: str) -> bool:
    """Whether the shell that called us had the variable when it was started (proc(5), environ)."""
    environment = text_file.read(context.layout.proc / f"{os.getppid()}/environ")
    return any(pair.startswith(f"{name}=") for pair in environment.split("\0"))
