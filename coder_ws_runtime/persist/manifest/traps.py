"""Declared paths that work less well than they look.

A file that its program replaces by a rename, or locks beside the link, is better kept with its
directory: over a link the rename lands in the container until the daemon has moved it, and a lock
beside the link is not seen by another workspace. Each row was measured with the program itself.
"""

from dataclasses import dataclass

from coder_ws_runtime.persist.manifest.entry import Entry, Kind, Scope
from coder_ws_runtime.persist.manifest.paths import is_below


@dataclass(frozen=True, slots=True)
class Trap:
    """A warning for one path."""

    code: str
    message: str
    place: str
    hint: str


# path: what its program does, and what to declare in its place.
_FILES = {
    ".docker/config.json": ("docker cannot save it over a link to another file system", ".docker/"),
    ".ssh/known_hosts": ("ssh and ssh-keygen replace it by a rename", ".ssh/"),
    ".npmrc": ("npm removes it together with its last key", ""),
    ".zsh_history": ("zsh replaces it by a rename at every exit", ""),
    ".kube/config": ("kubectl locks it by a file beside it, which other workspaces do not see", ".kube/"),
    ".config/fish/fish_variables": ("fish replaces it by a rename at every change", ".config/fish/"),
    ".config/mimeapps.list": ("xdg-mime and desktop programs replace it by a rename", ""),
    ".config/Code/User/settings.json": ("VS Code replaces it by a rename", ".config/Code/User/"),
}
_ELSEWHERE = {
    ".config/mimeapps.list": "nothing better is known: the daemon puts the link back after each save",
    ".npmrc": "set NPM_CONFIG_USERCONFIG to a file in a directory of its own, and declare that directory",
    ".zsh_history": "set HISTFILE to a file in a directory of its own, and declare that directory",
}
# Not to be shared by workspaces that run at once: sockets, ports and locks by process number.
_NOT_SHARED = {".cache/JetBrains": "JetBrains IDEs keep sockets and locks of this container there"}


def trap(entry: Entry) -> Trap | None:
    """What to know before a path is declared so; None if nothing is known."""
    if entry.kind is Kind.FILE and entry.path in _FILES:
        what, directory = _FILES[entry.path]
        hint = f"declare the directory: {directory!r}" if directory else _ELSEWHERE[entry.path]
        return Trap("trap.replaced", f"path {entry.path!r}: {what}", entry.place, hint)
    for path, why in _NOT_SHARED.items():
        if entry.path == path or is_below(entry.path, path):
            hint = "leave it out: it need not last"
            return Trap("trap.shared", f"path {entry.path!r}: {why}", entry.place, hint)
    if entry.kind is Kind.DIRECTORY and entry.path == ".cache" and entry.scope is Scope.OWNER:
        hint = "declare the caches that are worth it one by one, or with the scope 'workspace'"
        what = "caches grow, and not all may be shared by workspaces that run at once"
        return Trap("trap.shared", f"path {entry.path!r}: {what}", entry.place, hint)
    return None
