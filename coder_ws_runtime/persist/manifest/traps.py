"""Declared paths that work less well than they seem to.

A file that its program replaces by a rename, or locks with a file next to the link, is better kept with its
directory: a renamed file is only in the container until the daemon has moved it, and another workspace does
    not
see a lock next to the link. Each row was measured with the program itself.
"""

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.persist.manifest.entry import Entry, Kind, Scope
from coder_ws_runtime.persist.manifest.paths import is_below


@dataclass(frozen=True, slots=True)
class Trap:
    """A warning for one path."""

    code: str
    message: str
    place: str
    hint: str


# path: what its program does, and what to declare instead.
_FILES = {
    ".docker/config.json": ("docker cannot save it over a link to another file system", ".docker/"),
    ".ssh/known_hosts": ("ssh and ssh-keygen replace it by a rename", ".ssh/"),
    ".npmrc": ("npm removes it together with its last key", ""),
    ".zsh_history": ("zsh replaces it by a rename at every exit", ""),
    ".kube/config": ("kubectl locks it with a file next to it, which other workspaces do not see", ".kube/"),
    ".config/fish/fish_variables": ("fish replaces it by a rename at every change", ".config/fish/"),
    ".config/mimeapps.list": ("xdg-mime and desktop programs replace it by a rename", ""),
    ".config/Code/User/settings.json": ("VS Code replaces it by a rename", ".config/Code/User/"),
}
_ELSEWHERE = {
    ".config/mimeapps.list": "there is no better way: the daemon restores the link after each save",
    ".npmrc": "set NPM_CONFIG_USERCONFIG to a file in a directory of its own, and declare that directory",
    ".zsh_history": "set HISTFILE to a file in a directory of its own, and declare that directory",
}
# Not to be shared by workspaces that run at the same time: sockets, ports and locks with process numbers.
_NOT_SHARED = {".cache/JetBrains": "JetBrains IDEs keep sockets and locks of this container there"}


def trap(entry: Entry) -> Trap | None:
    """What to know before a path is declared; None if there is nothing."""
    if entry.kind is Kind.FILE and entry.path in _FILES:
        what, directory = _FILES[entry.path]
        hint = f"declare the directory: {directory!r}" if directory else _ELSEWHERE[entry.path]
        return Trap("trap.replaced", f"path {entry.path!r}: {what}", entry.place, hint)
    for path, why in _NOT_SHARED.items():
        if entry.path == path or is_below(entry.path, path):
            hint = "leave it out: it need not be kept"
            return Trap("trap.shared", f"path {entry.path!r}: {why}", entry.place, hint)
    if entry.kind is Kind.DIRECTORY and entry.path == ".cache" and entry.scope is Scope.OWNER:
        hint = "declare the caches worth keeping one by one, or with the scope 'workspace'"
        what = "caches grow, and workspaces that run at the same time cannot share all of them"
        return Trap("trap.shared", f"path {entry.path!r}: {what}", entry.place, hint)
    return None
