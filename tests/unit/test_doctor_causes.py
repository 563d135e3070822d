"""One cause, one finding: which findings are left out beside which."""

import pytest

from coder_ws_runtime.doctor.catalogue import CHECKS
from coder_ws_runtime.doctor.causes import CAUSES, without_consequences
from coder_ws_runtime.doctor.engine import Check, Result
from coder_ws_runtime.doctor.findings import Finding, Status, Verdict, failure, found, ok, warning

_HOME = "/home/coder"


def result(id_: str, *findings: Finding) -> Result:
    verdict = found(findings, "well")
    return Result(Check(id_, "", lambda _: verdict), verdict, 0.1)


def left(*results: Result) -> list[str]:
    return [finding.code for item in without_consequences(results) for finding in item.verdict.findings]


def finding(code: str, about: str = "") -> Finding:
    return failure(code, "it is wrong", about=about)


@pytest.mark.parametrize(
    ("cause", "consequence"),
    [
        ("home.volume-frozen", finding("home.link-missing")),
        ("home.volume-closed", finding("home.daemon-failed")),
        ("home.volume-read-only", finding("jetbrains.settings-missing")),
        ("home.volume-closed", finding("disk.volume-full")),
        ("home.manifest-refused", finding("system.unit-refused", "home-persist-resolve.service")),
        ("home.volume-missing", finding("system.unit-no-volume", "home-persist-resolve.service")),
        ("system.hook-failed", finding("system.unit-refused", "ws-hooks.service")),
        ("docker.socket-stale", finding("system.unit-refused", "ws-docker-group.service")),
        ("docker.socket-silent", finding("docker.server-silent")),
        ("disk.tmp-noexec", finding("agent.restarting")),
        ("agent.script-unreadable", finding("agent.restarting")),
        ("network.coder-unreachable", finding("agent.download-fails")),
        ("network.resolver-dead", finding("network.name-unknown")),
        ("disk.volume-full", finding("home.unsaved-key")),
    ],
)
def test_a_consequence_is_left_out_and_its_check_names_the_cause(cause: str, consequence: Finding) -> None:
    results = without_consequences([result("b.second", consequence), result("a.first", finding(cause))])
    assert [item.verdict.status for item in results] == [Status.SKIPPED, Status.FAILURE]
    assert results[0].verdict.cause == cause
    assert left(result("b.second", consequence)) == [consequence.code], "alone it is the finding"


def test_another_step_s_refusal_is_no_consequence() -> None:
    refused = finding("system.unit-refused", "ws-jetbrains.service")
    hook = finding("system.hook-failed")
    assert left(result("a.b", refused), result("a.c", hook)) == [refused.code, hook.code]


@pytest.mark.parametrize(
    ("place", "codes"),
    [
        pytest.param(f"{_HOME}/.config", ["home.owner-foreign"], id="above"),
        pytest.param(f"{_HOME}/.config/gh", ["home.owner-foreign"], id="the same"),
        pytest.param(_HOME, ["home.owner-foreign"], id="the home"),
        pytest.param(f"{_HOME}/.cache", ["home.owner-foreign", "home.link-missing"], id="beside"),
        pytest.param(
            f"{_HOME}/.conf", ["home.owner-foreign", "home.link-missing"], id="a name that begins so"
        ),
    ],
)
def test_an_owner_explains_what_is_below(place: str, codes: list[str]) -> None:
    link = finding("home.link-missing", f"{_HOME}/.config/gh")
    assert left(result("a.b", finding("home.owner-foreign", place)), result("a.c", link)) == codes


def test_what_is_not_a_consequence_stays_beside_it() -> None:
    mixed = result("a.b", finding("home.unsaved-key"), warning("other.thing", "it is odd"))
    verdicts = without_consequences([mixed, result("a.c", finding("disk.volume-full"))])
    assert [item.code for item in verdicts[0].verdict.findings] == ["other.thing"]
    assert verdicts[0].verdict.status is Status.WARNING


def test_a_check_that_crashed_on_an_unusable_volume_is_a_consequence() -> None:
    crashed = Verdict(Status.CRASHED, "PermissionError")
    home = Result(Check("home.links", "", lambda _: crashed), crashed, 0.1)
    other = Result(Check("docker.cli", "", lambda _: crashed), crashed, 0.1)
    results = without_consequences([home, other, result("home.volume", finding("home.volume-closed"))])
    assert [item.verdict.status for item in results] == [Status.SKIPPED, Status.CRASHED, Status.FAILURE]


def test_nothing_is_left_out_of_a_healthy_run() -> None:
    results = [Result(item, ok("well"), 0.0) for item in CHECKS]
    assert without_consequences(results) == results


def test_no_two_findings_are_each_other_s_causes() -> None:
    """Both would be left out."""
    named = list({*CAUSES, *(cause for causes in CAUSES.values() for cause in causes)})
    plain = [code.replace("*", "x") for code in named]
    pairs = [(one, two) for one in plain for two in plain if one < two]
    vanished = [
        pair for pair in pairs if not left(result("a.b", finding(pair[0])), result("a.c", finding(pair[1])))
    ]
    assert vanished == []
