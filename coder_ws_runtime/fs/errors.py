"""Why a path or a tree cannot be worked on."""

import errno


class BlockedPathError(OSError):
    """A component of a path is not a directory.

    Attributes:
        component: the path of the component that blocks, relative to the anchor.
        is_link: whether it is a symlink.
    """

    def __init__(self, component: str, *, is_link: bool) -> None:
        what = "a symlink" if is_link else "not a directory"
        super().__init__(errno.ELOOP if is_link else errno.ENOTDIR, f"{component} is {what}", component)
        self.component = component
        self.is_link = is_link


class MountPointError(OSError):
    """Something is mounted at a name in a tree; a walk does not enter it. `filename` is the name."""

    def __init__(self, name: str) -> None:
        super().__init__(errno.EBUSY, "something is mounted there", name)

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return type(self), (self.filename,)


class ChangedError(Exception):
    """Something has changed since it was observed; the argument says where. Observe again."""


class BusyError(Exception):
    """A program has a file open for writing. The argument says which file."""
