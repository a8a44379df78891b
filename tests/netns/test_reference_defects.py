"""What went wrong in the reference bridge plugin and must not go wrong here: one test a defect, named after it."""

import pytest

from support.cni import Attachment
from support.namespace import Host
from support.snapshot import concerning, difference, ruleset, snapshot
from support.traffic import Echo, eventually, ping, reaches, seen_source

SUBNET = "10.22.0.0/24"


def test_01_layer_3_after_layer_2_on_one_bridge_failed_on_the_bridges_mac(node, plugin):
    node.attach(node.config(), plugin=plugin).delete()
    attachment = node.attach(node.config(isGateway=True, ipam=node.ipam(SUBNET)), plugin=plugin)
    mac = node.link("cni-test")["address"]
    attachment.delete()
    node.attach(node.config(isGateway=True, ipam=node.ipam(SUBNET)), plugin=plugin)
    assert node.link("cni-test")["address"] == mac, "the bridge's MAC follows its ports"


@pytest.mark.parametrize("made", ("by ADD", "beforehand"))
def test_01_mac_of_the_bridge_followed_its_ports(node, plugin, made):
    """Pods would lose the gateway's neighbour entry whenever another pod comes or goes."""
    if made == "beforehand":
        node.ip("link add cni-test type bridge")
    attachments = [node.attach(node.config(isGateway=True, ipam=node.ipam(SUBNET)), plugin=plugin)]
    mac = node.link("cni-test")["address"]
    for _ in range(5):
        attachments.append(node.attach(node.config(isGateway=True, ipam=node.ipam(SUBNET)), plugin=plugin))
        assert node.link("cni-test")["address"] == mac
    for attachment in attachments:
        attachment.delete()
        assert node.link("cni-test")["address"] == mac


@pytest.mark.parametrize("subnet, default", ((SUBNET, "0.0.0.0/0"), ("fd00:22::/64", "::/0")), ids=("ipv4", "ipv6"))
def test_02_default_route_of_the_ipam_without_gw_collided_with_isDefaultGateway(node, plugin, subnet, default):
    config = node.config(isDefaultGateway=True, ipam=node.ipam(subnet, routes=[{"dst": default}]))
    attachment = node.attach(config, plugin=plugin)
    assert attachment.pod.default_gateways(6 if ":" in subnet else 4) == [attachment.gateway]
    attachment.check()


def test_03_del_of_one_of_two_interfaces_broke_the_masquerade_of_the_other(node, outside, nat_plugin):
    config = node.config(isDefaultGateway=True, ipMasq=True, ipam=node.ipam(SUBNET))
    first = node.attach(config, plugin=nat_plugin)
    second = node.attach({**config, "isDefaultGateway": False, "isGateway": True}, first.pod, ifname="eth1",
                         plugin=nat_plugin)
    second.delete()
    with Echo(outside):
        assert seen_source(first.pod, outside.address4) == "192.0.2.1"
    first.delete()
    assert concerning(ruleset(node), first.address, second.address, first.pod.container) == []


@pytest.mark.parametrize("netns", ("empty", "gone"))
def test_04_del_without_a_netns_leaked_masquerade_and_spoof_rules(node, nat_plugin, netns):
    config = node.config(isGateway=True, ipMasq=True, macspoofchk=True, ipam=node.ipam(SUBNET, "fd00:22::/64"))
    before = ruleset(node)
    attachment = node.attach(config, plugin=nat_plugin)
    assert difference(before, ruleset(node)) != []
    if netns == "gone":
        attachment.pod.close()
    attachment.delete(netns="" if netns == "empty" else attachment.pod.path)
    assert difference(before, ruleset(node)) == []
    assert node.ports("cni-test") == {}
    assert node.leases() == {}


def test_04_gc_did_nothing(node, nat_plugin):
    config = node.config(cniVersion="1.1.0", isGateway=True, ipMasq=True, macspoofchk=True, ipam=node.ipam(SUBNET))
    before = ruleset(node)
    node.attach(config, plugin=nat_plugin)
    node.cni("GC", config | {"cni.dev/valid-attachments": []}, nat_plugin).success()
    assert difference(before, ruleset(node)) == []
    assert node.ports("cni-test") == {} and node.leases() == {}


