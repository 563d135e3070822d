"""passwd(5) and group(5), malformed lines and unreadable files among them. The files are pyfakefs's."""

from pathlib import Path

import pytest
from pyfakefs.fake_filesystem import FakeFilesystem, reset_ids, set_gid, set_uid

from coder_ws_runtime.system.accounts import Group, User, parse_groups, parse_users, read_groups, read_user

PASSWD, GROUP = Path("/etc/passwd"), Path("/etc/group")

GROUPS = {
    "root:x:0:": [Group("root", 0)],
    "docker:x:995:coder,ada": [Group("docker", 995, frozenset({"coder", "ada"}))],
    "empty:x:7:,": [Group("empty", 7)],
    "nobody:x:65534:": [Group("nobody", 65534)],
    "largest:x:4294967294:": [Group("largest", 4294967294)],
    "no id of the kernel's:x:4294967295:": [],
    "more digits than it has:x:99999999999999999999:": [],
    "+::::": [],
    "bad:x:n:": [],
    "negative:x:-1:": [],
    "not ASCII:x:\u0663:": [],
    "short:x": [],
    ":x:5:": [],
    "": [],
    "of one line:\u2028x:5:": [Group("of one line", 5)],
}
USERS = {
    "root:x:0:0:root:/root:/bin/bash": [User("root", 0, 0)],
    "coder:x:1000:1001::/home/coder:/bin/zsh": [User("coder", 1000, 1001)],
    "spaced:x:5:6:a\u2028b:/:/bin/sh": [User("spaced", 5, 6)],
    "+::::::": [],
    "x:y": [],
    "one field more:x:1:1::/:/bin/sh:": [],
    "no number:x:a:1::/:/bin/sh": [],
}


@pytest.mark.parametrize(("line", "groups"), GROUPS.items(), ids=GROUPS)
def test_a_line_of_group(line: str, groups: list[Group]) -> None:
    assert list(parse_groups(f"first:x:1:\n{line}\nlast:x:2:\n")) == [
        Group("first", 1),
        *groups,
        Group("last", 2),
    ]


@pytest.mark.parametrize(("line", "users"), USERS.items(), ids=USERS)
def test_a_line_of_passwd(line: str, users: list[User]) -> None:
    assert list(parse_users(f"{line}\nlast:x:2:2::/:/bin/sh")) == [*users, User("last", 2, 2)]


def test_the_first_of_a_name_counts(fs: FakeFilesystem) -> None:
    fs.create_file(PASSWD, contents="coder:x:1000:1000::/:/bin/sh\ncoder:x:2000:2000::/:/bin/sh\n")
    assert read_user(PASSWD, "coder") == User("coder", 1000, 1000)
    assert read_user(PASSWD, "ada") is None


def test_what_is_not_utf_8(fs: FakeFilesystem) -> None:
    fs.create_file(GROUP, contents=b"\xff:x:5:\ndocker:x:995:\n")
    assert read_groups(GROUP)[1] == Group("docker", 995)


@pytest.mark.parametrize("kind", ["missing", "directory", "loop", "not allowed"])
def test_a_file_that_cannot_be_read_has_nobody(kind: str, fs: FakeFilesystem) -> None:
    match kind:
        case "directory":
            fs.create_dir(PASSWD)
        case "loop":
            fs.create_symlink(PASSWD, PASSWD)
        case "not allowed":
            fs.create_file(PASSWD, contents="coder:x:1000:1000::/:/bin/sh\n", st_mode=0o100000)
            set_uid(1000)
            set_gid(1000)
    try:
        assert read_user(PASSWD, "coder") is None
        assert read_groups(PASSWD) == ()
    finally:
        reset_ids()
