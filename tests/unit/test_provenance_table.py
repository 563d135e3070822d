"""Which of two copies is the newer save: one row, one case, readable as the rule."""

import pytest

from coder_ws_runtime.dataclass import dataclass, replace
from coder_ws_runtime.identity import CopyRecord, Identity
from coder_ws_runtime.persist.reconcile.provenance import Newer, Reason, which_is_newer

HOME = Identity(device=1, inode=10, kind=0o100000, size=5, mtime=100, ctime=100)
CHANGED = replace(HOME, mtime=300, ctime=300)
CHMOD = replace(HOME, ctime=300)
PUBLISHED = Identity(device=2, inode=20, kind=0o100000, size=5, mtime=100, ctime=150)
RENAMED = replace(PUBLISHED, ctime=160)
EARLIER = Identity(device=2, inode=19, kind=0o100000, size=5, mtime=50, ctime=50)
ANOTHER = Identity(device=2, inode=21, kind=0o100000, size=5, mtime=200, ctime=200)
RECORD = CopyRecord(HOME, PUBLISHED, EARLIER)
KEPT = replace(RECORD, kept=True)
LOSING = CopyRecord(HOME, EARLIER, EARLIER)
LOST = replace(LOSING, kept=True)
SEEN = CopyRecord(HOME)
DIRECTORY = Identity(device=1, inode=11, kind=0o040000, size=0, mtime=100, ctime=100)
LOST_WHOLE = CopyRecord(replace(DIRECTORY, mtime=0, ctime=0), EARLIER, EARLIER, kept=True)


@dataclass(frozen=True)
class Case:
    """The home's file, the volume's, what the ledger has, and the answer."""

    home: Identity
    volume: Identity
    record: CopyRecord | None
    newer: Newer
    reason: Reason
    replaced: bool = False
    aside: bool = False
    stays: bool = False
    awaited: bool = False
    grown: bool = False


TABLE = {
    "the image brought it": Case(HOME, EARLIER, None, Newer.VOLUME, Reason.BROUGHT),
    "written here later, where neither side had it": Case(
        CHANGED, ANOTHER, None, Newer.HOME, Reason.LATER, awaited=True
    ),
    "a program set its time far ahead": Case(
        replace(HOME, mtime=900), ANOTHER, None, Newer.VOLUME, Reason.LATER, awaited=True
    ),
    "the volume's copy has a time far ahead, and was published before this was written": Case(
        CHANGED, replace(ANOTHER, mtime=900), None, Newer.HOME, Reason.LATER, awaited=True
    ),
    "written here earlier, where neither side had it": Case(
        HOME, ANOTHER, None, Newer.VOLUME, Reason.LATER, awaited=True
    ),
    "written here, where neither side had it, and copied": Case(
        HOME, ANOTHER, KEPT, Newer.VOLUME, Reason.COPIED, awaited=True
    ),
    "it replaced our link": Case(HOME, EARLIER, None, Newer.HOME, Reason.REPLACED, replaced=True),
    "it replaced our link, and is older by its time": Case(
        HOME, ANOTHER, None, Newer.HOME, Reason.REPLACED, replaced=True
    ),
    "copied, and another workspace saved": Case(HOME, ANOTHER, KEPT, Newer.VOLUME, Reason.COPIED),
    "copied after it replaced our link, and another workspace saved": Case(
        HOME, ANOTHER, KEPT, Newer.VOLUME, Reason.COPIED, replaced=True
    ),
    "saved again after it was published": Case(CHANGED, RENAMED, RECORD, Newer.HOME, Reason.CHANGED),
    "only its mode changed after it was published": Case(CHMOD, RENAMED, RECORD, Newer.HOME, Reason.CHANGED),
    "killed, and another workspace saved": Case(HOME, ANOTHER, RECORD, Newer.VOLUME, Reason.UNKEPT),
    "killed after it was published, and its mode changed": Case(
        HOME, RENAMED, RECORD, Newer.VOLUME, Reason.COPIED
    ),
    "killed before the attic had it": Case(HOME, EARLIER, LOSING, Newer.VOLUME, Reason.UNKEPT, stays=True),
    "killed before the attic had it, and then saved": Case(
        CHANGED, EARLIER, LOSING, Newer.HOME, Reason.CHANGED, stays=True
    ),
    "a directory, with less in it than was recorded": Case(
        replace(DIRECTORY, mtime=90, ctime=90), EARLIER, LOST_WHOLE, Newer.VOLUME, Reason.COPIED
    ),
    "a directory, with more in it than was recorded": Case(
        DIRECTORY, EARLIER, LOST_WHOLE, Newer.HOME, Reason.CHANGED, stays=True, grown=True
    ),
    "next to a socket, killed, and another workspace saved": Case(
        HOME, ANOTHER, RECORD, Newer.VOLUME, Reason.UNKEPT, stays=True
    ),
    "killed before it was published": Case(HOME, EARLIER, RECORD, Newer.VOLUME, Reason.BROUGHT),
    "killed before it was published, where it replaced our link": Case(
        HOME, EARLIER, RECORD, Newer.HOME, Reason.REPLACED, replaced=True
    ),
    "brought, and recorded as such": Case(HOME, EARLIER, SEEN, Newer.VOLUME, Reason.BROUGHT, awaited=True),
    "brought, and a boot step changed its owner": Case(
        CHMOD, EARLIER, SEEN, Newer.VOLUME, Reason.BROUGHT, awaited=True
    ),
    "brought, and saved later": Case(CHANGED, ANOTHER, SEEN, Newer.HOME, Reason.LATER, awaited=True),
    "brought, and saved before another workspace saved": Case(
        CHANGED, replace(ANOTHER, mtime=400, ctime=400), SEEN, Newer.VOLUME, Reason.LATER, awaited=True
    ),
    "it lost already": Case(HOME, EARLIER, LOST, Newer.VOLUME, Reason.COPIED),
    "it lost, and was saved again": Case(CHANGED, EARLIER, LOST, Newer.HOME, Reason.CHANGED),
    "swapped out unchanged, with the ctime of our rename": Case(
        CHMOD, ANOTHER, KEPT, Newer.VOLUME, Reason.COPIED, aside=True
    ),
    "a save that was swapped out": Case(CHANGED, RENAMED, RECORD, Newer.HOME, Reason.CHANGED, aside=True),
    "swapped out by an unknown run, written later": Case(
        CHANGED, ANOTHER, None, Newer.HOME, Reason.LATER, aside=True
    ),
    "next to a socket, never copied, written later": Case(
        CHANGED, ANOTHER, None, Newer.HOME, Reason.LATER, stays=True
    ),
    "next to a socket, never copied, written earlier": Case(
        HOME, ANOTHER, None, Newer.VOLUME, Reason.LATER, stays=True
    ),
    "next to a socket, stale": Case(HOME, ANOTHER, KEPT, Newer.VOLUME, Reason.COPIED, stays=True),
    "next to a socket, stale, the other host's clock is slow": Case(
        HOME, replace(ANOTHER, mtime=1), KEPT, Newer.VOLUME, Reason.COPIED, stays=True
    ),
    "next to a socket, both were saved": Case(CHANGED, ANOTHER, RECORD, Newer.HOME, Reason.LATER, stays=True),
}


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE)
def test_which_is_newer(case: Case) -> None:
    verdict = which_is_newer(
        case.home,
        case.volume,
        case.record,
        replaced=case.replaced,
        aside=case.aside,
        stays=case.stays,
        awaited=case.awaited,
        grown=case.grown,
    )
    assert (verdict.newer, verdict.reason) == (case.newer, case.reason)
