"""Which case of `ws-boot docker-group` asks for what: the table, and what observing it sees."""

import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from coder_ws_runtime.boot.docker_group.apply import settle
from coder_ws_runtime.boot.docker_group.observation import Cover, Observed, Program, Reach, Sight, Socket
from coder_ws_runtime.boot.docker_group.observe import observe
from coder_ws_runtime.boot.docker_group.plan import (
    Action,
    Case,
    Create,
    Join,
    Keep,
    Renumber,
    StartProxy,
    Uncover,
    plan,
)
from coder_ws_runtime.cli import commands
from coder_ws_runtime.cli.ws_boot.main import command as ws_boot
from coder_ws_runtime.dataclass import replace
from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.system.accounts import Group, User, parse_groups
from coder_ws_runtime.system.process import Completed
from tests.harness.documents import check_document

CODER = User("coder", 1000, 1000)
IN, OUT = frozenset({"coder"}), frozenset[str]()


def host_socket(gid: int, **other: int | Reach) -> Socket:
    known = {"uid": 0, "mode": 0o660, "links": 1, "reach": Reach.ANSWERS, **other}
    return Socket(gid=gid, **known)  # type: ignore[arg-type]


def seen(
    sock: Socket | None,
    docker: tuple[int, frozenset[str]] | None = (995, IN),
    *more: Group,
    **other: object,
) -> Observed:
    groups = [Group("root", 0), Group("coder", 1000)]
    if docker is not None:
        groups.append(Group("docker", *docker))
    known = Observed(
        sight=Sight.SOCKET if sock else Sight.ABSENT,
        socket=sock,
        cover=Cover.NONE,
        kept=False,
        user=CODER,
        groups=(*groups, *more),
    )
    return replace(known, **other)  # type: ignore[arg-type]


PING = Group("_ping", 105)
TABLE: list[tuple[str, Observed, Case, list[Action]]] = [
    ("GID equal, member", seen(host_socket(995)), Case.EQUAL, []),
    ("GID equal, no member", seen(host_socket(995), (995, OUT)), Case.EQUAL, [Join("coder", "docker")]),
    ("GID free", seen(host_socket(105)), Case.FREE, [Renumber(105)]),
    (
        "GID free, no member",
        seen(host_socket(105), (995, OUT)),
        Case.FREE,
        [Renumber(105), Join("coder", "docker")],
    ),
    ("GID free, no group", seen(host_socket(105), None), Case.FREE, [Create(105), Join("coder", "docker")]),
    ("GID taken", seen(host_socket(105), (995, IN), PING), Case.TAKEN, [Join("coder", "_ping")]),
    (
        "GID taken, member already",
        seen(host_socket(105), (995, IN), replace(PING, members=IN)),
        Case.TAKEN,
        [],
    ),
    (
        "GID taken by two, member of the second",
        seen(host_socket(105), (995, IN), PING, Group("twin", 105, IN)),
        Case.TAKEN,
        [],
    ),
    ("GID taken, no group docker", seen(host_socket(105), None, PING), Case.TAKEN, [Join("coder", "_ping")]),
    ("GID is the user's own", seen(host_socket(1000)), Case.PRIMARY, []),
    ("GID 0", seen(host_socket(0)), Case.PROXY, [Keep(), StartProxy()]),
    (
        "GID 0, no member",
        seen(host_socket(0), (995, OUT)),
        Case.PROXY,
        [Join("coder", "docker"), Keep(), StartProxy()],
    ),
    (
        "GID 0, no group",
        seen(host_socket(0), None),
        Case.PROXY,
        [Create(None), Join("coder", "docker"), Keep(), StartProxy()],
    ),
    ("GID 0, proxy works", seen(host_socket(0), cover=Cover.WORKING, kept=True), Case.PROXY, []),
    (
        "GID 0, proxy dead",
        seen(host_socket(0), cover=Cover.DEAD, kept=True),
        Case.PROXY,
        [Uncover(), StartProxy()],
    ),
    ("GID 0, proxy uncovered by hand", seen(host_socket(0), kept=True), Case.PROXY, [StartProxy()]),
    ("GID 0, open to everyone", seen(host_socket(0, mode=0o666)), Case.OPEN, []),
    ("GID unknown here", seen(host_socket(65534)), Case.PROXY, [Keep(), StartProxy()]),
    ("no group let in", seen(host_socket(995, mode=0o600)), Case.PROXY, [Keep(), StartProxy()]),
    ("group may only read", seen(host_socket(995, mode=0o640)), Case.PROXY, [Keep(), StartProxy()]),
    ("user owns it", seen(host_socket(0, uid=1000)), Case.OWNER, []),
    (
        "user owns it and has no permission",
        seen(host_socket(995, uid=1000, mode=0o060)),
        Case.PROXY,
        [Keep(), StartProxy()],
    ),
    ("no socket", seen(None), Case.ABSENT, []),
    ("hidden socket", seen(None, sight=Sight.HIDDEN), Case.HIDDEN, []),
    ("a directory in its place", seen(None, sight=Sight.NO_SOCKET), Case.NO_SOCKET, []),
    ("no user", seen(host_socket(105), user=None), Case.NO_USER, []),
    ("closed even to root", seen(host_socket(65534, reach=Reach.DENIED)), Case.UNREACHABLE, []),
    (
        "closed to us, who are not root",
        seen(host_socket(995, reach=Reach.DENIED), root=False),
        Case.EQUAL,
        [],
    ),
    (
        "stale socket, GID free",
        seen(host_socket(105, reach=Reach.REFUSED, links=0)),
        Case.FREE,
        [Renumber(105)],
    ),
    ("silent socket", seen(host_socket(995, reach=Reach.REFUSED)), Case.EQUAL, []),
]