@pytest.mark.parametrize("ipam", (None, {}), ids=("absent", "empty"))
def test_05_check_of_a_layer_2_attachment_failed(node, plugin, ipam):
    node.attach(node.config(ipam=ipam), plugin=plugin).check()


def test_06_failed_add_left_the_veth_pair_and_its_rules(node, plugin):
    """Fails late: the route of the IPAM cannot be set, its gateway is on no network of the pod."""
    config = node.config(isGateway=True, ipMasq=True, macspoofchk=True,
                         ipam=node.ipam(SUBNET, routes=[{"dst": "172.16.0.0/12", "gw": "192.168.77.1"}]))
    pod = node.pod()
    before, inside = snapshot(node), snapshot(pod)
    Attachment(node, config, pod, plugin=plugin).run("ADD").failure()
    assert difference(before, snapshot(node)) == []
    assert difference(inside, snapshot(pod)) == []


def test_06_add_after_a_failed_add_said_the_interface_exists(node, plugin):
    wrong = node.config(isGateway=True, ipam=node.ipam(SUBNET, routes=[{"dst": "172.16.0.0/12", "gw": "192.168.77.1"}]))
    attachment = Attachment(node, wrong, node.pod(), plugin=plugin)
    attachment.run("ADD").failure()
    attachment.add(config=node.config(isGateway=True, ipam=node.ipam(SUBNET)))


def test_07_add_into_the_nodes_own_netns_printed_a_result_and_an_error_and_kept_the_interfaces(node, plugin):
    before = snapshot(node)
    config = node.config(isGateway=True, ipam=node.ipam(SUBNET))
    for path in (node.path, "/proc/self/ns/net", f"/var{node.path}"):
        for verb in ("ADD", "DEL", "CHECK"):
            node.cni(verb, config, plugin, container="c", netns=path, ifname="eth0").failure(8)
    assert difference(before, snapshot(node)) == []


def test_07_unless_it_is_asked_for(node, plugin):
    config = node.config(isGateway=True, ipam=node.ipam(SUBNET))
    for value in ("1", "true", "TRUE"):
        options = {"container": "c", "netns": node.path, "ifname": "own0", "env": {"CNI_NETNS_OVERRIDE": value}}
        node.cni("ADD", config, plugin, **options).success()
        assert node.addresses("own0") != []
        node.cni("DEL", config, plugin, **options).success()
        assert "own0" not in node.links()


def test_08_check_failed_on_promiscuous_mode_set_by_others(node, plugin):
    attachment = node.attach(node.config(isGateway=True, ipam=node.ipam(SUBNET)), plugin=plugin)
    node.ip("link set cni-test promisc on")
    attachment.check()


def test_08_check_failed_on_another_spelling_of_the_netns(node, plugin):
    attachment = node.attach(node.config(isGateway=True, ipam=node.ipam(SUBNET)), plugin=plugin)
    attachment.check(netns="/var" + attachment.pod.path)


def test_08_check_failed_when_udev_changed_the_host_ends_mac(node, plugin):
    """Such a change is harmless to the pod."""
    attachment = node.attach(node.config(isGateway=True, ipam=node.ipam(SUBNET)), plugin=plugin)
    node.ip(f"link set {attachment.host_interface} address 02:00:00:00:00:77")
    attachment.check()


def test_08_check_failed_when_ports_changed_the_mac_of_a_layer_2_bridge(node, plugin):
    attachments = [node.attach(node.config(), plugin=plugin) for _ in range(6)]
    for attachment in attachments[1:]:
        attachments[0].check()
        attachment.delete()
    attachments[0].check()


def test_08_check_took_a_default_route_through_another_gateway(node, plugin):
    attachment = node.attach(node.config(isDefaultGateway=True, ipam=node.ipam(SUBNET)), plugin=plugin)
    attachment.pod.ip("route replace default via 10.22.0.77")
    attachment.run("CHECK").failure(None, "10.22.0.1")


