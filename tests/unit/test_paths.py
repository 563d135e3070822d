"""The rules for a declared path, a row each."""

import pytest

from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.persist.manifest.paths import normalise_path

HOME = "/home/coder"

SAME = [
    # as written, relative to the home
    (".claude.json", ".claude.json"),
    (".claude/", ".claude"),
    ("~/.claude/", ".claude"),
    ("$HOME/.claude/", ".claude"),
    ("${HOME}/.claude/", ".claude"),
    ("/home/coder/.claude/", ".claude"),
    ("./.config//gh/.", ".config/gh"),
    ("a b/ä", "a b/ä"),
    (" a/b ", " a/b "),
    ("foo..bar", "foo..bar"),
    ("...", "..."),
    (".config/~x", ".config/~x"),
    ("n" * 236, "n" * 236),
    ("a/.workspaces", "a/.workspaces"),
]


@pytest.mark.parametrize(("written", "path"), SAME)
def test_the_same_path_is_written_in_several_ways(written: str, path: str) -> None:
    assert normalise_path(written, HOME) == path


REFUSED = [
    # as written, why
    ("", "is empty"),
    ("  ", "is empty"),
    ("a/ /b", "a name that consists of spaces"),
    ("~/  ", "a name that consists of spaces"),
    ("/", "absolute"),
    ("~", "the whole home"),
    ("~/", "the whole home"),
    (".", "the whole home"),
    ("$HOME", "the whole home"),
    ("${HOME}/", "the whole home"),
    ("/home/coder/", "the whole home"),
    ("/home/coder", "the whole home"),
    ("/etc/passwd", "absolute"),
    ("/home/coder2/x", "absolute"),
    ("~root/x", "another user's home"),
    ("..", "'..'"),
    ("a/../b", "'..'"),
    ("~/../x", "'..'"),
    ("a\nb", "control character"),
    ("a\x00", "control character"),
    ("a\x7f", "control character"),
    ("\ud800", "Unicode"),
    (".home-persist", "is reserved on the volume"),
    (".home-persist/attic/", "is reserved on the volume"),
    ("~/.workspaces/x", "is reserved on the volume"),
    (".jetbrains-dist/", "is reserved on the volume"),
    ("a/.b.home-persist", "an ending that is reserved"),
    ("a/.b.home-persist-copy", "an ending that is reserved"),
    ("a/.b.home-persist-swap", "an ending that is reserved"),
    ("n" * 237, "236 bytes"),
    ("ä" * 119, "236 bytes"),
]


@pytest.mark.parametrize(("written", "why"), REFUSED)
def test_what_is_refused_says_why_and_how_to_mend_it(written: str, why: str) -> None:
    with pytest.raises(RefusedError, match=why) as refused:
        normalise_path(written, HOME)
    assert refused.value.hint


LONGEST = "/".join(["n" * 31] * 64)


@pytest.mark.parametrize(
    ("written", "refused"),
    [
        ("/".join("a" * 64), False),
        ("/".join("a" * 65), True),
        ("/".join(["a"] * 1200), True),
        (LONGEST, False),
        (f"{LONGEST}n", False),
        (f"{LONGEST}nn", True),
        ("~/" + "/".join(["ä" * 100] * 20), True),
    ],
    ids=["64 components", "65", "1,200", "2,047 bytes", "2,048", "2,049", "4,000 in UTF-8"],
)
def test_a_path_has_a_length_that_all_calls_take(written: str, refused: bool) -> None:  # noqa: FBT001 - a column
    if not refused:
        assert normalise_path(written, HOME) == written.removeprefix("~/")
        return
    with pytest.raises(RefusedError) as raised:
        normalise_path(written, HOME)
    assert raised.value.code == "path.too-long"
    assert raised.value.hint
    assert len(str(raised.value)) < 500
