"""Packets: who reaches whom, and which source address the other side sees."""

import errno
from pathlib import Path

import pytest

from support.cni import Attachment
from support.namespace import Host
from support.traffic import Echo, Member, MulticastRouter, eventually, ping, reaches, seen_source


def outside_address(host: Host, address: str) -> str:
    return host.address6 if ":" in address else host.address4


def node_address(address: str) -> str:
    return Host.PREFIX6 + ":1" if ":" in address else Host.PREFIX4 + ".1"


def test_pod_to_pod_and_gateway(node, plugin, subnets):
    config = node.config(isGateway=True, ipam=node.ipam(*subnets))
    client, server = node.attach(config, plugin=plugin), node.attach(config, plugin=plugin)
    with Echo(server.pod), Echo(node):
        for own, other, ip in zip(client.addresses, server.addresses, client.result["ips"], strict=True):
            assert reaches(client.pod, other)
            assert seen_source(client.pod, other) == own
            assert reaches(client.pod, ip["gateway"])
            assert seen_source(client.pod, ip["gateway"]) == own


def test_node_to_pod(node, plugin, subnets):
    attachment = node.attach(node.config(isGateway=True, ipam=node.ipam(*subnets)), plugin=plugin)
    assert all(reaches(node, address) for address in attachment.addresses)


def test_outside_without_masquerade(node, outside, plugin, subnets):
    """The outside sees the pod's address, and answers if it knows a route back."""
    attachment = node.attach(node.config(isDefaultGateway=True, ipam=node.ipam(*subnets)), plugin=plugin)
    with Echo(outside):
        for address in attachment.addresses:
            assert not ping(attachment.pod, outside_address(outside, address)), "an answer without a route back"
        outside.route_back(*subnets)
        for address in attachment.addresses:
            assert seen_source(attachment.pod, outside_address(outside, address)) == address
            assert reaches(outside, address)


def test_outside_with_masquerade(node, outside, nat_plugin, subnets):
    """The outside sees the node's address and needs no route; pods of the network still see each other's."""
    config = node.config(isDefaultGateway=True, ipMasq=True, ipam=node.ipam(*subnets))
    client, server = node.attach(config, plugin=nat_plugin), node.attach(config, plugin=nat_plugin)
    with Echo(outside), Echo(server.pod), Echo(node):
        for own, other, ip in zip(client.addresses, server.addresses, client.result["ips"], strict=True):
            assert seen_source(client.pod, outside_address(outside, own)) == node_address(own)
            assert reaches(client.pod, outside_address(outside, own))
            assert seen_source(client.pod, other) == own
            assert seen_source(client.pod, ip["gateway"]) == own


def test_masquerade_by_the_delegating_composition(node, outside, subnets):
    config = node.config(isDefaultGateway=True, ipMasq=True, ipam=node.ipam(*subnets))
    client = node.attach(config, plugin="bridge-delegate")
    with Echo(outside):
        for own in client.addresses:
            assert seen_source(client.pod, outside_address(outside, own)) == node_address(own)


def test_masquerade_ends_with_del(node, outside, nat_plugin):
    """The next pod with the same address, on a network that does not masquerade, is seen under its own."""
    address = "10.22.0.9"
    outside.route_back("10.22.0.0/24")
    with Echo(outside):
        for masquerade, seen in ((True, "192.0.2.1"), (False, address)):
            config = node.config(isDefaultGateway=True, ipMasq=masquerade, args={"cni": {"ips": [address]}},
                                 ipam=node.ipam("10.22.0.0/24"))
            attachment = node.attach(config, plugin=nat_plugin)
            assert attachment.address == address
            assert seen_source(attachment.pod, outside.address4) == seen
            attachment.delete()


def test_masquerade_of_one_pod_survives_another(node, outside, nat_plugin):
    """Pods of one network come and go without a gap for the rest; networks too."""
    def attach(network: str, third: int) -> Attachment:
        return node.attach(node.config(name=network, bridge=f"br-{network}", isDefaultGateway=True, ipMasq=True,
                                       ipam=node.ipam(f"10.22.{third}.0/24")), plugin=nat_plugin)

    first, second, other = attach("one", 1), attach("one", 1), attach("two", 2)
    with Echo(outside):
        first.delete()
        for pod in (second.pod, other.pod):
            assert seen_source(pod, outside.address4) == "192.0.2.1"
        other.delete()
        assert seen_source(second.pod, outside.address4) == "192.0.2.1"
        second.check()


