"""What the Docker client would use, on a fake file system."""

import hashlib
import json
from pathlib import Path

import pytest
from pyfakefs.fake_filesystem import FakeFilesystem

from coder_ws_runtime.system.docker_config import ChosenBy, Endpoint, endpoint, load

HOME = Path("/home/coder")
CONFIG = HOME / ".docker/config.json"


def write_context(fs: FakeFilesystem, name: str, host: str, directory: Path = HOME / ".docker") -> None:
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host}}}
    fs.create_file(directory / "contexts/meta" / digest / "meta.json", contents=json.dumps(meta))


def found(env: dict[str, str]) -> Endpoint:
    return endpoint(load(env, HOME), env)


def test_without_anything_it_is_the_default(fs: FakeFilesystem) -> None:
    assert found({}) == Endpoint(ChosenBy.NOTHING)
    fs.create_file(CONFIG, contents="")
    assert load({}, HOME).error is None, "an empty file is none"


def test_the_context_of_the_configuration(fs: FakeFilesystem) -> None:
    fs.create_file(CONFIG, contents='{"currentContext": "remote"}')
    assert found({}) == Endpoint(ChosenBy.CONFIG, "remote", missing=True)
    write_context(fs, "remote", "unix:///run/other.sock")
    assert found({}) == Endpoint(ChosenBy.CONFIG, "remote", "unix:///run/other.sock")


def test_variables_count_more_and_the_host_most(fs: FakeFilesystem) -> None:
    fs.create_file(CONFIG, contents='{"currentContext": "gone"}')
    write_context(fs, "there", "tcp://build-1:2376")
    assert found({"DOCKER_CONTEXT": "there"}) == Endpoint(
        ChosenBy.CONTEXT_VARIABLE, "there", "tcp://build-1:2376"
    )
    assert found({"DOCKER_CONTEXT": "default"}) == Endpoint(ChosenBy.NOTHING)
    assert found({"DOCKER_CONTEXT": "there", "DOCKER_HOST": "unix:///x"}) == Endpoint(
        ChosenBy.HOST_VARIABLE, host="unix:///x"
    )


def test_another_directory_of_configuration(fs: FakeFilesystem) -> None:
    directory = Path("/etc/docker-client")
    fs.create_file(directory / "config.json", contents='{"currentContext": "there"}')
    write_context(fs, "there", "unix:///x", directory)
    assert found({"DOCKER_CONFIG": str(directory)}).host == "unix:///x"


@pytest.mark.parametrize("content", ["{", "[]", '"x"'])
def test_a_configuration_that_does_not_count(content: str, fs: FakeFilesystem) -> None:
    fs.create_file(CONFIG, contents=content)
    config = load({}, HOME)
    assert isinstance(config.error, ValueError)
    assert endpoint(config, {}) == Endpoint(ChosenBy.NOTHING)


def test_helpers_are_named_once(fs: FakeFilesystem) -> None:
    document = {"credsStore": "desktop", "credHelpers": {"ghcr.io": "gh", "quay.io": "desktop", "x": 3}}
    fs.create_file(CONFIG, contents=json.dumps(document))
    assert load({}, HOME).helpers == {
        "docker-credential-desktop": "credsStore, credHelpers of quay.io",
        "docker-credential-gh": "credHelpers of ghcr.io",
    }