def test_09_previous_result_was_dropped_on_add(node, plugin):
    previous = {"cniVersion": "1.0.0", "interfaces": [{"name": "tap7"}], "dns": {"domain": "example"}}
    result = node.attach(node.config(ipam=node.ipam(SUBNET)) | {"prevResult": previous}, plugin=plugin).result
    assert "tap7" in [interface["name"] for interface in result["interfaces"]]


def test_10_enabledad_did_not_wait_without_a_gateway(node, reference):
    """With an IPAM that names no gateway, which host-local always does."""
    config = node.config(enabledad=True, ipam={"type": "static", "addresses": [{"address": "fd00:22::5/64"}]})
    attachment = Attachment(node, config, node.pod(), plugin="bridge-delegate")
    attachment.add(path=str(reference.directory))
    assert attachment.pod.ip("-6 addr show dev eth0 scope global tentative").stdout == ""


def test_11_existing_bridge_was_not_switched_to_vlan_filtering(node, plugin, vlan_filtering):
    node.ip("link add cni-test type bridge vlan_filtering 0")
    node.attach(node.config(vlan=100), plugin=plugin)
    assert node.link("cni-test")["linkinfo"]["info_data"]["vlan_filtering"] == 1


def test_12_check_of_a_route_in_another_table_failed(node, plugin):
    routes = [{"dst": "172.16.0.0/12", "gw": "10.22.0.1", "table": 100}]
    config = node.config(isGateway=True, ipam=node.ipam(SUBNET, routes=routes))
    attachment = node.attach(config, plugin=plugin)
    attachment.check()
    attachment.pod.ip("route del 172.16.0.0/12 table 100")
    attachment.run("CHECK").failure(None, "172.16.0.0/12")


def test_12_link_scope_route_got_the_ipams_gateway(node, plugin):
    config = node.config(isGateway=True,
                         ipam=node.ipam(SUBNET, routes=[{"dst": "172.31.0.0/24", "scope": 253}]))
    attachment = node.attach(config, plugin=plugin)
    (route,) = [route for route in attachment.pod.routes() if route["dst"] == "172.31.0.0/24"]
    assert "gateway" not in route
    attachment.check()


def test_12_mtu_and_advmss_of_a_route_were_not_set(node, plugin):
    config = node.config(isGateway=True,
                         ipam=node.ipam(SUBNET, routes=[{"dst": "172.16.0.0/12", "mtu": 1300, "advmss": 1200}]))
    attachment = node.attach(config, plugin=plugin)
    (route,) = [route for route in attachment.pod.routes() if route["dst"] == "172.16.0.0/12"]
    assert {key: value for metrics in route["metrics"] for key, value in metrics.items()} == {"mtu": 1300, "advmss": 1200}


def test_13_messages_were_hard_to_read(node, plugin):
    """An unusable route is named as a person writes it, not with a mask of 16 bytes."""
    config = node.config(isGateway=True, ipam=node.ipam(SUBNET, routes=[{"dst": "172.16.0.0/12", "gw": "192.168.77.1"}]))
    error = Attachment(node, config, node.pod(), plugin=plugin).run("ADD").failure(None, "172.16.0.0/12", "192.168.77.1")
    assert "ffff" not in error["msg"]


@pytest.mark.parametrize("subnet, address, other", ((SUBNET, "10.22.0.9", "10.22.0.77/24"),
                                                    ("fd00:22::/64", "fd00:22::9", "fd00:22::77/64")), ids=("ipv4", "ipv6"))
def test_14_address_was_announced_before_the_port_forwards(node, plugin, subnet, address, other):
    """Neighbours that know the address by the former pod's MAC address, for 15 s at least, learn the new one from ADD."""
    plain = node.config(isGateway=True, ipam=node.ipam(subnet))
    fixed = plain | {"args": {"cni": {"ips": [address]}}}
    pod = node.attach(plain, plugin=plugin).pod
    machine = node.own(Host())
    machine.wire(node, master="cni-test")
    machine.address(other)
    former = node.attach(fixed, plugin=plugin)
    assert all(reaches(neighbour, address) for neighbour in (pod, machine, node))
    former.delete()
    later = node.attach(fixed, plugin=plugin)
    assert later.mac != former.mac
    for neighbour in (pod, machine, node):
        assert eventually(lambda: ping(neighbour, address), within=2)  # softirqs of a busy machine
