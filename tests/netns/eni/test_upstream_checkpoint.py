"""A node changes from eni-pool to upstream's daemon and back, its pods running: the checkpoint between their own programs."""

import json
from pathlib import Path

import pytest

from support import upstream_eni
from support.sandbox import MACHINE_NETWORK

SOURCE = Path(upstream_eni.__file__).with_name("upstream_datastore.go")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def datastore() -> Path:
    """The datastore of upstream's daemon as a program, built with the machine's network."""
    try:
        return upstream_eni.build("v1.15.5", SOURCE, ("nsenter", f"--net={MACHINE_NETWORK}"), seconds=240)
    except upstream_eni.NotToBeHad as reason:
        pytest.skip(f"upstream's datastore is not to be had: {reason}")


def test_a_checkpoint_goes_to_upstream_and_back(pool, lab, datastore):
    pool.only(1)
    pods = [pool.attach(name) for name in ("nginx", "web")]
    released = pool.attach("gone")
    released.delete()  # is in `releases`, which upstream passes over
    held = {pod.pod.container: pod.address for pod in pods}
    assert "releases" in json.loads(pool.checkpoint.read_text())

    addresses = [address for address in lab.enis[1].assigned if ":" not in address]
    done = pool.node.run(str(datastore), str(pool.checkpoint), lab.enis[1].id, "1", *addresses)
    *kept, (theirs, address, device) = (line.split() for line in done.stdout.splitlines())
    # Its check for pods that are gone finds ours by the names of their host ends.
    assert {container: address for container, address, _ in kept} == held
    assert theirs == "theirs" and device == "1" and address not in held.values()
    assert "releases" not in json.loads(pool.checkpoint.read_text())

    for pod in pods:
        pod.check()
    new = pool.attach("new")
    assert new.address not in {address, *held.values()}
    entries = {entry["containerID"]: entry for entry in json.loads(pool.checkpoint.read_text())["allocations"]}
    assert {container: entry["ipv4"] for container, entry in entries.items()} == {
        **held, "theirs": address, new.pod.container: new.address}
    assert entries[pods[0].pod.container]["metadata"]["k8sPodName"] == "nginx"
    pool.node.cni("DEL", pool.config(), "eni-pool", container="theirs", ifname="eth0").success()
    for pod in (*pods, new):
        pod.delete()
    assert json.loads(pool.checkpoint.read_text())["allocations"] == []
