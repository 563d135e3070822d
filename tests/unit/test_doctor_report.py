"""What the doctor prints: for people, for programs, for Coder's metadata."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from coder_ws_runtime.cli import commands, contract, render
from coder_ws_runtime.cli.ws_doctor import main as command
from coder_ws_runtime.cli.ws_doctor import text as doctor_text
from coder_ws_runtime.cli.ws_doctor.main import ws_doctor
from coder_ws_runtime.doctor.catalogue import CHECKS
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Check, Result
from coder_ws_runtime.doctor.findings import (
    Finding,
    Remedy,
    Status,
    Verdict,
    Where,
    failure,
    found,
    ok,
    skipped,
    warning,
)
from coder_ws_runtime.doctor.fixes import safe_fixes
from coder_ws_runtime.doctor.report import as_json
from coder_ws_runtime.doctor.selection import select
from coder_ws_runtime.errors import UsageError
from tests.harness.documents import check_document


def result(id_: str, verdict: Verdict) -> Result:
    return Result(Check(id_, "", lambda _: verdict), verdict, 0.1)


SAFE = Remedy("link it", ("home-persist resolve",), safe=True)
BROKEN = [
    result("system.pid1", ok("systemd is PID 1")),
    result(
        "docker.socket",
        found([failure("a.b", "it is gone", Remedy("restart", ("coder restart x",), Where.CLIENT))], ""),
    ),
    result(
        "home.links", found([failure("a.b", "~/a", SAFE, evidence=["e"]), failure("a.b", "~/b", SAFE)], "")
    ),
    result("tools.node", skipped("not part of this image")),
    result("tools.npm", skipped("not part of this image")),
    result("network.coder", Verdict(Status.CRASHED, "the check did not end within 5 s")),
    result("disk.tmp", found([warning("a.b", "it is small")], "")),
]


def test_a_report_validates_against_the_schema(tmp_path: Path) -> None:
    fixes = [{"command": "home-persist resolve", "checks": ["home.links"], "status": 0}]
    document = as_json(BROKEN, Context.of(tmp_path, {}), 0.5, fixes)
    check_document(json.dumps(document))
    assert document["counts"] == {"ok": 1, "skipped": 2, "warning": 1, "failure": 2, "crashed": 1}


def test_the_schema_refuses_what_is_no_report() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"document": "ws-doctor", "version": 3}, contract.schema("ws-doctor"))


def text(results: list[Result], *, quiet: bool = False, verbose: bool = False, columns: int = 0) -> str:
    lines = doctor_text.lines(results, 0.25, quiet=quiet, verbose=verbose, columns=columns)
    return "\n".join(map(render.plain, lines))


def test_sentences_are_broken_for_a_terminal_and_commands_are_not() -> None:
    remedy = Remedy("see what fills it, and remove what is not needed", ("du -xh --max-depth=2 /mnt | sort",))
    wrong = found([failure("a.b", "the volume of the home has no room for what is saved", remedy)], "")
    lines = doctor_text.lines([result("disk.volume", wrong)], 0.0, columns=44)
    assert [render.plain(line) for line in lines][:6] == [
        "✗ disk.volume",
        "    the volume of the home has no room for",
        "      what is saved",
        "    fix: see what fills it, and remove what",
        "      is not needed",
        "      $ du -xh --max-depth=2 /mnt | sort",
    ]


def test_a_warning_beside_a_failure_says_so() -> None:
    wrong = found([failure("a.b", "it failed"), warning("a.b", "it will bite")], "")
    assert "✗ a.b\n    it failed\n    warning: it will bite\n" in text([result("a.b", wrong)])


def test_the_remedy_stands_under_its_finding() -> None:
    assert """\
✗ home.links
    ~/a
      e
    ~/b
    fix: link it
      $ home-persist resolve
""" in text(BROKEN)


def test_what_is_well_in_a_category_takes_one_line() -> None:
    names = ("docker.cli", "docker.socket", "docker.server", "home.links", "home.volume")
    wrong = result("docker.group", found([failure("a.b", "it is missing")], ""))
    results = [result(name, ok("well")) for name in names]
    assert text([*results[:2], wrong, *results[2:]]).splitlines()[:4] == [
        "✓ docker.cli, socket, server",
        "✗ docker.group",
        "    it is missing",
        "✓ home.links, volume",
    ]


def test_verbose_says_what_each_check_saw() -> None:
    told = text(BROKEN, verbose=True)
    assert "system\n  ✓ system.pid1    systemd is PID 1\n" in told
    assert "tools\n  - tools.node     not part of this image\n  - tools.npm " in told
    assert "  ✗ home.links\n      ~/a\n        e\n      ~/b\n      fix: link it\n" in told


def test_a_check_that_crashed_says_how() -> None:
    assert "✗ network.coder: the check did not end within 5 s" in text(BROKEN)


def test_what_is_skipped_for_one_reason_takes_one_line() -> None:
    assert "- tools.node, npm: not part of this image" in text(BROKEN)


def test_a_remedy_says_where_it_is_to_be_done() -> None:
    assert "fix: restart (where you are logged in to Coder)" in text(BROKEN)


def test_the_total() -> None:
    assert text(BROKEN).endswith("7 checks in 0.25 s: 1 ok, 3 failed, 1 warning, 2 skipped")


def test_what_is_to_be_done_elsewhere_afterwards_has_lines_of_its_own() -> None:
    after = Remedy("then restart the workspace", ("coder restart x",), Where.CLIENT)
    remedy = Remedy("start it", ("sudo systemctl start docker",), Where.HOST, then=after)
    wrong = found([failure("a.b", "it is gone", remedy)], "")
    assert """\
    fix: start it (on the Docker host)
      $ sudo systemctl start docker
    then: restart the workspace (where you are logged in to Coder)
      $ coder restart x
