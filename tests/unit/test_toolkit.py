"""What the tools' recipes share: downloads from a real server on loopback, checksums, archives, links."""

import hashlib
import io
import json
import os
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import toolkit
from downloads import Downloads, ToolError, checksum, github_checksum

CONTENT = b"the tool\n" * 1000
SUM = hashlib.sha256(CONTENT).hexdigest()
OTHER = b"another tool\n"
OTHER_SUM = hashlib.sha256(OTHER).hexdigest()
HALF_SUM = hashlib.sha256(CONTENT[:500]).hexdigest()
URL = "https://tools.example/releases/v1/tool.tar.gz?raw=1"

Answer = Callable[[BaseHTTPRequestHandler], None]


def whole(content: bytes) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    return answer


def half(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(CONTENT)))
    request.end_headers()
    request.wfile.write(CONTENT[:500])


def silent(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True


def status(code: int) -> Answer:
    return lambda request: request.send_error(code)


class Mirror:
    """A server that answers each request with the next of its answers, and the last one for ever."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[str] = []
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.asked.append(self.path)
                answers = mirror.answers
                (answers.pop(0) if len(answers) > 1 else answers[0])(self)

            def log_message(self, *words: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    made = Mirror()
    yield made
    made.close()


@pytest.fixture
def waits() -> list[float]:
    """The pauses between tries, in seconds; none is really made."""
    return []


@pytest.fixture
def downloads(mirror: Mirror, waits: list[float]) -> Downloads:
    return Downloads(mirror=mirror.url, attempts=3, sleep=waits.append)


def test_a_file_comes_from_the_mirror(downloads: Downloads, mirror: Mirror, tmp_path: Path) -> None:
    mirror.answers = [whole(CONTENT)]
    assert downloads.file(URL, tmp_path / "tool", SUM).read_bytes() == CONTENT
    assert mirror.asked == ["/tools.example/releases/v1/tool.tar.gz?raw=1"]


def test_without_a_mirror_the_address_is_the_publisher_s() -> None:
    assert Downloads(mirror="").address(URL) == URL


@pytest.mark.parametrize(
    ("answers", "tries", "paused"),
    [
        ([half, whole(CONTENT)], 2, [1.0]),
        ([silent, half, whole(CONTENT)], 3, [1.0, 2.0]),
        ([status(503), status(429), whole(CONTENT)], 3, [1.0, 2.0]),
    ],
    ids=["truncated", "hangs-up", "busy"],
)
def test_what_passes_is_tried_again(
    downloads: Downloads,
    mirror: Mirror,
    tmp_path: Path,
    waits: list[float],
    answers: list[Answer],
    tries: int,
    paused: list[float],
) -> None:
    mirror.answers = answers
    assert downloads.file(URL, tmp_path / "tool", SUM).read_bytes() == CONTENT
    assert (len(mirror.asked), waits) == (tries, paused)


@pytest.mark.parametrize(
    ("answer", "tries", "what", "found"),
    [
        (whole(OTHER), 1, "this is another file", f"sha256 {OTHER_SUM}"),
        (half, 3, "truncated: 500 bytes of 9000, after 3 tries", f"sha256 {HALF_SUM}"),
        (status(404), 1, "HTTP 404 Not Found", "nothing"),
        (status(502), 3, "HTTP 502 Bad Gateway, after 3 tries", "nothing"),
    ],
    ids=["corrupted", "truncated", "missing", "broken"],
)
def test_a_wrong_file_is_named_with_both_checksums(
    downloads: Downloads, mirror: Mirror, tmp_path: Path, answer: Answer, tries: int, what: str, found: str
) -> None:
    mirror.answers = [answer]
    target = tmp_path / "tool"
    target.write_text("from before")
    with pytest.raises(ToolError) as caught:
        downloads.file(URL, target, SUM)
    assert str(caught.value).splitlines() == [
        f"tool.tar.gz: {what}",
        f"  from      {mirror.url}/tools.example/releases/v1/tool.tar.gz?raw=1",
        f"  expected  sha256 {SUM}",
        f"  found     {found}",
    ]
    assert len(mirror.asked) == tries
    assert not target.exists(), "nobody takes it for the right one"


def test_a_mirror_that_is_down_is_named(mirror: Mirror, tmp_path: Path, waits: list[float]) -> None:
    mirror.close()
    downloads = Downloads(mirror=mirror.url, attempts=3, sleep=waits.append)
    named = mirror.url.removeprefix("http://")
    with pytest.raises(ToolError, match=f"{named} does not answer: .*refused.*, after 3 tries"):
        downloads.file(URL, tmp_path / "tool", SUM)
    assert waits == [1.0, 2.0]


def test_nothing_comes_without_a_checksum(downloads: Downloads, mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="'latest' is no SHA-256"):
        downloads.file(URL, tmp_path / "tool", "latest")
    assert mirror.asked == []


@pytest.mark.parametrize(
    "text",
    [
        f"{SUM}  tool.tar.gz\n{OTHER_SUM}  tool.zip\n",
        f"{OTHER_SUM} *tool.tar.gz.asc\n{SUM} *tool.tar.gz\n",
        f"{SUM}  ./dist/tool.tar.gz\n",
        f"{SUM}\n",
    ],
    ids=["text", "binary", "directory", "bare"],
)
def test_checksums_of_a_publisher(text: str) -> None:
    assert checksum(text, "tool.tar.gz") == SUM


def test_a_file_that_its_publisher_does_not_list() -> None:
    with pytest.raises(ToolError, match=r"tool\.tar\.gz is not in"):
        checksum(f"{SUM}  tool.zip\n{SUM}  other\n", "tool.tar.gz")


RELEASE = "/api.github.com/repos/owner/tool/releases/tags/v1"


def test_a_checksum_that_github_names(downloads: Downloads, mirror: Mirror) -> None:
    assets = [{"name": "other", "digest": None}, {"name": "tool.tgz", "digest": f"sha256:{SUM}"}]
    mirror.answers = [whole(json.dumps({"assets": assets}).encode())]
    assert github_checksum(downloads, "owner/tool", "v1", "tool.tgz") == SUM
    assert mirror.asked == [RELEASE]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"assets": [{"name": "tool.tgz", "digest": None}]}, "tool.tgz: GitHub names no SHA-256 of it"),
        ({"assets": [{"name": "tool.tgz", "digest": f"md5:{SUM[:32]}"}]}, "GitHub names no SHA-256 of it"),
        ({"assets": []}, "names no SHA-256 of it in the release v1 of owner/tool"),
        ({"message": "Not Found"}, "tags/v1 is no description of a release: KeyError"),
        ([], "is no description of a release: TypeError"),
    ],
    ids=["none", "md5", "no-file", "no-release", "no-object"],
)
def test_a_checksum_that_github_does_not_name(
    downloads: Downloads, mirror: Mirror, answer: object, says: str
) -> None:
    mirror.answers = [whole(json.dumps(answer).encode())]
    with pytest.raises(ToolError, match=says):
        github_checksum(downloads, "owner/tool", "v1", "tool.tgz")


@pytest.mark.parametrize(
    ("name", "names"), [("x86_64", ("amd64", "x86_64", "x64")), ("aarch64", ("arm64", "aarch64", "arm64"))]
)
def test_names_of_an_architecture(name: str, names: tuple[str, str, str]) -> None:
    found = toolkit.machine(name)
    assert (found.debian, found.kernel, found.node) == names


def test_an_architecture_without_an_image() -> None:
    with pytest.raises(ToolError, match="riscv64; known: x86_64, aarch64"):
        toolkit.machine("riscv64")


def archive(path: Path, members: dict[str, str]) -> Path:
    """A tar archive: `->` makes a link, `=>` a hard link, anything else a program."""
    with tarfile.open(path, "w:gz") as tar:
        for name, text in members.items():
            member = tarfile.TarInfo(name)
            member.mode = 0o755
            if text[:2] in ("->", "=>"):
                member.type = tarfile.SYMTYPE if text[0] == "-" else tarfile.LNKTYPE
                member.linkname = text[2:]
                tar.addfile(member)
            else:
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text.encode()))
    return path


def test_unpack_drops_the_leading_directory(tmp_path: Path) -> None:
    members = {"v1/bin/tool": "tool", "v1/bin/t": "->tool", "v1/hard": "=>v1/bin/tool"}
    toolkit.unpack(archive(tmp_path / "a.tar.gz", members), tmp_path / "to", strip=1)
    assert sorted(path.name for path in (tmp_path / "to").rglob("*")) == ["bin", "hard", "t", "tool"]
    assert (tmp_path / "to/hard").read_text() == "tool"
    assert os.access(tmp_path / "to/bin/t", os.X_OK)


def test_an_archive_stays_in_its_place(tmp_path: Path) -> None:
    made = archive(tmp_path / "a.tar.gz", {"../outside": "x"})
    with pytest.raises(tarfile.OutsideDestinationError):
        toolkit.unpack(made, tmp_path / "to")
    assert not (tmp_path / "outside").exists()


def test_a_link_is_made_again(tmp_path: Path) -> None:
    for version in ("1", "2"):
        toolkit.link(tmp_path / version, "tool", "alias", directory=tmp_path)
    assert {name: os.readlink(tmp_path / name) for name in ("tool", "alias")} == {
        "tool": str(tmp_path / "2"),
        "alias": str(tmp_path / "2"),
    }


def test_the_user_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_REMOTE_USER", "root")
    assert toolkit.remote_user().pw_uid == 0
    monkeypatch.setenv("_REMOTE_USER", "nobody-here")
    with pytest.raises(ToolError, match="'nobody-here': there is no such user"):
        toolkit.remote_user()


def test_a_recipe_says_in_one_piece_why_it_failed() -> None:
    with pytest.raises(SystemExit, match="error: llvm: it is missing"), toolkit.recipe("llvm"):
        raise ToolError("it is missing")


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolkit, "LOCK", tmp_path / "tools.lock")
    (tmp_path / "tools.lock").write_text('{"nvm": {"version": "1.2.3", "sha256": {"nvm.sh": "ab"}}}')


@pytest.mark.usefixtures("lock")
def test_a_tool_that_is_not_locked() -> None:
    assert toolkit.locked("nvm")["version"] == "1.2.3"
    with pytest.raises(ToolError, match=r"tools\.lock says nothing of rtk"):
        toolkit.locked("rtk")


@pytest.mark.usefixtures("lock")
def test_another_version_than_the_locked_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLS", '{"nvm": {"version": "1.3.0"}, "rtk": {"version": "2.0.0"}}')
    assert toolkit.locked("nvm") == {"version": "1.3.0", "sha256": {"nvm.sh": "ab"}}


@pytest.mark.usefixtures("lock")
@pytest.mark.parametrize("given", ["nvm=1.3.0", '["nvm"]', '{"nvm": "1.3.0"}'])
def test_tools_that_are_no_object_of_objects(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLS", given)
    with pytest.raises(ToolError, match="it is a JSON object as in"):
        toolkit.locked("nvm")


def test_variables_for_shells_and_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolkit, "PROFILE", tmp_path)
    monkeypatch.setattr(toolkit, "UNITS", tmp_path / "units")
    toolkit.variables("tool", {"ONE": "1", "TWO": "a b"})
    assert (tmp_path / "tool.sh").read_text() == "export ONE=1\nexport TWO='a b'\n"
    assert (tmp_path / "units/tool.conf").read_text() == ('[Manager]\nDefaultEnvironment="ONE=1" "TWO=a b"\n')


def test_a_variable_that_names_a_path_of_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell of root's has root's home."""
    monkeypatch.setattr(toolkit, "PROFILE", tmp_path)
    monkeypatch.setattr(toolkit, "UNITS", tmp_path / "units")
    monkeypatch.setenv("_REMOTE_USER", "root")
    toolkit.variables("tool", {"ONE": "1"}, in_home={"CONFIG": ".a b"})
    assert (tmp_path / "tool.sh").read_text() == "export ONE=1\nexport CONFIG=\"$HOME\"/'.a b'\n"
    assert (tmp_path / "units/tool.conf").read_text() == (
        '[Manager]\nDefaultEnvironment="ONE=1" "CONFIG=/root/.a b"\n'
    )


def test_a_tool_that_is_installed_has_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolkit, "SHARE", tmp_path)
    with toolkit.recipe("rtk"):
        assert not (tmp_path / "rtk").exists()
    assert (tmp_path / "rtk").is_dir()


def test_a_tool_that_is_not_installed_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolkit, "SHARE", tmp_path)
    with pytest.raises(SystemExit), toolkit.recipe("rtk"):
        raise ToolError("it is missing")
    assert not (tmp_path / "rtk").exists()
