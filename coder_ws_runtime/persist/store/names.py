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
        attic-records/<batch>.state/  the declarations and migrations of a deleted workspace
        attic-clock.json              see coder_ws_runtime.persist.store.attic_clock
        manifests/                    the user's own declarations
        children/known.json           see coder_ws_runtime.persist.children
        migrations/                   one file per migration that is done

Next to ``<name>``, in the same directory of the home, while content and link are swapped: ``.<name>`` with
one of the suffixes below. No declared path may end like them.
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
ATTIC_CLOCK = "attic-clock.json"

STATE_SUFFIX = ".state"
"""Suffix of the directory with home-persist's records of a deleted workspace, next to a batch's records."""

LOCK_SUFFIX = ".lock"
"""Suffix of a lock file; the rest of the name says what it locks: a lease, or a staging directory."""

# Next to a path ------------------------------------------------------------------------------------

SET_ASIDE_SUFFIX = STATE
"""Suffix of content that waits next to its path while a link replaces it."""
COPY_SUFFIX = f"{SET_ASIDE_SUFFIX}-copy"
"""Suffix of a copy that is to come back to the home, and may be incomplete."""
SWAP_SUFFIX = f"{SET_ASIDE_SUFFIX}-swap"
"""Suffix of a complete copy that is about to be swapped with the link, and then of the link."""


def aside_name(name: str) -> str:
    """The name under which content is set aside, in the same directory."""
    return f".{name}{SET_ASIDE_SUFFIX}"


LEFT_SUFFIX = f"{SET_ASIDE_SUFFIX}-left"
"""Suffix, before a number, of content that was set aside and could not be removed."""
RESERVED_SUFFIXES = (SET_ASIDE_SUFFIX, COPY_SUFFIX, SWAP_SUFFIX, LEFT_SUFFIX)

NAME_MAX = 255
"""The maximum length of a name in bytes on Linux's file systems (NAME_MAX of pathconf(3))."""
DECLARED_NAME_MAX = NAME_MAX - len(".") - max(map(len, RESERVED_SUFFIXES))
"""The same for a declared path: the names next to it are longer by a dot and a suffix."""


def workspace_of(on_volume: str) -> str:
    """The ID of the workspace whose own copy a path on the volume is; empty: it is the owner's copy.

    Args:
        on_volume: relative to the volume, normalised.
    """
    parts = on_volume.split("/", 2)
    return parts[1] if parts[0] == WORKSPACES and len(parts) > 1 else ""


def in_home(on_volume: str) -> str:
    """The path in the home for a path on the volume; relative, like the argument."""
    workspace = workspace_of(on_volume)
    return on_volume.removeprefix(f"{WORKSPACES}/{workspace}").lstrip("/") if workspace else on_volume


def copies_root(workspace_id: str) -> str:
    """The directory of a workspace's copies, relative to the volume; the volume itself for the owner's.

    Args:
        workspace_id: empty for the owner's.
    """
    return f"{WORKSPACES}/{workspace_id}" if workspace_id else ""


def sibling_name(name: str, suffix: str) -> str:
    """The name next to `name` with one of the reserved suffixes; never longer than NAME_MAX.

    A name that would be too long is shortened, and made unique with a digest.
    """
    whole = f".{name}{suffix}"
    if len(whole.encode(errors="surrogateescape")) <= NAME_MAX:
        return whole
    return f".{hex_digest(name.encode(errors='surrogateescape'))[:32]}{suffix}"
