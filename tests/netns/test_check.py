"""CHECK says everything that differs from what ADD made, in one error, and nothing else."""

import pytest

from support.cni import CHECK_VERSIONS
from support.snapshot import difference, snapshot

SUBNETS = ("10.22.0.0/24", "fd00:22::/64")
ROUTES = [{"dst": "172.16.0.0/12"}, {"dst": "192.168.0.0/16", "gw": "10.22.0.7"}]


def full(node, **keys) -> dict:
    return node.config(**({"isDefaultGateway": True, "ipMasq": True, "macspoofchk": True, "hairpinMode": True, "mtu": 1400,
                           "ipam": node.ipam(*SUBNETS, routes=ROUTES)} | keys))


def no_masquerade(node, a):
    node.run("nft", "delete table ip nat; delete table ip6 nat") if a.plugin == "bridge-iptables" else \
        node.run("nft", "delete table inet cnix")
    return ["masquerad"]


def no_masquerade_of_one_family(node, a):
    if a.plugin == "bridge-iptables":
        node.run("nft", "delete table ip6 nat")
    else:
        node.run("nft", "flush ruleset inet")
    return ["masquerad"]


def no_spoof_check(node, a):
    node.run("nft", "flush ruleset bridge")
    return ["MAC address"]


def hairpin_off(node, a):
    node.ip(f"link set {a.host_interface} type bridge_slave hairpin off")
    return ["hairpin", a.host_interface]


def isolated(node, a):
    node.ip(f"link set {a.host_interface} type bridge_slave isolated on")
    return ["isolat", a.host_interface]


def mtu_in_the_pod(node, a):
    a.pod.ip("link set eth0 mtu 1300")
    return ["mtu", "1300", "eth0"]


def mtu_on_the_node(node, a):
    node.ip(f"link set {a.host_interface} mtu 1300")
    return ["mtu", "1300", a.host_interface]


def bridge_address(node, a):
    node.ip("addr del 10.22.0.1/24 dev cni-test")
    return ["10.22.0.1", "cni-test"]


def bridge_address_ipv6(node, a):
    node.ip("addr del fd00:22::1/64 dev cni-test")
    return ["fd00:22::1", "cni-test"]


def forwarding(node, a):
    node.sysctl("ipv4/ip_forward", 0)
    return ["forward"]


def forwarding_ipv6(node, a):
    node.sysctl("ipv6/conf/all/forwarding", 0)
    return ["forward"]


def pod_end_down(node, a):
    a.pod.ip("link set eth0 down")
    return ["eth0", "down"]


def host_end_down(node, a):
    node.ip(f"link set {a.host_interface} down")
    return [a.host_interface, "down"]


def bridge_down(node, a):
    node.ip("link set cni-test down")
    return ["cni-test", "down"]


def lease(node, a):
    (node.data / "net" / a.address).unlink()
    return [a.address]


def lease_of_another(node, a):
    (node.data / "net" / a.address).write_bytes(b"somebody\r\neth0")
    return [a.address]


def route(node, a):
    a.pod.ip("route del 172.16.0.0/12")
    return ["172.16.0.0/12"]


def route_through_another_gateway(node, a):
    a.pod.ip("route replace 192.168.0.0/16 via 10.22.0.8")
    return ["192.168.0.0/16"]


def default_route(node, a):
    a.pod.ip("route del default")
    return ["0.0.0.0/0"]


def default_route_ipv6(node, a):
    a.pod.ip("-6 route del default")
    return ["::/0"]


def address(node, a):
    a.pod.ip(f"addr del {a.prefixes[0]} dev eth0")
    return [a.prefixes[0], "eth0"]


def address_ipv6(node, a):
    a.pod.ip(f"addr del {a.prefixes[1]} dev eth0")
    return [a.prefixes[1], "eth0"]


def detached(node, a):
    node.ip(f"link set {a.host_interface} nomaster")
    return [a.host_interface, "cni-test"]


def attached_elsewhere(node, a):
    node.ip("link add elsewhere type bridge")
    node.ip(f"link set {a.host_interface} master elsewhere")
    return [a.host_interface, "cni-test"]


def mac_in_the_pod(node, a):
    a.pod.ip("link set eth0 address 02:00:00:00:00:99")
    return ["eth0", a.mac]


def interface_gone(node, a):
    a.pod.ip("link del eth0")
    return ["eth0"]


