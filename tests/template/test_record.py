"""What `./dev up` and tests/workspace boot is what the template plans."""

from devtools.recorded import KUBERNETES, RECORD
from tests.template import record_kubernetes
from tests.template.record import record, written
from tests.template.terraform import Terraform


def test_the_recorded_plan_is_the_template_s(terraform: Terraform) -> None:
    assert RECORD.read_text() == written(record(terraform)), "main.tf has changed: ./dev plan"


def test_the_recorded_plan_for_kubernetes_is_the_template_s(kubernetes: Terraform) -> None:
    fresh = written(record_kubernetes.record(kubernetes))
    assert KUBERNETES.read_text() == fresh, "kubernetes/main.tf has changed: ./dev plan"
