"""A workspace as the template plans it, in a real cluster: it boots, Docker works in it, its files last."""

import shlex
import subprocess

import pytest

from devtools.kubernetes.workspace import KubernetesWorkspace
from tests.harness.doctor import look
from tests.kubernetes.conftest import AnyCluster, New

pytestmark = pytest.mark.kubernetes

PROJECT = """
set -eu
mkdir -p ~/projects/app && cd ~/projects/app
echo of the project > said
printf 'FROM debian:trixie-slim\\nRUN echo built from inside > /said\\nCMD ["cat", "/said"]\\n' > Dockerfile
cat > compose.yaml <<'EOF'
services:
  one:
    build: .
    image: app:one
  two:
    image: app:one
    command: ["sh", "-c", "cat /mounted/said && echo from two > /mounted/back"]
    volumes: [".:/mounted"]
    depends_on: [one]
EOF
"""


@pytest.fixture(scope="module")
def space(new: New) -> KubernetesWorkspace:
    return new("dev").start()


def test_it_boots(space: KubernetesWorkspace) -> None:
    assert space.exec("systemctl", "is-system-running", user="root").stdout.strip() == "running"
    assert space.out("hostname") == "dev"
    assert space.out("sudo id -u") == "0", "the host name is known, or sudo complains"
    assert space.out("readlink ~/.claude") == "/mnt/home-persist/.claude"
    assert space.out("stat -c %U ~/projects /mnt/home-persist") == "coder\ncoder"


def test_the_doctor_finds_nothing(space: KubernetesWorkspace) -> None:
    report = look(space)
    wrong = [one for one in report["checks"] if one["status"] not in ("ok", "skipped")]
    assert wrong == []
    by_id = {one["id"]: one for one in report["checks"]}
    assert by_id["network.coder"]["status"] == by_id["docker.server"]["status"] == "ok"


def test_docker_builds_and_composes(space: KubernetesWorkspace, cluster: AnyCluster) -> None:
    """No registry is reached here, so the image that the build begins with is brought."""
    load_debian(space, cluster)
    space.out(PROJECT)
    assert space.out("docker info -f '{{.Driver}}'") == "overlay2"
    space.out("cd ~/projects/app && docker build -q -t app:one .")
    assert space.out("docker run --rm app:one") == "built from inside"
    said = space.out("cd ~/projects/app && docker compose up --no-color 2>&1; docker compose down -v 2>&1")
    assert "of the project" in said, "a bind mount of the project is the workspace's own directory"
    assert space.out("cat ~/projects/app/back") == "from two"
    assert space.out("docker network create x >/dev/null && docker network inspect x -f '{{.Options}}'")


def load_debian(space: KubernetesWorkspace, cluster: AnyCluster) -> None:
    inside = ["exec", "-i", "-n", space.namespace, space.pod, "-c", "workspace", "--", "docker", "load"]
    with subprocess.Popen(
        [*cluster.engine.client, "save", "debian:trixie-slim"], stdout=subprocess.PIPE
    ) as save:
        subprocess.run([*cluster.kubectl.words, *inside], stdin=save.stdout, check=True, capture_output=True)


def test_containers_count_as_the_workspace_s(space: KubernetesWorkspace) -> None:
    """Their control groups are below the pod's, so its limits hold for them."""
    (pod,) = set(space.out("grep -o 'pod[0-9a-f][0-9a-f-]*' /proc/1/cgroup").split())
    space.out("docker run -d --name sleeper debian:trixie-slim sleep 60")
    groups = space.out("cat /proc/$(docker inspect -f '{{.State.Pid}}' sleeper)/cgroup; docker rm -f sleeper")
    memory = [line for line in groups.splitlines() if ":memory:" in line or line.startswith("0::")]
    assert any(pod in line for line in memory), groups


def test_content_survives_the_deletion_of_its_pod(space: KubernetesWorkspace, cluster: AnyCluster) -> None:
    space.out("echo kept > ~/.claude/kept; echo kept > ~/projects/kept; echo '{\"a\": 1}' > ~/.claude.json")
    before = space.status()["metadata"]["uid"]
    cluster.kubectl.run("delete", "pod", space.pod, "-n", space.namespace)
    space.wait_rolled_out()
    space.wait_ready()
    assert space.status()["metadata"]["uid"] != before
    assert space.out("cat ~/.claude/kept ~/projects/kept ~/.claude.json") == 'kept\nkept\n{"a": 1}'
    assert space.out("docker images -q app:one"), "so do Docker's images"


def test_a_stop_takes_seconds_and_a_start_finds_everything(space: KubernetesWorkspace) -> None:
    seconds = space.stop()
    assert seconds < 25, "it was stopped by its STOPSIGNAL, not killed after the grace period of 40 s"
    assert space.kubectl.get("secret", f"coder-{space.workspace_id}", namespace=space.namespace) == {}
    space.start()
    assert space.out("cat ~/projects/kept ~/.claude/kept") == "kept\nkept"


def test_what_a_container_of_the_workspace_saves_last_is_kept(space: KubernetesWorkspace) -> None:
    save = "sleep 2; echo last > /h/.new; mv /h/.new /h/.claude.json; exit"
    script = f"trap '{save}' TERM; touch /h/started; while :; do sleep 1000 & wait; done"
    image = "debian:trixie-slim"
    space.out(f'docker run -d -v "$HOME:/h" {image} sh -c {shlex.quote(script)}')
    space.out("for i in $(seq 100); do test -e ~/started && exit; sleep 0.1; done; exit 1")
    space.stop()
    space.start()
    assert space.out("cat ~/.claude.json") == "last"


def test_a_deletion_destroys_no_claim(new: New, cluster: AnyCluster) -> None:
    space = new("gone").start()
    space.out("echo kept > ~/projects/kept")
    claims = space.claims()
    assert len(claims) == 2
    space.delete()
    phases = {
        one["metadata"]["name"]: one["status"]["phase"]
        for one in cluster.kubectl.items("pvc", namespace=space.namespace)
    }
    assert {phases.get(claim) for claim in (*claims, "homes")} == {"Bound"}
    label = f"com.coder.workspace.id={space.workspace_id}"
    assert cluster.kubectl.items("statefulsets", "-l", label, namespace=space.namespace) == []
    assert space.start().out("cat ~/projects/kept") == "kept", "the same id finds them again"
