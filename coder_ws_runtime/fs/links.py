"""What a symlink has to say so that it leads where it led, after its tree has moved. Pure."""

from posixpath import dirname, isabs, join, normpath


def text_after_move(text: str, path: str, root: str) -> str:
    """What a link of a tree says at the tree's new place.

    A relative link that stays within the tree is right there, too. One that leaves it would lead elsewhere,
    and becomes absolute. The tree's root itself, if it is a link, is left as it is.

    Args:
        text: what it says at the old place.
        path: where it is within the tree; the empty path is the tree's root itself.
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