def interface_of_another_kind(node, a):
    a.pod.ip("link del eth0")
    a.pod.ip("link add eth0 type bridge")
    return ["eth0", "veth"]


def bridge_gone(node, a):
    node.ip("link del cni-test")
    return ["cni-test"]


def alias_replaced(node, attachment):
    node.ip(f"link set {attachment.host_interface} alias other")
    return ["alias", attachment.host_interface, "other"]


def forwarding_of_the_bridge(node, attachment):
    node.sysctl("ipv4/conf/cni-test/forwarding", 0)
    return ["net/ipv4/conf/cni-test/forwarding is 0"]


CHANGES = (no_masquerade, no_masquerade_of_one_family, no_spoof_check, hairpin_off, isolated, mtu_in_the_pod, mtu_on_the_node,
           bridge_address, bridge_address_ipv6, forwarding, forwarding_ipv6,
           forwarding_of_the_bridge, alias_replaced, pod_end_down, host_end_down, bridge_down, lease,
           lease_of_another, route, route_through_another_gateway, default_route, default_route_ipv6, address, address_ipv6,
           detached, attached_elsewhere, mac_in_the_pod, interface_gone, interface_of_another_kind, bridge_gone)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_check_names(node, plugin, change):
    attachment = node.attach(full(node), plugin=plugin)
    attachment.check()
    texts = change(node, attachment)
    attachment.run("CHECK").failure(None, *texts)


def test_check_says_all_at_once(node, plugin):
    attachment = node.attach(full(node), plugin=plugin)
    texts = []
    for change in (no_masquerade, no_spoof_check, hairpin_off, isolated, mtu_in_the_pod, bridge_address, forwarding, lease,
                   route, address_ipv6):
        texts += change(node, attachment)
    attachment.run("CHECK").failure(None, *texts)


def test_check_of_an_isolated_port(node, plugin):
    attachment = node.attach(full(node, portIsolation=True), plugin=plugin)
    attachment.check()
    node.ip(f"link set {attachment.host_interface} type bridge_slave isolated off")
    attachment.run("CHECK").failure(None, "isolat", attachment.host_interface)


def test_check_of_layer_2(node, plugin):
    attachment = node.attach(node.config(hairpinMode=True), plugin=plugin)
    attachment.check()
    attachment.pod.ip("link set eth0 down")
    node.ip(f"link set {attachment.host_interface} type bridge_slave hairpin off")
    attachment.run("CHECK").failure(None, "eth0", "hairpin")


@pytest.mark.parametrize("version", CHECK_VERSIONS)
def test_what_other_plugins_of_the_chain_added_is_no_fault(node, plugin, version):
    """The previous result of CHECK is the last plugin's: it may hold more interfaces, addresses and routes elsewhere."""
    attachment = node.attach(full(node, cniVersion=version), plugin=plugin)
    extra = {"name": "tun0", "mac": "02:00:00:00:00:01", "sandbox": attachment.pod.path}
    attachment.result["interfaces"].append(extra)
    attachment.check()


def test_what_is_no_fault(node, plugin):
    """Things others may do to a healthy attachment."""
    attachment = node.attach(full(node), plugin=plugin)
    node.ip("link set cni-test promisc on")
    attachment.pod.ip("addr add 10.55.0.1/24 dev eth0")
    attachment.pod.ip("route add 10.66.0.0/16 via 10.22.0.1")
    node.ip("addr add 10.77.0.1/24 dev cni-test")
    node.run("nft", "add table inet of-somebody-else")
    attachment.check(netns="/var" + attachment.pod.path)


def test_check_needs_a_previous_result(node, plugin):
    attachment = node.attach(full(node), plugin=plugin)
    attachment.run("CHECK", prev=False).failure(None, "prevResult")


def test_check_without_the_netns(node, plugin):
    attachment = node.attach(full(node), plugin=plugin)
    attachment.pod.close()
    attachment.run("CHECK").failure(None, attachment.pod.path)


def test_check_changes_nothing(node, plugin):
    """Neither when all is well nor when it is not."""
    attachment = node.attach(full(node), plugin=plugin)
    before = snapshot(node)
    attachment.check()
    assert difference(before, snapshot(node)) == []
    attachment.pod.ip("route del default")
    before = snapshot(attachment.pod)
    attachment.run("CHECK").failure()
    assert difference(before, snapshot(attachment.pod)) == []
