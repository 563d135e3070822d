"""Which findings are consequences of others: one cause leads to one finding, about the cause.

The table works on codes. A finding is left out if one of its causes was found in the same run. A check
without any other finding is skipped, and names the cause.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from coder_ws_runtime.dataclass import replace
from coder_ws_runtime.doctor import systemd
from coder_ws_runtime.doctor.findings import Finding, Status, Verdict, found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from coder_ws_runtime.doctor.engine import Result

_VOLUME = (
    "home.volume-missing",
    "home.volume-not-mounted",
    "home.volume-read-only",
    "home.volume-closed",
    "home.volume-frozen",
    "home.volume-variable",
)
"""Codes because of which nothing on the volume works."""

_STATE = ("home.volume-format-*", "home.state-*")
"""Codes because of which `home-persist` refuses to work, or cannot record what it does."""

_SYSTEMD = ("system.pid1-foreign", "system.state-silent", "system.dbus-down")

_FULL = ("disk.volume-full", "disk.volume-no-inodes")
_CODER = (
    "network.coder-*",
    "network.name-unknown",
    "network.name-servers-unused",
    "network.proxy-dead",
    "network.resolver-dead",
)
_LOOKUP = ("network.resolver-dead", "network.localhost-unknown", "network.name-servers-unused")
_NO_AGENT = ("disk.tmp-*", "agent.script-*", "agent.token-missing", "home.home-*", *_CODER)

_UNSTARTABLE = ("system.device-broken", "system.processes-full")
"""Codes because of which programs, also those that the checks start, fail to start."""

CAUSES: Mapping[str, tuple[str, ...]] = {
    "system.state-silent": (*_UNSTARTABLE, "system.path-incomplete"),
    "system.sudo-*": (*_UNSTARTABLE, "system.path-incomplete"),
    "docker.cli-*": (*_UNSTARTABLE, "system.path-incomplete"),
    "docker.plugin-broken": _UNSTARTABLE,
    "tools.missing": ("system.path-incomplete",),
    "tools.broken": (*_UNSTARTABLE, "system.path-incomplete", "system.variable-dangling"),
    "agent.gave-up": (*_NO_AGENT, "agent.build-outdated"),
    "agent.download-fails": (*_NO_AGENT, "agent.build-outdated"),
    "agent.restarting": (*_NO_AGENT, "agent.build-outdated"),
    "agent.stopped": ("agent.script-*",),
    "docker.group-*": ("docker.socket-*", "docker.proxy-dead"),
    "docker.server-*": ("docker.socket-*", "docker.proxy-dead", "docker.engine-*"),
    "docker.bind-mount": ("docker.socket-*", "docker.proxy-dead", "docker.server-*"),
    "docker.config-*": ("home.home-*",),
    "home.link-*": (*_VOLUME, *_FULL, *_STATE, "home.home-*", "home.manifests-closed"),
    "home.daemon-*": (*_VOLUME, *_STATE, "home.home-*"),
    "home.owner-foreign": (*_VOLUME, "home.home-*"),
    "home.mode-closed": (*_VOLUME, "home.home-*"),
    "home.manifest-unreadable": ("home.state-*", *_VOLUME),
    "home.lock-stale": _VOLUME,
    # The daemon links a file that nobody has written yet.
    "home.link-missing": ("home.daemon-*",),
    "jetbrains.settings-missing": ("disk.tmp-*",),
    "home.orphans": _VOLUME,
    # The remedy would need room on it.
    "home.unsaved-*": (*_VOLUME, *_FULL, "home.home-*"),
    "jetbrains.settings-*": (*_VOLUME, *_FULL, "home.home-*"),
    "jetbrains.unreadable": (*_VOLUME, "home.home-*"),
    "jetbrains.no-volume": _VOLUME,
    "disk.volume-*": _VOLUME,
    "network.coder-*": (
        *_LOOKUP,
        "network.proxy-dead",
        "network.certificates-missing",
        "system.variable-dangling",
    ),
    "network.name-unknown": _LOOKUP,
    "network.host-unknown": ("network.localhost-unknown", "network.name-servers-unused"),
    "network.web-shell-silent": ("network.loopback-down",),
    "programs.git-repository-foreign": ("home.projects-closed",),
    "programs.git-signing-broken": ("home.lock-stale",),
    "system.journald-down": _SYSTEMD,
    "system.unit-*": _SYSTEMD,
}
"""Codes or patterns of consequences, each with its causes."""

_STEPS: Mapping[str, tuple[str, ...]] = {
    systemd.DOCKER_GROUP: ("docker.socket-*", "docker.proxy-dead", "docker.engine-*"),
    systemd.DOCKER_ENGINE: ("docker.engine-*",),
    systemd.RESOLVE: (*_VOLUME, "home.*", "disk.volume-*"),
    systemd.JETBRAINS: (*_VOLUME, *_FULL, "jetbrains.*", "home.home-*", "home.owner-foreign"),
    systemd.HOOKS: ("system.hook-*", "home.home-*"),
    systemd.WEB_SHELL: ("home.home-*",),
}
"""What a boot step refuses has a check of its own; the step's unit failed because of that."""

