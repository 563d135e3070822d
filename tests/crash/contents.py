"""What home and volume have at the beginning, and what the user sees when all is done.

Every content is a word of its own, so that a lost, doubled or torn one is seen wherever it is.
"""

# Longer than one pipe buffer and not a multiple of a block: a torn write shows.
_PAD = 5000

DECLARED = [
    ".seed/",
    ".merge/",
    ".wins/",
    "file",
    "image",
    "newer",
    ".deep/a/b/",
    "dir-for-file",
    ".file-for-dir/",
]

# What the user added, where `remove` is what is struck.
ADDED = [".seed", ".merge", "file", ".deep/a/b"]


def word(name: str) -> str:
    """A content that tells where it came from."""
    return f"[{name}]" * (_PAD // (len(name) + 2))


# By origin: what the volume had, what a run has made links of, and what then came into the home.
VOLUME = {
    ".merge/both": word("volume both"),
    ".merge/old": word("volume old"),
    ".merge/same": word("same"),
    "image": word("volume image"),
    "dir-for-file": word("volume dir-for-file"),
    ".file-for-dir/kept": word("volume kept"),
}
LINKED = {".wins/both": word("older both"), ".wins/old": word("older old"), "newer": word("older newer")}
HOME = {
    ".seed/one": word("seed one"),
    ".seed/two": word("seed two"),
    ".seed/sub/three": word("seed three"),
    ".seed/sub/link": "->../one",
    ".seed/empty/": "",
    ".merge/both": word("home both"),
    ".merge/new": word("home new"),
    ".merge/sub/new": word("home sub new"),
    ".merge/same": word("same"),
    ".wins/both": word("newer both"),
    ".wins/new": word("newer new"),
    "file": word("seed file"),
    "image": word("home image"),
    "newer": word("newer newer"),
    ".deep/a/b/c": word("deep"),
    "dir-for-file/x": word("home dir-for-file"),
    ".file-for-dir": word("home file-for-dir"),
}
# What the user sees in the home when all is done.
VIEW = {
    ".seed/one": word("seed one"),
    ".seed/two": word("seed two"),
    ".seed/sub/three": word("seed three"),
    ".seed/sub/link": word("seed one"),
    ".merge/both": word("volume both"),
    ".merge/old": word("volume old"),
    ".merge/same": word("same"),
    ".merge/new": word("home new"),
    ".merge/sub/new": word("home sub new"),
    ".wins/both": word("newer both"),
    ".wins/old": word("older old"),
    ".wins/new": word("newer new"),
    "file": word("seed file"),
    "image": word("volume image"),
    "newer": word("newer newer"),
    ".deep/a/b/c": word("deep"),
    "dir-for-file": word("volume dir-for-file"),
    ".file-for-dir/kept": word("volume kept"),
}

# What programs then save over the links, and what the user sees when that is healed.
SAVED = {
    ".seed/one": word("saved one"),
    ".seed/new": word("saved new"),
    "file": word("saved file"),
    "newer": word("saved newer"),
}
DELETED = "image"
"""The file whose link a program deletes, and writes nothing in its place."""
HEALED = {**VIEW, **SAVED, ".seed/sub/link": word("saved one"), "image": "dangling"}
RESTORED = {**VIEW, ".wins/both": word("older both")}

# What a new manifest then moves on the volume, and what the user sees when that is done.
MIGRATIONS = [
    {"id": "remove", "remove": ".gone/"},
    {"id": "merge", "rename": [".from/", ".into/"]},
    {"id": "move", "rename": ["single", ".conf/sub/single"]},
    {"id": "lose", "rename": ["older", ".conf/newer"]},
    {"id": "own", "rescope": {"path": ".shared/", "to": "workspace"}},
    {"id": "common", "rescope": {"path": ".common/", "to": "owner"}},
]
MIGRATED_PATHS = [
    ".into/",
    ".conf/",
    {"path": ".shared/", "scope": "workspace"},
    ".common/",
]
OWN = ".workspaces/crash"
BEFORE = {
    ".gone/x": word("gone"),
    ".gone/sub/y": word("gone too"),
    ".from/both": word("from both"),
    ".from/new": word("from new"),
    ".from/same": word("same moved"),
    ".from/sub/a": word("from sub a"),
    ".from/sub/b": word("from sub b"),
    ".into/both": word("into both"),
    ".into/same": word("same moved"),
    ".into/sub/b": word("into sub b"),
    "single": word("single"),
    "older": word("losing"),
    ".conf/newer": word("winning"),
    ".shared/x": word("shared"),
    f"{OWN}/.common/x": word("own x"),
    f"{OWN}/.common/y": word("own y"),
    ".common/x": word("common x"),
}
MIGRATED = {
    **VIEW,
    ".into/both": word("into both"),
    ".into/new": word("from new"),
    ".into/same": word("same moved"),
    ".into/sub/a": word("from sub a"),
    ".into/sub/b": word("into sub b"),
    ".conf/sub/single": word("single"),
    ".conf/newer": word("winning"),
    ".shared/x": word("shared"),
    ".common/x": word("common x"),
    ".common/y": word("own y"),
}

# What programs save while two paths are the workspace's own, and what the user sees when they no longer are.
SAVED_OWN = {
    ".merge/both": word("own both"),
    ".merge/new": word("own new"),
    ".merge/own": word("own own"),
    "newer": word("own newer"),
}
SCOPE_CHANGED_BACK = {**VIEW, **SAVED_OWN}

# Links that a program renames: from the path to the new name. That of `newer` is declared.
RENAMED = {"file": "file.bak", "newer": "other", ".seed": "dotfiles/.seed"}
# What then is in the place of the renamed directory.
MADE_ROOM = {".seed/one": word("another one"), ".seed/other": word("another other")}

# Two links that a program exchanges, and what the user sees then.
EXCHANGED = ("file", "newer")
# Links that a program rotates while no daemon runs, the first of them last, and what the user sees then.
ROTATED = ("file", "newer", "image")
NEW_LOG = word("new log")
ROTATED_ONCE = {**VIEW, "file": NEW_LOG, "newer": VIEW["file"], "image": VIEW["newer"]}
SWAPPED = {**VIEW, "file": VIEW["newer"], "newer": VIEW["file"]}