""" in text([result("a.b", wrong)])


def test_a_screen_has_the_findings_first_and_fits() -> None:
    lines = [render.plain(line) for line in doctor_text.screen(BROKEN, columns=40, rows=6)]
    assert lines[0] == "✗ docker.socket"
    assert len(lines) == 6
    assert lines[-1].startswith("… ")
    assert max(map(len, lines)) <= 40
    whole = [render.plain(line) for line in doctor_text.screen(BROKEN, columns=80, rows=99)]
    assert whole.index("! disk.tmp") > whole.index("✗ home.links")
    assert whole.index("✓ system.pid1") > whole.index("! disk.tmp")
    assert not whole[-1].startswith("…")


def test_quiet_says_only_what_is_wrong() -> None:
    quiet = text(BROKEN, quiet=True)
    assert "pid1" not in quiet
    assert "tools" not in quiet
    assert "home.links" in quiet


def test_a_healthy_workspace_fits_one_screen() -> None:
    # A terminal as small as they come, with three lines for two prompts and the command; and each of the
    # categories may have skipped something.
    healthy = [Result(item, ok("well"), 0.0) for item in CHECKS]
    categories = {item.category for item in CHECKS}
    skipped_ = [result(f"{category}.more", skipped("why")) for category in categories]
    by_category = sorted([*healthy, *skipped_], key=lambda item: item.check.category)
    lines = text(by_category, columns=80).splitlines()
    assert len(lines) <= 24 - 3
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("results", "line"),
    [
        pytest.param(BROKEN[:1], "well", id="healthy"),
        pytest.param(
            BROKEN,
            "3 failed, 1 warning: docker.socket, home.links, network.coder, disk.tmp",
            id="the worst first",
        ),
    ],
)
def test_metadata_is_one_line(results: list[Result], line: str) -> None:
    assert doctor_text.metadata(results) == line


def test_metadata_is_short_however_much_is_wrong() -> None:
    wrong = [Result(item, found([failure("a.b", "bad")], ""), 0.0) for item in CHECKS]
    line = doctor_text.metadata(wrong)
    assert len(line) <= 120
    assert len(line.encode()) <= 2048, "what Coder takes (coderd/agentapi/metadata.go there)"
    assert "\n" not in line


def test_changes_are_told_once() -> None:
    now = [result("a.b", found([failure("a.b", "bad")], ""))]
    well = [result("a.b", ok("well"))]
    assert any("bad" in line for line in doctor_text.changes([], now))
    assert list(doctor_text.changes(now, now)) == []
    assert any("well" in line for line in doctor_text.changes(now, well))
    assert list(doctor_text.changes(well, well)) == []


def test_safe_remedies_are_applied_once_and_others_never() -> None:
    unsafe = found([failure("a.b", "x", Remedy("y", ("rm -rf /",)))], "")
    assert [(item.command, item.checks) for item in safe_fixes([*BROKEN, result("a.b", unsafe)])] == [
        ("home-persist resolve", ("home.links",))
    ]


def test_the_agent_is_started_when_the_rest_is_fixed() -> None:
    def restarts(id_: str, unit: str) -> Result:
        return result(
            id_, found([failure("a.b", "x", Remedy("y", (f"systemctl restart {unit}",), safe=True))], "")
        )

    wrong = [restarts("agent.process", "coder-agent"), restarts("docker.socket", "ws-docker-group")]
    assert [item.checks for item in safe_fixes(wrong)] == [("docker.socket",), ("agent.process",)]


SELECTION = [
    Check(id_, "", lambda _: ok("")) for id_ in ("docker.cli", "docker.socket", "home.links", "disk.tmp")
]


@pytest.mark.parametrize(
    ("only", "ignore", "ids"),
    [
        pytest.param([], [], ["docker.cli", "docker.socket", "home.links", "disk.tmp"], id="all"),
        pytest.param(["docker"], [], ["docker.cli", "docker.socket"], id="category"),
        pytest.param(["home.links"], [], ["home.links"], id="id"),
        pytest.param(["*.tmp,home.links"], [], ["home.links", "disk.tmp"], id="pattern and comma"),
        pytest.param(["docker"], ["docker.cli"], ["docker.socket"], id="but"),
        pytest.param([], ["d*"], ["home.links"], id="ignored by pattern"),
    ],
)
def test_selection(only: list[str], ignore: list[str], ids: list[str]) -> None:
    assert [item.id for item in select(SELECTION, only, ignore)] == ids


def test_what_the_environment_ignores_is_ignored_beside_the_option() -> None:
    assert [item.id for item in select(SELECTION, [], ["docker"], ["home"])] == ["disk.tmp"]
    with pytest.raises(UsageError) as refused:
        select(SELECTION, [], [], ["foo"])
    assert (refused.value.code, refused.value.place) == ("cli.usage", "WS_DOCTOR_IGNORE")
    assert "'foo'" in refused.value.message


def test_a_selection_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(UsageError) as refused:
        select(SELECTION, ["home"], ["home"])
    assert (refused.value.code, refused.value.place) == ("cli.usage", "--ignore")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        pytest.param("links", "did you mean 'home.links'?", id="without the category"),
        pytest.param("dokcer", "did you mean 'docker'?", id="mistyped"),
        pytest.param("§", "ws-doctor --list shows them all", id="nothing near"),
    ],
)
def test_an_unknown_check_is_refused_with_the_nearest(word: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        select(SELECTION, [word], [])
    assert refused.value.hint == hint


# The command --------------------------------------------------------------------------------------


def run(tmp_path: Path, *args: str, **env: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from coder_ws_runtime.cli.ws_doctor.main import main; raise SystemExit(main())",
            "--root",
            str(tmp_path),
            *args,
        ],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd(), "LANG": "C.UTF-8", **env},
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_an_empty_tree_is_looked_over_without_a_crash(tmp_path: Path) -> None:
    status, out, _ = run(tmp_path, "--json")
    document = check_document(out)
    assert status == 1
    assert [item["id"] for item in document["checks"] if item["status"] == "crashed"] == []
    assert {item["id"] for item in document["checks"] if item["status"] == "failure"} == {
        "agent.init-script",
        "home.home",
        "home.volume",
        "system.settings",
    }


def test_strict_counts_warnings(tmp_path: Path) -> None:
    # Without a document, and with an id.
    assert run(tmp_path, "--only", "system.settings", CODER_WORKSPACE_ID="x")[0] == 0
    assert run(tmp_path, "--only", "system.settings", "--strict", CODER_WORKSPACE_ID="x")[0] == 1


def test_a_check_that_crashes_is_a_failure_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def raises(_: Context) -> Verdict:
        raise KeyError("nobody thought of this")

    monkeypatch.setattr(
        command, "CHECKS", (Check("disk.bad", "", raises), Check("disk.good", "", lambda _: ok("well")))
    )
    assert commands.run(ws_doctor, ["--root", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "✗ disk.bad: the check itself failed: KeyError: 'nobody thought of this'" in told
    assert told.splitlines()[-1].endswith("1 ok, 1 failed")


def test_metadata_always_succeeds(tmp_path: Path) -> None:
    status, out, _ = run(tmp_path, "--metadata")
    assert (status, len(out.splitlines())) == (0, 1)


def test_what_is_ignored_by_the_environment_and_by_the_option(tmp_path: Path) -> None:
    words = ["--list", "--json", "--ignore", "docker", "--ignore", "system"]
    listed = json.loads(run(tmp_path, *words, WS_DOCTOR_IGNORE="home disk.tmp")[1])
    ids = {item["id"] for item in listed["checks"]}
    assert ids
    assert not [id_ for id_ in ids if id_.startswith(("docker.", "system.", "home.")) or id_ == "disk.tmp"]


def test_usage_errors(tmp_path: Path) -> None:
    status, _, err = run(tmp_path, "--metadata", "--json")
    assert status == 2
    assert "--metadata and --json " in err
    assert run(tmp_path, "--only", "nothing.such")[0] == 2
    assert run(tmp_path, "--only", "")[0] == 2, "an unset variable of a script is not all of them"


def test_without_a_terminal_there_are_no_colours(tmp_path: Path) -> None:
    assert "\x1b" not in run(tmp_path)[1]


def test_list_names_every_check(tmp_path: Path) -> None:
    listed = check_document(run(tmp_path, "--list", "--json")[1])
    assert [item["id"] for item in listed["checks"]] == [item.id for item in CHECKS]
    assert all(item["explanation"] for item in listed["checks"])


def test_the_schema_is_printed(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from coder_ws_runtime.cli.ws_doctor.main import main; raise SystemExit(main())",
            "schema",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == contract.schema("ws-doctor")


def test_the_command_keeps_heavy_libraries_out_of_its_start() -> None:
    code = "import sys; import coder_ws_runtime.cli.ws_doctor.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"pydantic", "watchdog", "javaproperties", "ssl", "http.client", "urllib.request"} & set(
        done.stdout.split()
    ) == set()
    assert ws_doctor.name == "ws-doctor"


def test_findings_are_warnings_or_failures() -> None:
    made: list[Finding] = [warning("a.b", "w"), failure("a.b", "f")]
    assert [item.status for item in made] == [Status.WARNING, Status.FAILURE]
