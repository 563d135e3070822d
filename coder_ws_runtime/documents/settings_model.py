"""The model of the settings document; see :mod:`coder_ws_runtime.settings`.

An example of the document::

  {
    "version": 1,
    "workspace": {"id": "0b7c…", "name": "dev", "owner": "ada", "access_url": "https://coder.example"},
    "home_persist_paths": ["~/.config/foo/", {"path": ".bar/", "scope": "workspace"}],
    "projects": "/home/coder/projects",
    "jetbrains": {"allow_updates": false},
    "hooks": {"time_limit": 120},
    "web_shell": {"directory": "/home/coder/projects", "title": "dev"}
  }
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coder_ws_runtime.documents.explain import first_fault
from coder_ws_runtime.errors import UsageError
from coder_ws_runtime.layout import WORKSPACE_ID


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


_LINE = r"^[^\x00-\x1f\x7f]*$"


class _Workspace(_Model):
    id: str = Field(default="", pattern=rf"(?:{WORKSPACE_ID}|^$)")
    name: str = Field(default="", pattern=_LINE)
    owner: str = Field(default="", pattern=_LINE)
    access_url: str = Field(default="", pattern=_LINE)


class _JetBrains(_Model):
    allow_updates: bool = False


class _Hooks(_Model):
    time_limit: float = Field(default=120.0, gt=0, le=86400)


class _WebShell(_Model):
    directory: str = Field(default="", pattern=r"^(?:/[^\x00-\x1f\x7f]*)?$")
    title: str = Field(default="", pattern=_LINE)


class SettingsDocument(_Model):
    """The settings of one workspace."""

    version: Literal[1] = 1
    workspace: _Workspace = _Workspace()
    home_persist_paths: list[str | dict[str, Any]] = Field(default_factory=list)
    projects: str = Field(default="", pattern=r"^(?:/[^\x00-\x1f\x7f]*)?$")
    jetbrains: _JetBrains = _JetBrains()
    hooks: _Hooks = _Hooks()
    web_shell: _WebShell = _WebShell()


def validate(document: bytes, *, place: str) -> dict[str, Any]:
    """The document as a JSON object with every default filled in.

    Args:
        document: the JSON text.
        place: its file, for messages.

    Raises:
        UsageError: it is not JSON, or not a settings document; the first fault is named.
    """
    try:
        return SettingsDocument.model_validate_json(document).model_dump()
    except ValidationError as error:
        fault = first_fault(error, SettingsDocument)
        raise UsageError(
            fault.message,
            code="settings.invalid",
            place=f"{place}{fault.place}",
            hint=fault.hint
            or "the template writes this file: start the workspace again after mending main.tf",
        ) from error
