"""What the documents share: errors, and values from short lists."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Scope = Literal["owner", "workspace"]
Kind = Literal["directory", "file"]


class Model(BaseModel):
    """What all models of the contract have in common."""

    model_config = ConfigDict(strict=True, populate_by_name=True)


class Error(Model):
    """Why something was refused or failed."""

    code: str = Field(description="Stable, e.g. path.no-space.", pattern=r"^[a-z][a-z0-9.-]+$")
    message: str
    place: str | None = Field(description="A path, a file with a JSON path, or null.")
    remedy: str | None


class ErrorDocument(Model):
    """The output of any command with --json if an error ends it."""

    document: Literal["error"]
    version: Literal[2]
    error: Error
