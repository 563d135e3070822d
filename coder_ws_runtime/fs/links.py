"""The target of a symlink after its tree was moved. Pure."""

from posixpath import dirname, isabs, join, normpath


def text_after_move(text: str, path: str, root: str) -> str:
    """The text of a link in a tree at the tree's new place.

    A relative link that stays within the tree needs no change. One that leaves the tree would lead elsewhere,
    so it becomes absolute. If the tree's root itself is a link, it is left as it is.

    Args:
        text: the link's text at the old place.
        path: its path within the tree; empty for the tree's root itself.
        root: the absolute path of the tree's old place.
    """
    if isabs(text) or not leaves(text, path):
        return text
    return normpath(join(dirname(join(root, path)), text))


def leaves(text: str, path: str) -> bool:
    """Whether a link at `path` within a tree leads out of the tree."""
    if isabs(text):
        return True
    if not path:
        return False
    where = normpath(join(dirname(path), text))
    return where == ".." or where.startswith("../")