def test_masquerade_for_two_interfaces_of_one_container(node, outside, nat_plugin):
    config = node.config(isDefaultGateway=True, ipMasq=True, ipam=node.ipam("10.22.0.0/24"))
    first = node.attach(config, plugin=nat_plugin)
    plain = {key: value for key, value in config.items() if key != "isDefaultGateway"} | {"isGateway": True}
    second = node.attach(plain, first.pod, ifname="eth1", plugin=nat_plugin)
    second.delete()
    with Echo(outside):
        assert seen_source(first.pod, outside.address4) == "192.0.2.1"
    first.check()


FAMILIES = pytest.mark.parametrize("subnet, group", (("10.22.0.0/24", "239.1.2.3"), ("fd00:22::/64", "ff15::1:2:3")),
                                   ids=("ipv4", "ipv6"))


def firewall_sees_bridged_frames(node, whether: bool) -> bool:
    """Sets it where the kernel can do it (br_netfilter); whether it is as asked now."""
    if not Path("/proc/sys/net/bridge").is_dir():
        return not whether
    for family in ("iptables", "ip6tables"):
        node.sysctl(f"bridge/bridge-nf-call-{family}", int(whether))
    return True


@FAMILIES
def test_bridged_multicast_is_not_masqueraded(node, nat_plugin, subnet, group):
    """Members see the pod's address also where the bridge passes frames through the firewall."""
    if not firewall_sees_bridged_frames(node, True):
        pytest.skip("this kernel passes no bridged frames through the firewall (br_netfilter)")
    config = node.config(isDefaultGateway=True, ipMasq=True, ipam=node.ipam(subnet))
    sender, member = node.attach(config, plugin=nat_plugin), node.attach(config, plugin=nat_plugin)
    with Member(member.pod, group) as here:
        assert here.source_of(sender.pod) == sender.address


@FAMILIES
def test_routed_multicast_is_not_masqueraded(node, outside, nat_plugin, subnet, group):
    """What the node routes to a group on another network keeps the pod's address; all else gets the node's."""
    assert firewall_sees_bridged_frames(node, False)  # else no rule would masquerade these, with an exception or without
    sender = node.attach(node.config(isDefaultGateway=True, ipMasq=True, ipam=node.ipam(subnet)), plugin=nat_plugin)
    try:
        router = MulticastRouter(node, sender.address, group, "cni-test", "uplink")
    except OSError as error:
        if error.errno != errno.ENOPROTOOPT:
            raise
        pytest.skip("this kernel has no multicast routing (CONFIG_IP_MROUTE, CONFIG_IPV6_MROUTE)")
    with router, Member(outside, group) as there, Echo(outside):
        assert there.source_of(sender.pod) == sender.address
        assert seen_source(sender.pod, outside_address(outside, sender.address)) == node_address(sender.address)


@pytest.mark.parametrize("subnet, address", (("10.22.0.0/24", "10.22.0.200"), ("fd00:22::/64", "fd00:22::200")),
                         ids=("ipv4", "ipv6"))
def test_own_subnet_is_not_masqueraded_when_routed(node, outside, nat_plugin, subnet, address):
    """A machine elsewhere with an address of the pods' subnet sees the pod's; no bridge passes these packets on."""
    assert firewall_sees_bridged_frames(node, False)
    attachment = node.attach(node.config(isDefaultGateway=True, ipMasq=True, ipam=node.ipam(subnet)), plugin=nat_plugin)
    host, length = (outside.address6, 128) if ":" in address else (outside.address4, 32)
    outside.address(f"{address}/{length}")
    outside.route_back(subnet)
    node.ip(f"route add {address}/{length} via {host}")
    attachment.pod.ip(f"route add {address}/{length} via {attachment.gateway}")
    with Echo(outside):
        assert seen_source(attachment.pod, address) == attachment.address
        assert seen_source(attachment.pod, host) == node_address(address)


@pytest.mark.parametrize("subnet, second", (("10.22.0.0/24", "10.22.0.200/24"), ("fd00:22::/64", "fd00:22::200/64")),
                         ids=("ipv4", "ipv6"))
@pytest.mark.parametrize("hairpin", (True, False))
def test_hairpin(node, plugin, hairpin, subnet, second):
    """A pod reaches itself through a port that the node forwards back to it, only in hairpin mode."""
    attachment = node.attach(node.config(isDefaultGateway=True, hairpinMode=hairpin, ipam=node.ipam(subnet)),
                             plugin=plugin)
    port = node.ports("cni-test")[attachment.host_interface]["port"]
    assert port["hairpin"] is hairpin
    # A second address on the same port, as another workload behind one interface: its frames must come back out.
    inner = node.pod()
    attachment.pod.ip(f"link add link eth0 name mv0 netns {inner.name} type macvlan mode vepa")
    inner.ip(f"addr add {second} dev mv0 nodad")
    inner.ip("link set mv0 up")
    attachment.pod.ip("link set eth0 promisc on")
    if hairpin:
        assert reaches(inner, attachment.address)
    else:
        assert reaches(inner, attachment.gateway)
        assert not ping(inner, attachment.address)


