"""The light dataclasses give what the standard library's give, on the same classes."""

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from coder_ws_runtime import dataclass as light
from devtools.shell import ROOT

KINDS = (dataclasses, light)
Kinds = dict[str, type[Any]]


def _classes(kind: Any) -> Kinds:  # noqa: ANN401 - one module or the other
    @kind.dataclass(frozen=True, slots=True)
    class Inner:
        """The inner one."""

        a: int
        b: str = "b"

    @kind.dataclass(frozen=True, slots=True)
    class Outer(Inner):
        inner: "list[Inner]" = kind.field(default_factory=list)
        many: tuple[Inner, ...] = ()
        rules: dict[str, int] = kind.field(default_factory=dict, metadata={"ge": 1})

        def double(self) -> int:
            return self.a * 2

    @kind.dataclass(slots=True)
    class Mutable:
        items: list[object] = kind.field(default_factory=list)

    @kind.dataclass
    class Open:
        a: int = 1

    @kind.dataclass(frozen=True, slots=True, order=True)
    class Place:
        depth: int
        name: str

    @kind.dataclass(frozen=True, slots=True)
    class Empty:
        """Has no fields."""

    return {made.__name__: made for made in (Inner, Outer, Mutable, Open, Place, Empty)}


CASES: dict[str, Callable[[Kinds, Any], object]] = {
    "repr": lambda its, _: repr(its["Outer"](1, many=(its["Inner"](2),))).replace("_classes.<locals>.", ""),
    "repr of none": lambda its, _: repr(its["Empty"]()).replace("_classes.<locals>.", ""),
    "positions and names": lambda its, _: its["Outer"](1, "x").b,
    "a method": lambda its, _: its["Outer"](4).double(),
    "equal": lambda its, _: its["Outer"](1) == its["Outer"](1),
    "not equal": lambda its, _: its["Outer"](1) == its["Outer"](2),
    "of another class": lambda its, _: its["Inner"](1) == its["Place"](1, "b"),
    "of a subclass": lambda its, _: its["Inner"](1) == its["Outer"](1),
    "no fields, equal": lambda its, _: its["Empty"]() == its["Empty"](),
    "hash": lambda its, _: hash(its["Inner"](1)) == hash(its["Inner"](1)),
    "in a set": lambda its, _: len({its["Inner"](1), its["Inner"](1), its["Inner"](2)}),
    "hash of a mutable": lambda its, _: hash(its["Mutable"]()),
    "hash of a list in it": lambda its, _: hash(its["Place"](1, [])),
    "a list of its own": lambda its, _: its["Mutable"]().items is its["Mutable"]().items,
    "none given": lambda its, _: its["Inner"](),
    "too many": lambda its, _: its["Inner"](1, 2, 3),
    "unknown": lambda its, _: its["Inner"](1, c=2),
    "frozen": lambda its, _: setattr(its["Inner"](1), "a", 2),
    "frozen, deleted": lambda its, _: delattr(its["Inner"](1), "a"),
    "mutable": lambda its, _: setattr(its["Mutable"](), "items", [1]),
    "slots": lambda its, _: setattr(its["Mutable"](), "other", 1),
    "no slots": lambda its, _: setattr(its["Open"](), "other", 1),
    "default of the class": lambda its, _: its["Open"].a,
    "order": lambda its, _: [one.name for one in sorted(its["Place"](n, f"{n}") for n in (3, 1, 2))],
    "order by the second": lambda its, _: its["Place"](1, "a") <= its["Place"](1, "b"),
    "order of others": lambda its, _: its["Place"](1, "a") < its["Inner"](1),
    "replace": lambda its, kind: kind.replace(its["Outer"](1), a=5).a,
    "replace keeps": lambda its, kind: kind.replace(its["Outer"](1, "x"), a=5).b,
    "replace unknown": lambda its, kind: kind.replace(its["Inner"](1), c=5),
    "asdict": lambda its, kind: kind.asdict(its["Outer"](1, many=(its["Inner"](2),), rules={"a": 1})),
    "fields": lambda its, kind: [(one.name, one.type) for one in kind.fields(its["Inner"])],
    "rules": lambda its, kind: [dict(one.metadata) for one in kind.fields(its["Outer"])],
    "is one": lambda its, kind: [kind.is_dataclass(what) for what in (its["Inner"], its["Inner"](1), 1, int)],
    "match": lambda its, _: its["Inner"].__match_args__,
    "doc": lambda its, _: its["Inner"].__doc__,
}


def _outcome(case: Callable[[Kinds, Any], object], kind: Any) -> object:  # noqa: ANN401 - as above
    try:
        return case(_classes(kind), kind)
    except (TypeError, AttributeError) as error:
        # A frozen one raises an AttributeError of its own.
        return AttributeError if isinstance(error, AttributeError) else TypeError


@pytest.mark.parametrize("name", CASES)
def test_it_gives_what_the_standard_library_s_gives(name: str) -> None:
    theirs, ours = (_outcome(CASES[name], kind) for kind in KINDS)
    assert ours == theirs


def test_nothing_is_compiled_before_the_first_instance() -> None:
    """That, and not loading inspect, is what it is for."""
    program = (
        "import builtins, sys\n"
        "compiled = []\n"
        "real = builtins.exec\n"
        "builtins.exec = lambda text, *names: (compiled.append(text), real(text, *names))\n"
        "from coder_ws_runtime.dataclass import dataclass\n"
        "@dataclass(frozen=True, slots=True)\n"
        "class A:\n"
        "    a: int = 1\n"
        "before = sum(isinstance(text, str) for text in compiled)\n"
        "A(); A()\n"
        "print(before, sum(isinstance(text, str) for text in compiled))\n"
        "print('inspect' in sys.modules, 'typing' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "0 1\nFalse False\n"
