"""The settings document, read tolerantly: one row, one document. The file system is pyfakefs's."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import jsonschema
import pytest
from pyfakefs.fake_filesystem import FakeFilesystem, reset_ids, set_gid, set_uid

from coder_ws_runtime import settings
from coder_ws_runtime.errors import UsageError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.settings import Hooks, JetBrains, Settings, WebShell, Workspace

REPO = Path(__file__).parents[2]
SCHEMA = REPO / "docs/settings-schema.json"
LAYOUT = Layout.of(Path("/"))
FILE = str(LAYOUT.settings_file)


@dataclass(frozen=True)
class Row:
    """A document, what counts of it, and what is said: each a code and a JSON path."""

    document: str
    counts: Settings = field(default_factory=Settings)
    refused: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


ROWS = {
    "nothing is set": Row("{}"),
    "all is set": Row(
        '{"version": 1, "workspace": {"id": "w1", "name": "dev", "owner": "ada", "access_url": "https://c"},'
        ' "home_persist_paths": [".x/", {"path": ".y"}], "projects": "/p",'
        ' "jetbrains": {"allow_updates": true}, "hooks": {"time_limit": 5},'
        ' "web_shell": {"directory": "/p", "title": "t"}}',
        Settings(
            workspace=Workspace("w1", "dev", "ada", "https://c"),
            home_persist_paths=(".x/", {"path": ".y"}),
            projects="/p",
            jetbrains=JetBrains(allow_updates=True),
            hooks=Hooks(5.0),
            web_shell=WebShell("/p", "t"),
        ),
    ),
    "an unknown key, of a newer template": Row(
        '{"page": {"port": 1}, "home_persist_paths": [".x/"], "workspace": {"id": "w1", "team": "x"}}',
        Settings(workspace=Workspace("w1"), home_persist_paths=(".x/",)),
        warnings=("settings.unknown-key $.page", "settings.unknown-key $.workspace.team"),
    ),
    "null is the default": Row(
        '{"version": null, "workspace": {"id": "w1", "name": null}, "home_persist_paths": null,'
        ' "hooks": null, "jetbrains": {"allow_updates": null}}',
        Settings(workspace=Workspace("w1")),
    ),
    "items of a list are checked where they are used": Row(
        '{"home_persist_paths": [null, 3, ".x/"]}', Settings(home_persist_paths=(None, 3, ".x/"))
    ),
    "a value of another type is refused by itself": Row(
        '{"workspace": [], "home_persist_paths": ".x", "jetbrains": {"allow_updates": "yes"},'
        ' "hooks": {"time_limit": true}, "projects": 3, "web_shell": {"title": "t"}}',
        Settings(web_shell=WebShell(title="t")),
        refused=(
            "settings.invalid $.workspace",
            "settings.invalid $.home_persist_paths",
            "settings.invalid $.jetbrains.allow_updates",
            "settings.invalid $.hooks.time_limit",
            "settings.invalid $.projects",
        ),
    ),
    "a value out of its bounds": Row(
        '{"hooks": {"time_limit": 0}, "projects": "p"}',
        refused=("settings.invalid $.hooks.time_limit", "settings.invalid $.projects"),
    ),
    "too long a limit": Row(
        '{"hooks": {"time_limit": 86401}}', refused=("settings.invalid $.hooks.time_limit",)
    ),
    "an id that is not one": Row(
        '{"workspace": {"id": "../x", "name": "dev"}}',
        Settings(workspace=Workspace(name="dev")),
        refused=("settings.invalid $.workspace.id",),
    ),
    "a line break": Row(
        json.dumps({"workspace": {"id": "w1\n", "name": "a\nb", "owner": "a\n"}, "projects": "/x\n"}),
        refused=(
            "settings.invalid $.workspace.id",
            "settings.invalid $.workspace.name",
            "settings.invalid $.workspace.owner",
            "settings.invalid $.projects",
        ),
    ),
    "what is only in memory": Row(
        '{"refused": [], "warnings": 3}',
        warnings=("settings.unknown-key $.refused", "settings.unknown-key $.warnings"),
    ),
    "a byte order mark": Row('\ufeff{"projects": "/p"}', Settings(projects="/p")),
}


def _said(errors: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(f"{error.code} {error.place.removeprefix(f'{FILE}:')}" for error in errors)  # type: ignore[attr-defined]


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_row(row: Row, fs: FakeFilesystem) -> None:
    fs.create_file(FILE, contents=row.document, encoding="utf-8")
    found = settings.load(LAYOUT)
    assert (_said(found.refused), _said(found.warnings)) == (row.refused, row.warnings)
    assert all(error.hint for error in (*found.refused, *found.warnings))
    assert _document(found) == _document(row.counts)


def _document(found: Settings) -> dict[str, object]:
    names = settings.SettingsDocument.__slots__
    return {name: getattr(found, name) for name in names}


WHOLE = {
    "{": "settings.not-json",
    "": "settings.not-json",
    "  \n": "settings.not-json",
    '{"a": 1,}': "settings.not-json",
    "{'a': 1}": "settings.not-json",
    '{"a": "\n"}': "settings.not-json",
    '{"a": 1 "b": 2}': "settings.not-json",
    '{"a": "b': "settings.not-json",
    "[" * 100_000: "settings.not-json",
    f'{{"a": {"1" * 5000}}}': "settings.not-json",
    "[]": "settings.invalid",
    "null": "settings.invalid",
    '{"version": 2}': "settings.version",
    '{"version": "1"}': "settings.version",
    '{"version": true}': "settings.version",
}


@pytest.mark.parametrize(("document", "code"), WHOLE.items(), ids=[key[:20] for key in WHOLE])
def test_a_document_that_does_not_count_as_a_whole(document: str, code: str, fs: FakeFilesystem) -> None:
    fs.create_file(FILE, contents=document)
    with pytest.raises(UsageError) as raised:
        settings.load(LAYOUT)
    assert (raised.value.code, raised.value.place.partition(":")[0]) == (code, FILE)
    assert raised.value.hint
    assert "\n" not in str(raised.value)


def test_it_is_not_utf_8(fs: FakeFilesystem) -> None:
    fs.create_file(FILE, contents=b'{"projects": "/\xff"}')
    with pytest.raises(UsageError) as raised:
        settings.load(LAYOUT)
    assert raised.value.code == "settings.not-json"


def test_a_file_that_cannot_be_read(fs: FakeFilesystem) -> None:
    fs.create_file(FILE, contents="{}", st_mode=0o100000)
    set_uid(1000)
    set_gid(1000)
    try:
        with pytest.raises(UsageError) as raised:
            settings.load(LAYOUT)
    finally:
        reset_ids()
    assert (raised.value.code, "Permission denied" in raised.value.message) == ("settings.unreadable", True)


@pytest.mark.parametrize("kind", ["directory", "loop"])
def test_what_is_no_file(kind: str, fs: FakeFilesystem) -> None:
    """Docker makes a directory of an upload whose source is missing."""
    if kind == "directory":
        fs.create_dir(FILE)
    else:
        fs.create_symlink(FILE, FILE)
    with pytest.raises(UsageError) as raised:
        settings.load(LAYOUT)
    assert raised.value.code == "settings.unreadable"


def test_without_a_document_all_has_its_default(fs: FakeFilesystem) -> None:
    assert settings.load(LAYOUT) == Settings()


def test_the_environment_names_the_id(fs: FakeFilesystem) -> None:
    fs.create_file(FILE, contents='{"workspace": {"id": "w1", "name": "dev"}}')
    assert settings.load(LAYOUT, {"CODER_WORKSPACE_ID": "w2"}).workspace == Workspace("w2", "dev")


def test_the_published_schema_is_that_of_the_dataclasses() -> None:
    made = json.dumps(settings.schema(), indent=2, ensure_ascii=False) + "\n"
    assert SCHEMA.read_text() == made, "home-persist schema settings > docs/settings-schema.json"
    jsonschema.Draft202012Validator.check_schema(json.loads(made))


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_schema_refuses_what_the_reader_refuses(row: Row) -> None:
    """What the reader takes in the place of a default, null, the schema refuses: the template writes none."""
    document = json.loads(row.document.removeprefix("\ufeff"))
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    valid = validator.is_valid(document)
    assert valid is (not row.refused and "null" not in row.document.replace("[null", "["))


def test_pydantic_is_not_imported_for_it(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from coder_ws_runtime import settings;"
        "from coder_ws_runtime.layout import Layout; settings.load(Layout.of(Path(sys.argv[1])));"
        "sys.exit('pydantic' in sys.modules)"
    )
    file = Layout.of(tmp_path).settings_file
    file.parent.mkdir(parents=True)
    file.write_text('{"page": 3, "hooks": {"time_limit": "x"}}')
    subprocess.run([sys.executable, "-c", program, tmp_path], cwd=REPO, check=True)
