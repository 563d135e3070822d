"""What is in the container, is not declared, and will be lost with it."""

import os
import re
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from coder_ws_runtime.doctor import packages
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Finding, Remedy, Verdict, Where, found, warning
from coder_ws_runtime.doctor.home_walk import container_made, home_walk, kept_paths
from coder_ws_runtime.system import text_file
from coder_ws_runtime.text import size

_MANY_BYTES = 1 << 30
"""From this size on there is a warning: nobody wants to download or build that at each start."""

_PRECIOUS = (
    (".ssh/", ("id_rsa", "id_ed25519", "id_ecdsa")),
    (".gnupg/", ("private-keys-v1.d",)),
    (".aws/", ("credentials",)),
    (".kube/", ("config",)),
    (".config/gh/", ("hosts.yml",)),
    (".config/gcloud/", ("credentials.db", "application_default_credentials.json")),
    (".azure/", ("msal_token_cache.json",)),
    (".docker/", ("config.json",)),
    ("", (".netrc",)),
    ("", (".git-credentials",)),
    ("", (".pypirc",)),
    (".java/", (".userPrefs",)),
    (".cargo/", ("credentials.toml",)),
    (".m2/", ("settings.xml",)),
    (".terraform.d/", ("credentials.tfrc.json",)),
)
"""Keys and logins that people create once: the path to declare, and the files that count."""

_HOLDS = {".docker/config.json": '"auth"'}
"""What a file has to contain to count as one with a login."""


_INSTALLED = (
    (".cargo/", "bin"),
    ("go/", "bin"),
    (".local/lib/", ""),
    (".local/share/pipx/", "venvs"),
    (".local/share/uv/", "tools"),
    (".bun/", "install/global/node_modules"),
    (".deno/", "bin"),
    (".dotnet/tools/", ""),
    (".sdkman/", "candidates"),
)
"""Where users' package managers install programs: the path to declare, and what counts in it."""

_PREFIX = re.compile(r"^\s*prefix\s*=\s*[\"']?([^\"'\s]+)", re.MULTILINE)
"""npm's directory for global packages, as set in its configuration."""
_SHOWN = 8


@check("home.unsaved", "content that will be lost", needs=[Need.VOLUME])
def unsaved(context: Context) -> Verdict:
    """Nothing important is lost at the next start: keys, logins, programs that you installed, large data."""
    kept = kept_paths(context)
    since = context.ask(container_made)
    seen = context.ask(home_walk)
    findings = [_lost(context, path) for path in _precious(context.layout.home, kept, since)]
    lost = {finding.about for finding in findings}
    findings += [item for item in _programs(context, kept, since) if not item.about or item.about not in lost]
    largest = sorted(seen.sizes.items(), key=lambda item: -item[1])[:5]
    least = "" if seen.whole else "at least "
    if seen.total >= _MANY_BYTES:
        evidence = [f"~/{name}: {size(count)}" for name, count in largest]
        command = context.as_user(f"home-persist add {shlex.quote(largest[0][0])}")
        remedy = Remedy("declare what to keep, e.g. the largest", (command,))
        findings.append(
            warning(
                "home.unsaved-much",
                f"{least}{size(seen.total)} will be lost at the next start",
                remedy,
                evidence=evidence,
            )
        )
    names = ", ".join(f"~/{name} {size(count)}" for name, count in largest[:3] if count)
    return found(findings, f"nothing important: {least}{size(seen.total)}{f' ({names})' if names else ''}")


def _lost(context: Context, path: str) -> Finding:
    remedy = Remedy("declare it", (context.as_user(f"home-persist add {path}"),))
    problem = f"~/{path} holds a key or a login, and will be lost at the next start"
    if path == ".java/":
        problem = f"~/{path} holds settings of Java programs, and will be lost at the next start"
    return warning("home.unsaved-key", problem, remedy, about=str(context.layout.home / path))


def _programs(context: Context, kept: set[str], since: float) -> Iterator[Finding]:
    """Programs that the user has installed, with a user's or the system's package manager."""
    home = context.layout.home
    installed = [*_INSTALLED, *_npm_prefix(home)]
    for path, content in installed:
        inside = f"{path}{content}".rstrip("/")
        if not _is_kept(inside, kept) and _has_newer(home / inside, since):
            remedy = Remedy("declare it", (context.as_user(f"home-persist add {shlex.quote(path)}"),))
            problem = f"~/{path} has programs that you installed, which will be lost at the next start"
            evidence = [f"~/{inside}: {', '.join(_names(home / inside))}"]
            about = str(home / path)
            yield warning("home.unsaved-programs", problem, remedy, evidence=evidence, about=about)
    names = packages.installed(context.layout, since) if context.live else []
    if names:
        shown = ", ".join(names[:_SHOWN])
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        remedy = Remedy(
            "have them added to the image, e.g. with RUN apt-get install in a Dockerfile FROM it; until then"
            " install them again after each start",
            where=Where.TEMPLATE,
        )
        problem = f"packages that apt installed will be lost at the next start: {shown}{more}"
        yield warning("home.unsaved-packages", problem, remedy)


def _npm_prefix(home: Path) -> list[tuple[str, str]]:
    """The directory of npm for global packages, if the user has put it in the home."""
    named = _PREFIX.search(text_file.read(home / ".npmrc"))
    if named is None:
        return []
    place = named[1].replace("${HOME}", str(home)).replace("$HOME", str(home))
    path = os.path.normpath(os.path.join(home, place.removeprefix("~/")))
    if not path.startswith(f"{home}/"):
        return []
    return [(f"{os.path.relpath(path, home)}/", "lib/node_modules")]


def _names(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))[:_SHOWN]
    except OSError:
        return []


def _has_newer(directory: Path, since: float) -> bool:
    """Whether a directory that is in this container, and not behind a link, has any content."""
    return _is_newer(directory, since) and bool(_names(directory))


def _holds_more_than_links(directory: Path) -> bool:
    with os.scandir(directory) as listing:
        return any(not entry.is_symlink() for entry in listing)


def _is_kept(path: str, kept: set[str]) -> bool:
    return any(path == other or path.startswith(f"{other}/") for other in kept)


def _precious(home: Path, kept: set[str], since: float) -> list[str]:
    paths = []
    for parent, names in _PRECIOUS:
        for name in names:
            path = f"{parent}{name}"
            if _is_kept(path, kept) or not _is_newer(home / path, since):
                continue
            if path in _HOLDS and _HOLDS[path] not in text_file.read(home / path):
                continue
            paths.append(parent or path)
    return list(dict.fromkeys(paths))


def _is_newer(path: Path, since: float) -> bool:
    """Whether it is content of this container: not from the image, and not behind a link of the user's.

    A directory that contains only links has nothing to lose.
    """
    try:
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode) and not _holds_more_than_links(path):
            return False
        return status.st_ctime > since and path.parent.resolve() == path.parent
    except OSError:
        return False
