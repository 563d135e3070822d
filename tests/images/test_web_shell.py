"""web-shell in a booted workspace: what the settings say, its terminals, and what ends them."""

import json
from typing import Any

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces

CLONE = "/home/coder/projects/clone"
TITLE = 'Ada\'s <dev> & "co"'
STATE = "/home/coder/.cache/web-shell/sessions"
# It may have only just been started.
CURL = "curl -fsS --retry 60 --retry-connrefused --retry-delay 1"
# Types a line into a terminal, and prints what comes back until a mark that is printed after it.
TYPE = """
import { createRequire } from "node:module";
const require = createRequire("/usr/local/share/web-shell/lib/node_modules/web-shell/package.json");
const { WebSocket } = require("ws");
const [, , id, line] = process.argv;
const socket = new WebSocket(`ws://127.0.0.1:4000/api/sessions/${id}/stream`);
let shown = "";
// What is typed is shown, too: there the mark has quotes. What was shown before may have another one.
const data = `${line}; echo 'end'-${process.pid}\\r`;
socket.on("open", () => { socket.send(JSON.stringify({ type: "input", data })); });
socket.on("message", (text) => {
  shown += JSON.parse(text).data ?? "";
  if (shown.includes(`end-${process.pid}`)) process.stdout.write(shown, () => process.exit(0));
});
setTimeout(() => process.stderr.write(shown, () => process.exit(1)), 60000);
"""


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Workspace:
    space = spaces.new("web")
    space.settings["web_shell"] = {"directory": CLONE, "title": TITLE}
    return space.boot()


def ask(space: Workspace, *words: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads(space.out(f"{CURL} {' '.join(words)} http://127.0.0.1:4000/api/sessions"))


def terminal(space: Workspace) -> str:
    identifier: str = ask(space, "-X POST")["id"]
    return identifier


def typed(space: Workspace, identifier: str, line: str) -> str:
    """What a terminal shows after a line."""
    done = space.exec("node", "--input-type=module", "-", identifier, line, stdin=TYPE.encode())
    assert done.returncode == 0, done.stderr
    return done.stdout


def shell(space: Workspace, identifier: str) -> str:
    return space.out(f"cat {STATE}/{identifier}.pid")


def test_it_answers_on_loopback_only(space: Workspace) -> None:
    assert ask(space) == []
    listening = space.out("ss -Hltn 'sport = :4000' | awk '{print $4}'")
    assert listening == "127.0.0.1:4000"


def test_the_doctor_is_content(space: Workspace) -> None:
    report = json.loads(space.out("ws-doctor --json --only network.web-shell"))
    assert [check["status"] for check in report["checks"]] == ["ok"]


def test_the_page_has_the_title(space: Workspace) -> None:
    page = space.out("curl -fsS http://127.0.0.1:4000/")
    assert "Ada's &#60;dev&#62; &#38; &#34;co&#34;" in page


def test_a_terminal_begins_in_the_home_until_the_directory_is_there(space: Workspace) -> None:
    assert "in=/home/coder." in typed(space, terminal(space), "echo in=$PWD.")
    space.out(f"mkdir -p {CLONE}")
    assert f"in={CLONE}." in typed(space, terminal(space), "echo in=$PWD.")


def test_a_terminal_is_a_login_shell_of_the_user(space: Workspace) -> None:
    shown = typed(space, terminal(space), "shopt login_shell; echo $(id -un) $SHELL; nvm current")
    assert "login_shell    \ton" in shown
    assert "coder /bin/bash" in shown
    assert space.out("nvm current") in shown


def test_another_directory_that_is_asked_for(space: Workspace) -> None:
    identifier = ask(space, '-X POST -d \'{"cwd": "/tmp"}\'')["id"]
    assert "in=/tmp." in typed(space, identifier, "echo in=$PWD.")


def test_terminals_outlive_the_server(space: Workspace) -> None:
    identifier = terminal(space)
    typed(space, identifier, "mine=kept")
    before = shell(space, identifier)
    for how in ("systemctl restart web-shell", "systemctl kill --kill-whom=main -s KILL web-shell; sleep 4"):
        space.out(how, user="root")
        assert identifier in [session["id"] for session in ask(space)]
    assert shell(space, identifier) == before
    assert "mine=kept." in typed(space, identifier, "echo mine=$mine.")


def test_the_state_is_this_workspace_s(space: Workspace) -> None:
    place = space.out("readlink -f ~/.cache/web-shell")
    assert place == f"/mnt/home-persist/.workspaces/{space.workspace_id}/.cache/web-shell"


def test_terminals_do_not_hold_up_a_stop(space: Workspace) -> None:
    """And what was of the last container is no terminal of the next."""
    ids = {terminal(space), terminal(space)}
    space.stop()
    assert space.engine.inspect(space.container)["State"]["ExitCode"] == 130
    space.start()
    space.out(f"{CURL} http://127.0.0.1:4000/; sleep 1")
    assert not ids & {session["id"] for session in ask(space)}


def test_settings_that_are_not_valid_leave_the_terminals(spaces: Spaces) -> None:
    """Whoever has to mend them needs one."""
    space = spaces.new("web-broken")
    space.settings["web_shell"] = {"directory": "relative"}
    space.boot()
    assert "in=/home/coder" in typed(space, terminal(space), "echo in=$PWD.")
    assert "web_shell" in space.out("journalctl -o cat -u web-shell", user="root")
