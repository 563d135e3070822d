"""What another workspace removed, while a program of this one had renamed the managed link to it."""

import os

import pytest

from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_records import Reason
from tests.harness.tree import Tree, read, write


def removed_by_another(tree: Tree, path: str, reason: Reason = Reason.REMOVED) -> None:
    """Its content goes to the attic, and nothing declares it."""
    with Session(tree.layout, tree.settings) as session, session.attic.place(path, reason) as to:
        os.rename(tree.volume / path, to[1], dst_dir_fd=to[0])
    tree.manifest()


@pytest.mark.parametrize("saved", [True, False])
@pytest.mark.parametrize(("declared", "file"), [(".conf", ""), (".dir/", "/a")])
@pytest.mark.parametrize("reason", [Reason.REMOVED, Reason.MIGRATED])
def test_a_backup_gets_what_was_removed(
    declared: str, file: str, reason: Reason, tree: Tree, *, saved: bool
) -> None:
    path = declared.rstrip("/")
    write(tree.volume, {f"{path}{file}": "old"})
    tree.manifest(declared)
    tree.resolve()
    (tree.home / path).rename(tree.home / f"{path}.bak")
    new = {f"{path}{file}": "new"} if saved else {}
    write(tree.home, new)
    removed_by_another(tree, path, reason)
    report = tree.resolve(dry_run=True)
    assert (tree.home / f"{path}.bak").is_symlink()
    report = tree.resolve()
    assert report.errors == []
    (warning,) = report.warnings
    assert warning.code == "path.removed-elsewhere"
    assert ("a migration" in str(warning)) is (reason is Reason.MIGRATED)
    assert read(tree.home) == {f"{path}.bak{file}": "old", **new}
    tree.resolve()
    assert read(tree.home) == {f"{path}.bak{file}": "old", **new}


def test_the_users_own_link_to_it_stays(tree: Tree) -> None:
    """It is not known to be the one that was renamed, if there are two."""
    write(tree.volume, {".conf": "old"})
    tree.manifest(".conf")
    tree.resolve()
    link = (tree.home / ".conf").readlink()
    for name in ("one", "two"):
        (tree.home / name).symlink_to(link)
    (tree.home / ".conf").unlink()
    removed_by_another(tree, ".conf")
    assert [warning.code for warning in tree.resolve().warnings] == ["path.removed-elsewhere"]
    assert read(tree.home) == {"one": f"->{link}", "two": f"->{link}"}
