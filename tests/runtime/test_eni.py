"""Containers with addresses of an ENI, by eni-pool: podman, and `ctr run --cni`. The sandbox's own namespace is the node."""

import json
from pathlib import Path

import pytest

from support.namespace import run, unique
from support.sandbox import MARK

from .conftest import left

pytestmark = pytest.mark.xdist_group("runtime")
NODE = "10.99.1.10"


@pytest.fixture
def conflist():
    """A network of the node's only ENI, which has four addresses."""
    directory = MARK / unique("eni")
    directory.mkdir()
    (directory / "eni.json").write_text(json.dumps({"enis": [{
        "id": "eni-1", "mac": "02:00:00:00:01:00", "deviceNumber": 0, "primaryAddress": NODE, "subnet": "10.99.1.0/24",
        "addresses": [f"10.99.1.{host}" for host in range(0x20, 0x24)]}]}))
    run("ip", "link", "add", "eni-uplink", "address", "02:00:00:00:01:00", "type", "veth", "peer", "name", "eni-vpc")
    run("ip", "addr", "add", f"{NODE}/24", "dev", "eni-uplink")
    run("ip", "link", "set", "eni-uplink", "up")
    yield {"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "eni-pool", "ipam": {
        "type": "pool", "inventory": str(directory / "eni.json"), "checkpoint": str(directory / "ipam.json"), "cooldown": 0}}]}
    run("ip", "link", "delete", "eni-uplink", check=False)


def nothing_left() -> list[str]:
    rules = [line for line in run("ip", "rule").stdout.splitlines() if "10.99.1." in line]
    return rules + [fact for fact in left(MARK / "nowhere") if not fact.startswith("eni-")]


def test_podman(podman, conflist):
    podman.network("pods")
    (podman.configurations / "pods.conflist").write_text(json.dumps(conflist | {"cniVersion": "0.4.0"}))
    try:
        server = podman.start("pods")
        address = podman.address(server, "pods")
        assert address.startswith("10.99.1.")
        said = podman("run", "--rm", "--network", "pods", "localhost/bb", "/bin/sh", "-c",
                      f"ip addr show eth0; ping -c1 -W2 {address} && ping -c1 -W2 {NODE} && echo reached")
        assert "/32" in said and said.endswith("reached")
        podman("stop", "--time", "0", server)
        assert nothing_left() == []
        podman("start", server)
        assert podman("exec", server, "/bin/ping", "-c1", "-W2", NODE)
    finally:
        podman.remove_all()
        (podman.configurations / "pods.conflist").unlink()
    assert nothing_left() == []


def test_containerd(containerd, conflist):
    file = Path("/etc/cni/net.d/10-eni.conflist")
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(conflist))
    try:
        # Its exit status is ctr's. What it prints, ctr may lose when it ends at once.
        containerd("run", "--rm", "--cni", "localhost/bb:latest", unique("c"), "/bin/sh", "-c",
                   f"ip route | grep -q 'default via 169.254.1.1 dev eth0' && ping -c1 -W2 {NODE}")
    finally:
        file.unlink()
    assert nothing_left() == []
