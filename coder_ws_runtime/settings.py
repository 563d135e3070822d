"""The settings of a workspace: one JSON document that the template uploads.

The model that validates it is :mod:`coder_ws_runtime.documents.settings_model`; here is what the rest of the
package works with.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from coder_ws_runtime.documents.cache import load_validated
from coder_ws_runtime.errors import UsageError
from coder_ws_runtime.layout import WORKSPACE_ID, Layout


@dataclass(frozen=True, slots=True)
class Workspace:
    """Which workspace this is, as Coder knows it. Empty strings: not known."""

    id: str = ""
    name: str = ""
    owner: str = ""
    access_url: str = ""
    """Coder's URL, as the container reaches it."""


@dataclass(frozen=True, slots=True)
class JetBrains:
    """Options of the JetBrains boot step."""

    allow_updates: bool = False


@dataclass(frozen=True, slots=True)
class Hooks:
    """Options of the post-create hooks."""

    time_limit: float = 120.0
    """Seconds that each may take."""


@dataclass(frozen=True, slots=True)
class WebShell:
    """Options of the web-shell unit."""

    directory: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole document."""

    workspace: Workspace = field(default_factory=Workspace)
    home_persist_paths: tuple[Any, ...] = ()
    """Further paths to persist: strings or objects, as in a manifest's `paths`; not yet checked."""
    projects: str = ""
    """Absolute path of the directory where projects live; empty: not known."""
    jetbrains: JetBrains = field(default_factory=JetBrains)
    hooks: Hooks = field(default_factory=Hooks)
    web_shell: WebShell = field(default_factory=WebShell)


def load(layout: Layout, env: Mapping[str, str] | None = None) -> Settings:
    """The settings of this workspace.

    Args:
        layout: where the document lies. Without a document every setting has its default.
        env: ``CODER_WORKSPACE_ID`` replaces the workspace's id.

    Raises:
        UsageError: the document or that id is not valid; place and hint name the first fault.
    """
    file = layout.settings_file
    values: dict[str, Any] = {}
    try:
        document = file.read_bytes()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise UsageError(
            f"the settings cannot be read: {error.strerror}", code="settings.unreadable", place=str(file)
        ) from error
    else:

        def validate(raw: bytes) -> Any:  # noqa: ANN401 - a JSON value
            from coder_ws_runtime.documents import settings_model  # noqa: PLC0415 - pydantic is slow to import

            return settings_model.validate(raw, place=str(file))

        values = load_validated(
            document,
            place=str(file),
            model_file=__file__.replace("settings.py", "documents/settings_model.py"),
            validate=validate,
            cache_dir=layout.ledger_dir / "validated",
        )
    settings = Settings(
        workspace=Workspace(**values.get("workspace", {})),
        home_persist_paths=tuple(values.get("home_persist_paths", ())),
        projects=values.get("projects", ""),
        jetbrains=JetBrains(**values.get("jetbrains", {})),
        hooks=Hooks(**values.get("hooks", {})),
        web_shell=WebShell(**values.get("web_shell", {})),
    )
    return _with_environment(settings, env or {})


def identifier(env: Mapping[str, str]) -> str:
    """The workspace's id that the environment names; empty if it names none.

    Raises:
        UsageError: what it names is no id.
    """
    named = env.get("CODER_WORKSPACE_ID", "")
    if named and not re.fullmatch(WORKSPACE_ID, named):
        raise UsageError(
            f"CODER_WORKSPACE_ID is {named!r}, which is no id of a workspace",
            code="settings.invalid",
            hint="unset it, and the id of the settings document counts",
        )
    return named


def _with_environment(settings: Settings, env: Mapping[str, str]) -> Settings:
    named = identifier(env)
    if not named:
        return settings
    return replace(settings, workspace=replace(settings.workspace, id=named))
