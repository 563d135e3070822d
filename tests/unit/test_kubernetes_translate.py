"""The harness translates a plan attribute by attribute; what it does not know is an error."""

from typing import Any

import pytest

from devtools.kubernetes.translate import UnknownAttributeError, to_object

METADATA = [{"name": "a", "namespace": "b", "labels": {"c": "d"}, "annotations": None, "uid": "computed"}]


def pod(**attributes: Any) -> dict[str, Any]:  # noqa: ANN401 - any attribute of a plan
    spec = {"template": [{"metadata": [{}], "spec": [attributes]}], "replicas": "1"}
    return {"metadata": METADATA, "spec": [spec], "wait_for_rollout": True, "id": "b/a", "timeouts": {}}


def translated(**attributes: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    found = to_object("kubernetes_stateful_set_v1", pod(**attributes))
    return dict(found["spec"]["template"]["spec"])


def test_a_secret() -> None:
    planned = {"metadata": METADATA, "data": {"token": "x"}, "type": "Opaque", "immutable": None}
    assert to_object("kubernetes_secret_v1", planned) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "a", "namespace": "b", "labels": {"c": "d"}},
        "data": {"token": "eA=="},
        "type": "Opaque",
    }


def test_types_that_the_provider_has_as_text() -> None:
    assert to_object("kubernetes_stateful_set_v1", pod())["spec"]["replicas"] == 1
    container = {"name": "x", "security_context": [{"run_as_user": "0", "privileged": True}]}
    (found,) = translated(container=[container])["containers"]
    assert found["securityContext"] == {"runAsUser": 0, "privileged": True}
    volume = {
        "name": "f",
        "secret": [{"secret_name": "s", "items": [{"key": "k", "path": "p", "mode": "0755"}]}],
    }
    (found,) = translated(volume=[volume])["volumes"]
    assert found["secret"]["items"] == [{"key": "k", "path": "p", "mode": 0o755}]


def test_false_is_said() -> None:
    assert translated(enable_service_links=False) == {"enableServiceLinks": False}


@pytest.mark.parametrize(
    ("attributes", "place"),
    [
        ({"scheduler_name": "other"}, "template.spec.scheduler_name"),
        ({"container": [{"name": "x", "port": [{"container_port": 80}]}]}, "container.port"),
        ({"volume": [{"name": "x", "host_path": [{"path": "/"}]}]}, "volume.host_path"),
    ],
    ids=str,
)
def test_what_is_not_known_is_an_error(attributes: dict[str, Any], place: str) -> None:
    with pytest.raises(UnknownAttributeError) as error:
        translated(**attributes)
    assert str(error.value).endswith(place)


def test_a_kind_that_is_not_known_is_an_error() -> None:
    with pytest.raises(UnknownAttributeError):
        to_object("kubernetes_persistent_volume_claim_v1", {})
