"""VLANs on the bridge. Needs a kernel with bridge VLAN filtering; elsewhere tests/vm runs this file in a virtual machine."""

import json

import pytest

from support.cni import Attachment
from support.namespace import run
from support.snapshot import difference, snapshot
from support.traffic import ping, reaches

pytestmark = pytest.mark.usefixtures("vlan_filtering")
SUBNET = "10.22.0.0/24"


def vlans(node, port: str) -> dict[int, set[str]]:
    """A port's VLANs with their flags."""
    listed = json.loads(run("bridge", "-n", node.name, "-j", "vlan", "show", "dev", port).stdout)
    found = {}
    for entry in listed[0]["vlans"] if listed else []:
        for vid in range(entry["vlan"], entry.get("vlanEnd", entry["vlan"]) + 1):
            found[vid] = set(entry.get("flags", []))
    return found


ACCESS = {"PVID", "Egress Untagged"}


def test_access_vlan(node, plugin):
    attachment = node.attach(node.config(vlan=100, ipam=node.ipam(SUBNET)), plugin=plugin)
    assert node.link("cni-test")["linkinfo"]["info_data"]["vlan_filtering"] == 1
    assert vlans(node, attachment.host_interface) == {100: ACCESS}
    attachment.check()


def test_vlans_keep_pods_apart(node):
    one = [node.attach(node.config(vlan=100, ipam=node.ipam(SUBNET))) for _ in range(2)]
    other = node.attach(node.config(vlan=200, ipam=node.ipam(SUBNET)))
    assert reaches(one[0].pod, one[1].address)
    assert not ping(one[0].pod, other.address)


def test_default_vlan_is_kept_when_asked(node):
    attachment = node.attach(node.config(vlan=100, preserveDefaultVlan=True, ipam=node.ipam(SUBNET)))
    found = vlans(node, attachment.host_interface)
    assert set(found) == {1, 100} and "PVID" in found[100]


def test_trunk(node):
    trunk = [{"minID": 10, "maxID": 12}, {"id": 20}, {"id": 11}]
    attachment = node.attach(node.config(vlanTrunk=trunk))
    assert vlans(node, attachment.host_interface) == {1: ACCESS, 10: set(), 11: set(), 12: set(), 20: set()}
    attachment.check()


def test_trunk_with_access_vlan(node):
    attachment = node.attach(node.config(vlan=100, vlanTrunk=[{"id": 20}]))
    assert vlans(node, attachment.host_interface) == {100: ACCESS, 20: set()}


def test_gateway_in_a_vlan(node):
    """Pods of the VLAN reach the gateway, which is an interface of its own."""
    config = node.config(vlan=100, isDefaultGateway=True, ipam=node.ipam(SUBNET))
    attachment = node.attach(config)
    assert node.addresses("cni-test.100") == ["10.22.0.1/24"]
    assert [interface["name"] for interface in attachment.result["interfaces"]][3] == "cni-test.100"
    assert reaches(attachment.pod, "10.22.0.1")
    other = node.attach(node.config(vlan=200, ipam=node.ipam(SUBNET)))
    assert not ping(other.pod, "10.22.0.1")
    attachment.check()
    attachment.delete()


def test_check_names_a_missing_vlan(node):
    attachment = node.attach(node.config(vlan=100, vlanTrunk=[{"id": 20}], ipam=node.ipam(SUBNET)))
    run("bridge", "-n", node.name, "vlan", "del", "dev", attachment.host_interface, "vid", "20")
    attachment.run("CHECK").failure(None, "20", attachment.host_interface)
    run("bridge", "-n", node.name, "vlan", "del", "dev", attachment.host_interface, "vid", "100")
    attachment.run("CHECK").failure(None, "100", attachment.host_interface)


def test_check_names_the_gateways_port(node):
    attachment = node.attach(node.config(vlan=100, isGateway=True, ipam=node.ipam(SUBNET)))
    attachment.check()
    port, = {name for name, link in node.links().items() if link.get("master") == "cni-test"} - {attachment.host_interface}
    run("bridge", "-n", node.name, "vlan", "del", "dev", port, "vid", "100")
    attachment.run("CHECK").failure(None, "VLAN 100", port)
    node.ip(f"link set {port} nomaster")
    attachment.run("CHECK").failure(None, port, "not a port of the bridge cni-test")


def test_existing_bridge_is_switched(node):
    node.ip("link add cni-test type bridge vlan_filtering 0")
    attachment = node.attach(node.config(vlan=100))
    assert node.link("cni-test")["linkinfo"]["info_data"]["vlan_filtering"] == 1
    assert vlans(node, attachment.host_interface) == {100: ACCESS}


def test_failed_add_leaves_nothing(node):
    ipam = node.ipam(SUBNET, routes=[{"dst": "172.16.0.0/12", "gw": "192.168.77.1"}])
    pod = node.pod()
    before = snapshot(node)
    Attachment(node, node.config(vlan=100, isGateway=True, ipam=ipam), pod).run("ADD").failure()
    assert difference(before, snapshot(node)) == []
