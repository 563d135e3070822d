"""The engine: limits, needs, crashes, order."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from coder_ws_runtime.doctor.catalogue import CHECKS
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Check, Need, check, examine
from coder_ws_runtime.doctor.findings import Finding, Status, Verdict, failure, found, ok, warning


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context.of(tmp_path, {})


def statuses(checks: list[Check], context: Context) -> dict[str, Status]:
    return {item.check.id: item.verdict.status for item in examine(checks, context)}


def test_results_come_in_the_order_of_the_checks(context: Context) -> None:
    def slow(_: Context) -> Verdict:
        time.sleep(0.05)
        return ok("slow")

    checks = [Check("a.slow", "", slow), Check("b.quick", "", lambda _: ok("quick"))]
    assert [item.check.id for item in examine(checks, context)] == ["a.slow", "b.quick"]


def test_checks_run_at_once(context: Context) -> None:
    together = threading.Barrier(3, timeout=5)

    def meets(_: Context) -> Verdict:
        together.wait()
        return ok("all three are here")

    checks = [Check(f"a.{number}", "", meets, limit=10) for number in range(3)]
    assert set(statuses(checks, context).values()) == {Status.OK}


def test_a_check_that_raises_is_one_crash(context: Context) -> None:
    def raises(_: Context) -> Verdict:
        raise KeyError("nobody thought of this")

    checks = [Check("a.bad", "", raises), Check("a.good", "", lambda _: ok("well"))]
    results = examine(checks, context)
    assert [item.verdict.status for item in results] == [Status.CRASHED, Status.OK]
    assert "KeyError" in results[0].verdict.summary
    assert "nobody thought of this" in results[0].verdict.summary
    assert "test_doctor_engine.py:" in results[0].verdict.summary


def test_a_check_that_does_not_end_is_cut_off_by_its_own_limit(context: Context) -> None:
    release = threading.Event()

    def waits(_: Context) -> Verdict:
        release.wait(20)
        return ok("too late")

    checks = [Check("a.stuck", "", waits, limit=0.1), Check("a.good", "", lambda _: ok("well"), limit=10)]
    began = time.monotonic()
    results = examine(checks, context)
    release.set()
    assert time.monotonic() - began < 5
    assert [item.verdict.status for item in results] == [Status.CRASHED, Status.OK]
    assert "0.1 s" in results[0].verdict.summary


def test_a_user_who_waits_learns_for_what(context: Context) -> None:
    release = threading.Event()
    told: list[tuple[str, ...]] = []

    def waits(_: Context) -> Verdict:
        release.wait(20)
        return ok("at last")

    def say(ids: Sequence[str]) -> None:
        told.append(tuple(ids))
        if told[-1] == ("a.slow",):  # before, the quick one may not have got the processor yet
            release.set()

    checks = [Check("a.slow", "", waits), Check("a.quick", "", lambda _: ok("well"))]
    results = examine(checks, context, waiting=say, patience=0.05)
    assert [item.verdict.status for item in results] == [Status.OK, Status.OK]
    assert "a.slow" in told[0]
    assert ("a.slow",) in told
    assert told[-1] == (), "at last the line can be erased"


def test_nobody_is_told_of_checks_that_are_quick(context: Context) -> None:
    told: list[Sequence[str]] = []
    examine([Check("a.quick", "", lambda _: ok("well"))], context, waiting=told.append, patience=5)
    assert told == []


def test_a_check_whose_need_is_missing_is_skipped_with_the_reason(context: Context) -> None:
    def never(_: Context) -> Verdict:
        raise AssertionError

    result = examine([Check("a.b", "", never, needs=(Need.SYSTEMD,))], context)[0]
    assert result.verdict.status is Status.SKIPPED
    assert result.verdict.summary == Need.SYSTEMD.value


@pytest.mark.parametrize(
    ("made", "status"),
    [
        pytest.param(ok("well"), Status.OK, id="nothing"),
        pytest.param(found([failure("a.f", "f")], ""), Status.SKIPPED, id="a consequence"),
    ],
)
def test_where_nobody_made_it_what_is_wrong_is_a_consequence(
    made: Verdict, status: Status, context: Context
) -> None:
    result = examine([Check("a.b", "", lambda _: made, made_by=Need.SYSTEMD)], context)[0]
    assert result.verdict.status is status


def test_a_fact_is_found_out_once(context: Context) -> None:
    asked = []

    def question(_: Context) -> int:
        asked.append(1)
        time.sleep(0.02)
        return 42

    def asks(context: Context) -> Verdict:
        return ok(str(context.ask(question)))

    results = examine([Check(f"a.{number}", "", asks) for number in range(8)], context)
    assert {item.verdict.summary for item in results} == {"42"}
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("findings", "status", "summary"),
    [
        pytest.param([], Status.OK, "all well", id="nothing"),
        pytest.param([warning("a.w", "w")], Status.WARNING, "w", id="a warning"),
        pytest.param(
            [warning("a.w", "w"), failure("a.f", "f")],
            Status.FAILURE,
            "f (and 1 more)",
            id="the worst counts",
        ),
    ],
)
def test_what_was_found_makes_the_status(findings: list[Finding], status: Status, summary: str) -> None:
    verdict = found(findings, "all well")
    assert (verdict.status, verdict.summary) == (status, summary)


def test_the_decorator_makes_a_check() -> None:
    @check("docker.thing", "a thing", needs=[Need.LIVE], limit=2)
    def thing(_: Context) -> Verdict:
        return ok("")

    assert (thing.id, thing.category, thing.needs, thing.limit) == ("docker.thing", "docker", (Need.LIVE,), 2)


def test_ids_are_unique_and_categories_lie_together() -> None:
    ids = [item.id for item in CHECKS]
    assert len(set(ids)) == len(ids)
    categories = [item.category for item in CHECKS]
    assert [
        name for name, before in zip(categories, ["", *categories], strict=False) if name != before
    ] == list(dict.fromkeys(categories))


def test_every_check_has_a_docstring_for_its_documentation() -> None:
    assert [item.id for item in CHECKS if not item.function.__doc__ or not item.title] == []
