"""A bridge made beforehand that holds the node's own interface and address: pods live on the node's network."""

import pytest

from support.namespace import Host
from support.snapshot import difference, snapshot
from support.traffic import Echo, reaches, seen_source

SUBNET = "198.51.100.0/24"


@pytest.fixture
def neighbour(node) -> Host:
    """A second host on the node's network; the node's address is on the bridge, its cable a port. No routes anywhere."""
    host = node.own(Host())
    node.ip("link add br0 type bridge")
    node.ip("link set br0 up")
    host.wire(node, "uplink", master="br0")
    node.ip("addr add 198.51.100.1/24 dev br0")
    node.ip("addr add 2001:db8:100::1/64 dev br0 nodad")
    host.address("198.51.100.2/24", "2001:db8:100::2/64")
    assert reaches(host, "198.51.100.1")
    return host


@pytest.mark.parametrize("way", ("args", "CNI_ARGS", "runtimeConfig"))
def test_pods_of_the_nodes_network(node, neighbour, plugin, way):
    """Static addresses, by each way to ask for one; reached from another host without a route, under their own address."""
    address = "198.51.100.77"
    keys = {"args": {"args": {"cni": {"ips": [address]}}}, "CNI_ARGS": {}, "runtimeConfig": {"runtimeConfig": {"ips": [address]}}}
    before = snapshot(node)
    config = node.config(bridge="br0", ipam=node.ipam(SUBNET), **keys[way])
    attachment = node.attach(config, plugin=plugin, args=f"IgnoreUnknown=1;IP={address}" if way == "CNI_ARGS" else None)
    assert attachment.prefixes == ["198.51.100.77/24"]
    with Echo(attachment.pod), Echo(neighbour), Echo(node):
        assert seen_source(neighbour, address) == "198.51.100.2"
        assert seen_source(attachment.pod, "198.51.100.2") == address
        assert seen_source(attachment.pod, "198.51.100.1") == address
    attachment.check()
    attachment.delete()
    assert difference(before, snapshot(node)) == []


def test_bridge_keeps_what_it_has(node, neighbour, plugin):
    """Its address, MAC, MTU, ports, and the node's connection through it."""
    before = snapshot(node)
    config = node.config(bridge="br0", mtu=1400, ipam=node.ipam(SUBNET, "2001:db8:100::/64"),
                         runtimeConfig={"ips": ["198.51.100.77", "2001:db8:100::77"]})
    attachment = node.attach(config, plugin=plugin)
    assert node.link("br0")["mtu"] in (1400, 1500)  # the kernel's own rule: that of its smallest port
    assert {fact for fact in before - snapshot(node) if "mtu" not in fact} == set()
    assert reaches(neighbour, "198.51.100.77") and reaches(neighbour, "2001:db8:100::77")
    attachment.delete()
    assert difference(before, snapshot(node)) == []
    assert reaches(neighbour, "198.51.100.1")


def test_gateway_address_that_the_bridge_has(node, neighbour, plugin):
    """isGateway with the node's own address as the gateway takes the bridge as it is."""
    ipam = node.ipam(ranges=[[{"subnet": SUBNET, "gateway": "198.51.100.1", "rangeStart": "198.51.100.70"}]])
    config = node.config(bridge="br0", isDefaultGateway=True, ipam=ipam)
    attachment = node.attach(config, plugin=plugin)
    assert node.addresses("br0") == ["198.51.100.1/24", "2001:db8:100::1/64"]
    assert attachment.pod.default_gateways() == ["198.51.100.1"]
    attachment.check()


def test_gateway_beside_the_node(node, neighbour, plugin):
    """A router of the network as the pods' gateway: a route, no address on the bridge."""
    ipam = node.ipam(ranges=[[{"subnet": SUBNET, "gateway": "198.51.100.2", "rangeStart": "198.51.100.70"}]],
                     routes=[{"dst": "0.0.0.0/0"}])
    attachment = node.attach(node.config(bridge="br0", ipam=ipam), plugin=plugin)
    assert attachment.pod.default_gateways() == ["198.51.100.2"]
    assert node.sysctl("ipv4/ip_forward") == "0"
    attachment.check()
