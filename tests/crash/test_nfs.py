"""A volume on real NFSv4, with two clients: with delegations, without, and with a cut of the network.

It takes some two minutes for each kind of server, so it is a part of `./dev crash` only.
"""

import os
from pathlib import Path

import pytest

from tests.conftest import Tried, missing
from tests.harness import nfs_lab

KINDS = {
    "NFS 4.2 with delegations": ("vers=4.2", True),
    "NFS 4.0 without": ("vers=4.0", False),
}


@pytest.mark.programs("ip", "linux.uml", "mkfs.ext4")
@pytest.mark.parametrize(("options", "delegations"), KINDS.values(), ids=KINDS)
def test_scenarios(
    options: str,
    delegations: bool,  # noqa: FBT001 - a parameter
    whole: bool,  # noqa: FBT001 - a fixture
    tmp_path: Path,
    tried: Tried,
) -> None:
    if not whole:
        pytest.skip("a part of ./dev crash")
    if os.geteuid() != 0:
        missing("root, whose files User Mode Linux reads")
    if os.uname().machine != "x86_64":
        missing("an x86-64 machine: User Mode Linux is built for no other")
    found = nfs_lab.run(tmp_path, options, delegations=delegations)
    failed = {result["scenario"]: result["error"] for result in found if result["error"]}
    tried(f"scenarios on {'NFS with delegations' if delegations else 'NFS without delegations'}", len(found))
    assert not failed, "\n".join(f"{name}: {error}" for name, error in failed.items())
    assert found[-1]["scenario"] == "a_cut_is_noticed"