@pytest.mark.parametrize(
    ("observed", "case", "actions"), [pytest.param(*row, id=name) for name, *row in TABLE]
)
def test_plan(observed: Observed, case: Case, actions: list[Action]) -> None:
    decided = plan(observed)
    assert (decided.case, list(decided.actions)) == (case, actions)


@pytest.mark.parametrize(
    ("observed", "code"),
    [
        pytest.param(seen(host_socket(995)), None, id="GID equal"),
        pytest.param(seen(None), None, id="no socket"),
        pytest.param(seen(None, sight=Sight.HIDDEN), "docker-group.hidden", id="hidden"),
        pytest.param(seen(None, sight=Sight.NO_SOCKET), "docker-group.no-socket", id="directory"),
        pytest.param(seen(host_socket(105), user=None), "docker-group.no-user", id="no user"),
        pytest.param(
            seen(host_socket(65534, reach=Reach.DENIED)), "docker-group.unreachable", id="unreachable"
        ),
        pytest.param(seen(host_socket(995, reach=Reach.REFUSED, links=0)), "docker-group.stale", id="stale"),
        pytest.param(seen(host_socket(995, reach=Reach.REFUSED)), "docker-group.silent", id="silent"),
    ],
)
def test_what_cannot_be_mended_here_has_a_remedy(observed: Observed, code: str | None) -> None:
    finding = plan(observed).finding
    assert (finding and finding.code) == code
    assert finding is None or (finding.message and finding.hint)


@pytest.mark.parametrize("observed", [pytest.param(row[1], id=row[0]) for row in TABLE])
def test_docker_never_gets_gid_0_and_nothing_touches_the_socket(observed: Observed) -> None:
    for action in plan(observed).actions:
        assert action not in (Renumber(0), Create(0), Join("coder", "root"))


def test_programs_without_the_group_are_named() -> None:
    old = Program(12, "bash", frozenset({1000, 995}))
    new = Program(13, "bash", frozenset({1000, 105}))
    assert plan(seen(host_socket(105), programs=(old, new))).without_group == (old,)
    assert plan(seen(host_socket(0, mode=0o666), programs=(old, new))).without_group == ()


# On a tree ---------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Layout:
    layout = Layout.of(tmp_path)
    for file, text in {
        layout.group_file: "root:x:0:\ndocker:x:995:coder\ncoder:x:1000:\n",
        layout.passwd_file: "coder:x:1000:1000::/home/coder:/bin/bash\n",
        layout.proc / "self/mountinfo": "",
    }.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    layout.docker_socket.parent.mkdir()
    return layout


def test_a_socket_that_answers(tree: Layout) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tree.docker_socket))
        server.listen()
        tree.docker_socket.chmod(0o640)
        found = observe(tree)
    assert found.sight is Sight.SOCKET
    assert found.socket == Socket(os.getuid(), os.getgid(), 0o640, 1, Reach.ANSWERS)
    assert found.user == CODER


def test_a_socket_that_nobody_listens_on(tree: Layout) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tree.docker_socket))
    found = observe(tree)
    assert found.socket is not None
    assert found.socket.reach is Reach.REFUSED


