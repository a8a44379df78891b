"""Pods with a branch ENI (security groups for pods) by the program `eni`: upstream's cases of them, by their names there. They need
VLANs; where the machine's kernel has none they run in a virtual machine (tests/vm)."""

import pytest

from support.cni import Attachment
from support.eni_lab import batch
from support.ipamd_stub import Stub
from support.namespace import Namespace
from support.snapshot import difference, snapshot
from support.traffic import reaches

pytest.importorskip("grpc", reason="python3-grpcio is not installed")
GATEWAY, ADDRESS, MAC = "10.0.5.1", "10.0.5.55", "02:00:00:00:00:07"


@pytest.fixture
def cloud(node) -> Namespace:
    """It brings the branch's subnet to the node's trunk ENI, eth1, as VLAN 7."""
    if node.ip("link add eth1 type bridge", check=False).returncode or node.ip("link add probe link eth1 type vlan id 9", check=False).returncode:
        pytest.skip("this kernel has no VLAN interfaces (CONFIG_VLAN_8021Q)")
    node.ip("link del eth1")
    cloud = node.own(Namespace("cloud"))
    cloud.ip(f"link add trunk type veth peer name eth1 netns {node.name}")
    batch(cloud, "link set trunk up", "link add branch link trunk type vlan id 7", "link set branch up", f"addr add {GATEWAY}/24 dev branch",
          f"neigh replace {ADDRESS} lladdr {MAC} dev branch nud permanent")
    batch(node, "link set eth1 up", "addr add 10.0.2.10/24 dev eth1")
    node.sysctl("ipv4/ip_forward", 1)
    return cloud


@pytest.fixture
def trunk(bare_daemon, node, cloud):
    bare_daemon.stub = Stub(f"unix://{bare_daemon.socket}", [(1, [ADDRESS])])
    bare_daemon.stub.branches["nginx"] = {"vlan": 7, "mac": MAC, "gateway": GATEWAY, "trunk": node.links()["eth1"]["ifindex"]}
    return bare_daemon


def branch_pod(daemon, mode: str) -> Attachment:
    return daemon.pod(config=daemon.config(podSGEnforcingMode=mode))


@pytest.mark.parametrize("mode", ("strict", "standard"))
def test_cmd_add_for_pod_eni_network(trunk, cloud, mode):
    before = snapshot(trunk.node)
    pod = branch_pod(trunk, mode)
    pod.add()
    host = ("vlan" if mode == "strict" else "eni") + "c440f455693"
    assert [one["name"] for one in pod.result["interfaces"]] == [host, "eth0", "dummyc440f455693"]
    assert pod.result["interfaces"][2] == {"name": "dummyc440f455693", "mac": "7"}
    assert pod.result["ips"] == [{"address": f"{ADDRESS}/32", "gateway": GATEWAY, "interface": 1}]
    rules = [" ".join(line.split()) for line in trunk.node.ip("rule").stdout.splitlines() if "proto 201" in line]
    assert rules == [f"{rule} lookup {table} proto 201" for rule, table in {
        "strict": (("10: from all iif vlan.eth.7", 107), (f"10: from all iif {host}", 107)),
        "standard": ((f"512: from all to {ADDRESS}", "main"), (f"1536: from {ADDRESS}", 107))}[mode]], rules
    pod.check()
    assert reaches(pod.pod, GATEWAY) and reaches(cloud, ADDRESS)
    pod.delete()
    assert difference(before, snapshot(trunk.node)) == [] and trunk.stub.held == {}


def test_cmd_del_with_prev_result_for_branch_eni(trunk):
    """Upstream's does nothing when the namespace is gone, and never tells the daemon; ours leaves it the release."""
    before = snapshot(trunk.node)
    pod = branch_pod(trunk, "strict")
    pod.add()
    trunk.stop()
    pod.pod.close()
    pod.delete(netns="")
    assert difference(before, snapshot(trunk.node)) == [] and len(trunk.spooled()) == 1
