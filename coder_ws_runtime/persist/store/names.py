"""Every name that home-persist reserves: on the volume, and next to a declared path.

On the volume, relative to it::

    <path>                            the owner's copy of a path of the home
    .workspaces/<workspace id>/<path> one workspace's own copy
    .jetbrains-dist/                  JetBrains backends, see coder_ws_runtime.boot.jetbrains
    .home-persist/
        format.json                   see coder_ws_runtime.persist.store.format
        staging/<token>/              copies that are not published yet
        staging/<token>.lock          held while that directory is in use
        locks/<digest of a path>      see coder_ws_runtime.persist.store.locks
        leases/<workspace id>.lock    see coder_ws_runtime.persist.store.lease
        attic/<batch>/<path>          see coder_ws_runtime.persist.store.attic
        attic-records/<batch>.jsonl   why each item of a batch is there
        attic-records/<batch>.state/  the declarations and migrations of a workspace that is gone
        manifests/                    the user's own declarations
        children/known.json           see coder_ws_runtime.persist.children
        migrations/                   one file per migration that is done

Next to ``<name>``, in the same directory of the home, while content and link change places:
``.<name>`` with one of the suffixes below. They end in text that no declared path may end in.
"""

from coder_ws_runtime import layout
from coder_ws_runtime.digest import hex_digest

STATE = layout.STATE
WORKSPACES = layout.WORKSPACES

OWN = frozenset({STATE, WORKSPACES, layout.JETBRAINS_DIST})
"""Names at the top of the volume that no declared path may have."""
FOREIGN = frozenset({"lost+found"})
"""Names at the top of the volume that belong to its file system (fsck(8))."""

# Below STATE ---------------------------------------------------------------------------------------

FORMAT = "format.json"
STAGING = "staging"
LOCKS = "locks"
LEASES = "leases"
MANIFESTS = "manifests"
MIGRATIONS = "migrations"
ATTIC = "attic"
ATTIC_RECORDS = "attic-records"

STATE_SUFFIX = ".state"
"""Ends the name of what home-persist remembered of a workspace that is gone, next to a batch's records."""

LOCK_SUFFIX = ".lock"
"""Ends the name of a lock file; the rest of the name says what it locks: a lease, a staging directory."""

# Next to a path ------------------------------------------------------------------------------------

SET_ASIDE_SUFFIX = STATE
"""Ends the name under which content waits next to its path while a link replaces it."""
COPY_SUFFIX = f"{SET_ASIDE_SUFFIX}-copy"
"""Ends the name of a copy that is to come back to the home, and may not be whole."""
SWAP_SUFFIX = f"{SET_ASIDE_SUFFIX}-swap"
"""Ends the name of a whole copy that is about to be swapped with the link, and then of the link."""


def aside_name(name: str) -> str:
    """Where the content of a name is set aside, in the same directory."""
    return f".{name}{SET_ASIDE_SUFFIX}"


LEFT_SUFFIX = f"{SET_ASIDE_SUFFIX}-left"
"""Ends, before a number, the name of what was set aside and could not be removed."""
RESERVED_SUFFIXES = (SET_ASIDE_SUFFIX, COPY_SUFFIX, SWAP_SUFFIX, LEFT_SUFFIX)

NAME_MAX = 255
"""Bytes of one name on Linux's file systems (NAME_MAX of pathconf(3))."""
DECLARED_NAME_MAX = NAME_MAX - len(".") - max(map(len, RESERVED_SUFFIXES))
"""Bytes of one name of a declared path: a name next to it is longer by a dot and a suffix."""


def workspace_of(on_volume: str) -> str:
    """The id of the workspace whose own copy a path of the volume is; empty: it is the owner's copy.

    Args:
        on_volume: relative to the volume, normalised.
    """
    parts = on_volume.split("/", 2)
    return parts[1] if parts[0] == WORKSPACES and len(parts) > 1 else ""


def in_home(on_volume: str) -> str:
    """The path in the home that a path of the volume is the copy of; relative, as the argument."""
    workspace = workspace_of(on_volume)
    return on_volume.removeprefix(f"{WORKSPACES}/{workspace}").lstrip("/") if workspace else on_volume


def copies_root(workspace_id: str) -> str:
    """Where the copies of a workspace are, relative to the volume; the volume itself for the owner's.

    Args:
        workspace_id: empty for the owner's.
    """
    return f"{WORKSPACES}/{workspace_id}" if workspace_id else ""


def beside(name: str, suffix: str) -> str:
    """The name next to `name` that ends in one of the reserved suffixes; never longer than NAME_MAX.

    A name that is too long for that is shortened and made unique by a digest.
    """
    whole = f".{name}{suffix}"
    if len(whole.encode(errors="surrogateescape")) <= NAME_MAX:
        return whole
    return f".{hex_digest(name.encode(errors='surrogateescape'))[:32]}{suffix}"
