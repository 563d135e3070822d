"""What git's settings name: a table of what `git var -l` prints, and of what is found in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from coder_ws_runtime.doctor.checks.git_programs import problems
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.system.process import Completed

_DANGLING, _SIGNING = "programs.git-setting-dangling", "programs.git-signing-broken"
_SIGNS = "commit.gpgsign=true"
_NO_KEY = "gpg: error reading key: No secret key"
"""What GnuPG 2.2 and 2.4 print."""


@dataclass(frozen=True)
class Row:
    """Settings, and the codes of what is found; PATH has `tool`, and the home a file `there`."""

    said: str
    listed: tuple[str, ...]
    codes: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    gpg: str = ""
    """What gpg complains about."""


ROWS = [
    Row("nothing", ()),
    Row("an ssh that is not there", ("core.sshcommand=/opt/gone -v",), (_DANGLING,)),
    Row("an ssh that a variable overrides", ("core.sshcommand=/opt/gone",), env={"GIT_SSH_COMMAND": "ssh"}),
    Row("an ssh that is there", ("core.sshcommand=tool -o x",)),
    Row("a command for a shell", ("core.sshcommand=FOO=1 gone; true",)),
    Row("an editor of one kind of terminal", ("core.editor=code --wait",)),
    Row("an editor that is not there", ("core.editor=/opt/gone/nvim",), (_DANGLING,)),
    Row("a pager that is not there", ("core.pager=delta",), (_DANGLING,)),
    Row("the last value counts", ("core.pager=delta", "core.pager=tool")),
    Row("a certificate that is not there", ("http.sslcainfo=~/gone.pem",), (_DANGLING,)),
    Row("a certificate that is there", ("http.sslcainfo=~/there",)),
    Row("a helper of another system", ("credential.helper=osxkeychain",), (_DANGLING,)),
    Row("a helper that is forgotten", ("credential.helper=osxkeychain", "credential.helper=")),
    Row("a helper with arguments", ("credential.helper=one --timeout 9",)),
    Row("a helper that is a script", ("credential.helper=!f() { echo password=x; }; f",)),
    Row("no signatures", ("commit.gpgsign=false", "gpg.program=/opt/gone")),
    Row("no gpg", (_SIGNS,), (_SIGNING,)),
    Row("no keys of gpg at all", (_SIGNS, "gpg.program=tool"), (_SIGNING,), env={"GNUPGHOME": "/opt/gone"}),
    Row("another key", (_SIGNS, "gpg.program=tool", "user.signingkey=F00"), (_SIGNING,), gpg=_NO_KEY),
    Row("gpg that hangs", (_SIGNS, "gpg.program=tool", "user.signingkey=F00"), gpg="waiting for lock"),
    Row(
        "a key of ssh in the settings",
        (_SIGNS, "gpg.format=ssh", "user.signingkey=ssh-ed25519 A", "gpg.ssh.program=tool"),
    ),
    Row(
        "a key of ssh that is there",
        (_SIGNS, "gpg.format=ssh", "user.signingkey=~/there", "gpg.ssh.program=tool"),
    ),
    Row(
        "a key of ssh that is not",
        (_SIGNS, "gpg.format=ssh", "user.signingkey=~/gone", "gpg.ssh.program=tool"),
        (_SIGNING,),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.said)
def test_what_git_names_is_there(row: Row, tmp_path: Path) -> None:
    def run(
        argv: Sequence[str],
        *,
        timeout: float = 1.0,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
    ) -> Completed:
        assert "--list-secret-keys" in argv
        return Completed(tuple(argv), 2 if row.gpg else 0, "", row.gpg)

    def git(words: list[str]) -> Completed:
        return Completed(tuple(words), 0, "", "")

    env = {"PATH": str(tmp_path / "bin"), "GNUPGHOME": str(tmp_path)} | row.env
    context = Context.of(tmp_path, env, runner=run)
    for path in (tmp_path / "bin/tool", tmp_path / "bin/git-credential-one", context.layout.home / "there"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o755)
    found = [item.code for item in problems(context, "\n".join(row.listed), git)]
    assert tuple(found) == row.codes