def test_a_directory_that_docker_made(tree: Layout) -> None:
    tree.docker_socket.mkdir()
    assert observe(tree).sight is Sight.NO_SOCKET


def test_a_mount_that_is_not_to_be_seen(tree: Layout) -> None:
    assert observe(tree).sight is Sight.ABSENT
    line = f"96 91 254:0 /run/docker.sock {tree.docker_socket} rw - ext4 /dev/vda rw\n"
    (tree.proc / "self/mountinfo").write_text(line)
    assert observe(tree).sight is Sight.HIDDEN


class Shadow:
    """Edits the group file as groupmod and usermod would, as far as these tests need it."""

    def __init__(self, layout: Layout, refuse_first: str = "") -> None:
        self.file = layout.group_file
        self.refuse_first = refuse_first

    def __call__(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
    ) -> Completed:
        groups = {group.name: group for group in parse_groups(self.file.read_text())}
        if self.refuse_first:
            # Somebody took the GID between the look and the step.
            groups["other"] = Group("other", int(argv[-2]))
            status, self.refuse_first = 4, ""
        else:
            status = 0
            if argv[0] == "groupmod":
                groups["docker"] = replace(groups["docker"], gid=int(argv[-2]))
            else:
                groups[argv[-2]] = replace(groups[argv[-2]], members=frozenset({argv[-1]}))
        lines = [f"{group.name}:x:{group.gid}:{','.join(group.members)}" for group in groups.values()]
        self.file.write_text("\n".join(lines) + "\n")
        return Completed(tuple(argv), status, "", "GID '105' already exists" if status else "")


@pytest.fixture
def foreign_socket(tree: Layout) -> int:
    """A socket of a group that is none of ours; its GID."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tree.docker_socket))
    gid = tree.docker_socket.stat().st_gid
    if gid in {0, 1000, 995}:
        if os.getuid() != 0:
            pytest.skip("needs root, or a group of one's own that is not 0, 995 or 1000")
        gid = 105
        os.chown(tree.docker_socket, -1, gid)
    tree.docker_socket.chmod(0o660)
    return gid


def test_free_gid_is_given_and_the_second_run_has_nothing_to_do(tree: Layout, foreign_socket: int) -> None:
    report = settle(tree, runner=Shadow(tree))
    assert report.done == (Renumber(foreign_socket),)
    assert f"docker:x:{foreign_socket}:coder" in tree.group_file.read_text()
    again = settle(tree, runner=Shadow(tree))
    assert (again.plan.case, again.done) == (Case.EQUAL, ())


def test_a_gid_that_is_taken_meanwhile_is_joined(tree: Layout, foreign_socket: int) -> None:
    report = settle(tree, runner=Shadow(tree, refuse_first="groupmod"))
    assert report.done == (Join("coder", "other"),)
    assert f"other:x:{foreign_socket}:coder" in tree.group_file.read_text()


def test_a_dry_run_changes_nothing(tree: Layout, foreign_socket: int) -> None:
    before = tree.group_file.read_text()
    report = settle(tree, runner=Shadow(tree), dry_run=True)
    assert report.after.actions == (Renumber(foreign_socket),)
    assert tree.group_file.read_text() == before


def test_what_a_program_refuses_is_told_with_the_command(tree: Layout, foreign_socket: int) -> None:
    def refusing(
        argv: Sequence[str],
        *,
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
    ) -> Completed:
        return Completed(tuple(argv), 10, "", "groupmod: cannot lock /etc/group; try again later.\n")

    with pytest.raises(RefusedError) as caught:
        settle(tree, runner=refusing)
    assert caught.value.code == "docker-group.failed"
    assert "groupmod: cannot lock /etc/group; try again later." in caught.value.message
    assert f"groupmod --prefix {tree.root} --gid {foreign_socket} docker" in caught.value.hint


def test_what_is_beyond_the_workspace_is_one_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = Layout.of(tmp_path)
    layout.docker_socket.mkdir(parents=True)
    assert commands.run(ws_boot, ["docker-group", "--json", "--root", str(tmp_path)]) == 1
    told = capsys.readouterr()
    document = check_document(told.out)
    assert (document["document"], document["error"]["code"]) == (
        "ws-boot docker-group",
        "docker-group.no-socket",
    )
    assert document["error"]["place"] == str(layout.docker_socket)
    assert str(layout.docker_socket) in told.err