_OF_STEPS = ("system.unit-refused", "system.unit-no-volume", "system.unit-failed")

_BY_PLACE: Mapping[str, tuple[str, ...]] = {
    "home.link-*": ("home.owner-foreign", "home.mode-closed", "home.lock-stale"),
    "home.unsaved-*": ("home.owner-foreign",),
    "programs.git-settings-closed": ("home.owner-foreign", "home.mode-closed"),
    "programs.shell-file-*": ("home.owner-foreign", "home.mode-closed"),
    "docker.config-unreadable": ("home.owner-foreign",),
    "network.web-shell-silent": ("system.unit-restarting",),
    "jetbrains.dangling-link": ("home.link-*",),
    "jetbrains.settings-*": ("home.owner-foreign",),
    "jetbrains.unreadable": ("home.owner-foreign",),
}
"""Like `CAUSES`, but the cause has to be about the same path or one above it."""


def without_consequences(results: Sequence[Result]) -> list[Result]:
    """The results, without the findings whose cause was found too.

    If the volume or the home cannot be used, that is also the cause if a check of files crashed; and if
    programs cannot be started, the cause of each check that crashed.
    """
    present = [finding for item in results for finding in item.verdict.findings]
    return [_reduced(item, present) for item in results]


def _reduced(item: Result, present: Sequence[Finding]) -> Result:
    verdict = item.verdict
    if verdict.status is Status.CRASHED:
        unstartable = next((found_.code for found_ in present if found_.code in _UNSTARTABLE), "")
        if unstartable:
            return replace(item, verdict=_consequence(unstartable))
        closed = (*_VOLUME, "home.home-*", "home.mode-closed", "home.owner-foreign")
        unusable = next((found_.code for found_ in present if _fits(found_.code, closed)), "")
        looks_there = item.check.category in {"home", "jetbrains", "programs", "disk"}
        return replace(item, verdict=_consequence(unusable)) if unusable and looks_there else item
    causes = {finding: _cause(finding, present) for finding in verdict.findings}
    if not any(causes.values()):
        return item
    left = [finding for finding, cause in causes.items() if not cause]
    first = next(cause for cause in causes.values() if cause)
    return replace(item, verdict=found(left, "") if left else _consequence(first))


def _consequence(cause: str) -> Verdict:
    return Verdict(Status.SKIPPED, f"a consequence of {cause}", cause=cause)


def _cause(finding: Finding, present: Iterable[Finding]) -> str:
    """The code of a finding's cause; empty if none was found."""
    anywhere = _patterns(CAUSES, finding.code)
    if finding.code in _OF_STEPS:
        anywhere += _STEPS.get(finding.about, ())
    above = _patterns(_BY_PLACE, finding.code)
    for other in present:
        if other.code == finding.code:
            continue
        if _fits(other.code, anywhere) or (_fits(other.code, above) and _is_above(other, finding)):
            return other.code
    return ""


def _patterns(table: Mapping[str, tuple[str, ...]], code: str) -> tuple[str, ...]:
    return tuple(cause for pattern, causes in table.items() if fnmatchcase(code, pattern) for cause in causes)


def _fits(code: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(code, pattern) for pattern in patterns)


def _is_above(cause: Finding, finding: Finding) -> bool:
    return bool(finding.about) and f"{finding.about}/".startswith(f"{cause.about}/")
