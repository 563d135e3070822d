"""The rooms of the package and what each imports of the others, as a diagram; see docs/architecture.md."""

from collections.abc import Iterable

import grimp

PACKAGE = "coder_ws_runtime"
_OPEN = ("persist", "boot", "doctor", "cli")
"""Packages whose own parts are drawn; each of the others is one room."""
_BEGIN = "<!-- begin of the diagram: ./dev docs draws it from the imports -->"
_END = "<!-- end of the diagram -->"


def room(module: str) -> str:
    """The room of a module: ``persist/store``, ``persist`` for its verbs, ``fs``, or the root's own name."""
    parts = module.split(".")[1:]
    if not parts:
        return "root"
    if parts[0] in _OPEN and len(parts) > 2:
        return f"{parts[0]}/{parts[1]}"
    return parts[0]


def edges() -> set[tuple[str, str]]:
    """Which room imports which other one, annotations left out."""
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=True, cache_dir=None)
    found: set[tuple[str, str]] = set()
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            pair = room(module), room(imported)
            if pair[0] != pair[1]:
                found.add(pair)
    return found


def diagram(inside: str = "persist") -> str:
    """The rooms inside of one package, and the arrows between them, in Mermaid's language.

    Args:
        inside: the package.
    """
    arrows = [(here, there) for here, there in edges() if _is_in(here, inside) and _is_in(there, inside)]
    return _mermaid(arrows)


def overview() -> str:
    """The packages and the arrows between them."""
    tops = {(here.partition("/")[0], there.partition("/")[0]) for here, there in edges()}
    plain = {"dataclass", "errors", "text", "layout", "identity", "root", "_version"}
    return _mermaid([pair for pair in tops if pair[0] != pair[1] and not plain & set(pair)])


def _is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}/")


def _mermaid(arrows: Iterable[tuple[str, str]]) -> str:
    lines = [f"  {_id(here)}[{here}] --> {_id(there)}[{there}]" for here, there in sorted(arrows)]
    return "\n".join(["```mermaid", "flowchart TD", *lines, "```"])


def _id(name: str) -> str:
    return name.replace("/", "_")


def with_diagrams(page: str) -> str:
    """A page with its diagrams drawn again, between their marks: the overview first, then persist's."""
    head, _, rest = page.partition(_BEGIN)
    middle, _, tail = rest.partition(_END)
    between, _, rest = tail.partition(_BEGIN)
    last = rest.partition(_END)[2]
    del middle
    return f"{head}{_BEGIN}\n\n{overview()}\n\n{_END}{between}{_BEGIN}\n\n{diagram()}\n\n{_END}{last}"