def test_gateway_survives_the_bridge_going_down(node, plugin):
    """The kernel drops IPv6 addresses of what goes down, unless it is told to keep them."""
    attachment = node.attach(node.config(isDefaultGateway=True, ipam=node.ipam("10.22.0.0/24", "fd00:22::/64")), plugin=plugin)
    node.ip("link set cni-test down")
    node.ip("link set cni-test up")
    attachment.check()
    assert reaches(attachment.pod, "fd00:22::1")


@pytest.mark.parametrize("isolated", (True, False))
def test_port_isolation(node, plugin, isolated):
    """Isolated pods reach the gateway and not each other."""
    config = node.config(isGateway=True, portIsolation=isolated, ipam=node.ipam("10.22.0.0/24"))
    client, server = node.attach(config, plugin=plugin), node.attach(config, plugin=plugin)
    assert node.ports("cni-test")[client.host_interface]["port"]["isolated"] is isolated
    assert reaches(client.pod, client.gateway)
    if isolated:
        assert not ping(client.pod, server.address)
    else:
        assert reaches(client.pod, server.address)


def test_isolated_and_other_pods(node):
    """Isolation is between isolated ports only."""
    isolated = node.attach(node.config(isGateway=True, portIsolation=True, ipam=node.ipam("10.22.0.0/24")))
    other = node.attach(node.config(isGateway=True, ipam=node.ipam("10.22.0.0/24")))
    assert reaches(isolated.pod, other.address)


@pytest.mark.parametrize("checked", (True, False))
def test_spoofed_mac(node, plugin, checked):
    """With macspoofchk, frames under another MAC than the attachment's are dropped on the way in."""
    config = node.config(isGateway=True, macspoofchk=checked, ipam=node.ipam("10.22.0.0/24"))
    attachment = node.attach(config, plugin=plugin)
    assert reaches(attachment.pod, attachment.gateway)
    attachment.pod.ip("link set eth0 address 02:00:00:00:00:99")
    attachment.pod.ip("neigh flush all")
    node.ip("neigh flush all")
    if checked:
        assert not ping(attachment.pod, attachment.gateway)
        attachment.pod.ip(f"link set eth0 address {attachment.mac}")
    assert reaches(attachment.pod, attachment.gateway)


def test_spoof_check_of_one_pod_leaves_others(node):
    """The DEL of one attachment leaves the checks of the rest in force."""
    config = node.config(isGateway=True, macspoofchk=True, ipam=node.ipam("10.22.0.0/24"))
    first, second = node.attach(config), node.attach(config)
    first.delete()
    assert reaches(second.pod, second.gateway)
    second.pod.ip("link set eth0 address 02:00:00:00:00:99")
    second.pod.ip("neigh flush all")
    assert not ping(second.pod, second.gateway)


def test_networks_are_routed_between(node):
    """Two networks of one node reach each other through it, each pod under its own address."""
    def attach(third: int, name: str) -> Attachment:
        return node.attach(node.config(name=name, bridge=f"br-{name}", isDefaultGateway=True,
                                       ipam=node.ipam(f"10.22.{third}.0/24")))

    client, server = attach(1, "one"), attach(2, "two")
    with Echo(server.pod):
        assert seen_source(client.pod, server.address) == client.address


def test_ipv6_is_usable_at_once(node):
    """No duplicate address detection, unless asked for: addresses are not tentative when ADD returns."""
    attachment = node.attach(node.config(isGateway=True, ipam=node.ipam("fd00:22::/64")))
    assert attachment.pod.ip("-6 addr show dev eth0 scope global tentative").stdout == ""


def test_traffic_stops_with_del(node):
    """When DEL has returned, nothing of the pod answers."""
    config = node.config(isGateway=True, ipam=node.ipam("10.22.0.0/24"))
    first, second = node.attach(config), node.attach(config)
    assert reaches(first.pod, second.address)
    second.delete()
    assert second.pod.link("eth0") is None
    assert second.host_interface not in node.links()
    assert not ping(first.pod, second.address)
    assert eventually(lambda: node.leases().keys() == {first.address})
