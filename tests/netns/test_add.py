"""ADD, CHECK and DEL in every version of the protocol, and the shape of their results."""

import json
import re
from pathlib import Path

import pytest

from support.cni import CHECK_VERSIONS, VERSIONS
from support.snapshot import concerning, difference, snapshot

MAC = re.compile(r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$")


@pytest.mark.parametrize("version", VERSIONS)
def test_add_check_del(node, plugin, subnets, version):
    """The round of verbs, after which only the bridge is left."""
    node.attach(node.config(cniVersion=version, isGateway=True, ipam=node.ipam(*subnets)), plugin=plugin).delete()
    before = snapshot(node)
    attachment = node.attach(
        node.config(cniVersion=version, isDefaultGateway=True, ipMasq=True, macspoofchk=True, ipam=node.ipam(*subnets)),
        plugin=plugin)
    assert attachment.result["cniVersion"] == version
    assert attachment.pod.addresses("eth0") == attachment.prefixes
    assert [prefix.partition("/")[2] for prefix in attachment.prefixes] == [s.partition("/")[2] for s in subnets]
    for subnet in subnets:
        family = 6 if ":" in subnet else 4
        gateway = subnet.partition("/")[0].removesuffix("0") + "1"
        assert attachment.pod.default_gateways(family) == [gateway]
        assert gateway + "/" + subnet.partition("/")[2] in node.addresses("cni-test")
    if version in CHECK_VERSIONS:
        attachment.check()
    attachment.delete()
    assert difference(before, snapshot(node)) == []
    assert attachment.pod.link("eth0") is None
    assert node.leases() == {}


@pytest.mark.parametrize("version", VERSIONS[:2])
def test_result_of_the_first_versions(node, plugin, version):
    """0.1.0 and 0.2.0: one address of each family and its routes, no interfaces."""
    result = node.attach(node.config(
        cniVersion=version, isGateway=True,
        ipam=node.ipam("10.22.0.0/24", "fd00:22::/64", routes=[{"dst": "0.0.0.0/0"}, {"dst": "::/0", "gw": "fd00:22::1"}])),
        plugin=plugin).result
    assert list(result) == ["cniVersion", "ip4", "ip6", "dns"]
    assert result["ip4"] == {"ip": "10.22.0.2/24", "gateway": "10.22.0.1", "routes": [{"dst": "0.0.0.0/0"}]}
    assert result["ip6"] == {"ip": "fd00:22::2/64", "gateway": "fd00:22::1",
                             "routes": [{"dst": "::/0", "gw": "fd00:22::1"}]}
    assert result["dns"] == {}


@pytest.mark.parametrize("version", VERSIONS[2:])
def test_result_of_later_versions(node, plugin, version):
    """Interfaces are the bridge, the host end, the container end; addresses point at the last."""
    attachment = node.attach(node.config(
        cniVersion=version, isGateway=True, mtu=1400,
        ipam=node.ipam("10.22.0.0/24", "fd00:22::/64", routes=[{"dst": "0.0.0.0/0"}])), plugin=plugin)
    result, pod = attachment.result, attachment.pod
    bridge, host, container = result["interfaces"]
    assert (bridge["name"], bridge["mac"]) == ("cni-test", node.link("cni-test")["address"])
    assert (host["name"], host["mac"]) == (host["name"], node.link(host["name"])["address"])
    assert (container["name"], container["mac"], container["sandbox"]) == ("eth0", pod.link("eth0")["address"], pod.path)
    assert "sandbox" not in bridge and "sandbox" not in host
    assert all(MAC.match(interface["mac"]) for interface in result["interfaces"])
    assert [ip["address"] for ip in result["ips"]] == ["10.22.0.2/24", "fd00:22::2/64"]
    assert [ip["gateway"] for ip in result["ips"]] == ["10.22.0.1", "fd00:22::1"]
    assert [ip["interface"] for ip in result["ips"]] == [2, 2]
    assert [ip.get("version") for ip in result["ips"]] == (["4", "6"] if version < "1" else [None, None])
    assert result["routes"] == [{"dst": "0.0.0.0/0"}]
    assert result.get("dns", {}) == {}
    assert ("dns" in result) == (version < "1")


@pytest.mark.parametrize("version", VERSIONS[5:])
def test_result_carries_the_mtu(node, version):
    """Interfaces of results 1.0.0 and later may tell their MTU; ours do."""
    result = node.attach(node.config(cniVersion=version, isGateway=True, mtu=1400, ipam=node.ipam("10.22.0.0/24"))).result
    assert [interface["mtu"] for interface in result["interfaces"]] == [1400, 1400, 1400]


@pytest.mark.parametrize("version", VERSIONS)
def test_result_text(node, version):
    """The reference's text: four blanks of indentation, its order of keys, no line end."""
    outcome = node.attach(node.config(cniVersion=version, ipam=node.ipam("10.22.0.0/24"))).run(
        "ADD", ifname="eth1")
    text = outcome.stdout
    assert text == json.dumps(json.loads(text), indent=4) and not text.endswith("\n")
    if version >= "1":
        assert text == json.dumps(json.loads(text), indent=4, sort_keys=True)


def test_error_text(node):
    """An error object is indented by four blanks, with code, msg and, if any, details."""
    outcome = node.cni("ADD", node.config(name="-"), container="c", netns="/run/netns/none", ifname="eth0")
    error = outcome.failure(7)
    assert list(error) == ["code", "msg", "details"]
    assert outcome.stdout == json.dumps(error, indent=4)


def test_default_bridge_is_cni0(node):
    attachment = node.attach(node.config(bridge=None, ipam=node.ipam("10.22.0.0/24")))
    assert attachment.result["interfaces"][0]["name"] == "cni0"
    assert list(node.ports("cni0")) == [attachment.host_interface]


def test_default_data_directory(node):
    """Leases stand where the reference keeps them, so that either can take over."""
    config = node.config(name=node.name, ipam={"type": "host-local", "subnet": "10.22.0.0/24"})
    attachment = node.attach(config)
    lease = Path("/var/lib/cni/networks") / node.name / "10.22.0.2"
    assert lease.read_bytes() == f"{attachment.pod.container}\r\neth0".encode()
    attachment.delete()
    assert not lease.exists()


def test_interface_exists(node, plugin):
    """ADD of an interface that is there is an error, and leaves that one as it was."""
    attachment = node.attach(node.config(isGateway=True, ipam=node.ipam("10.22.0.0/24")), plugin=plugin)
    before, inside = snapshot(node), snapshot(attachment.pod)
    attachment.run("ADD").failure()
    assert difference(before, snapshot(node)) == []
    assert difference(inside, snapshot(attachment.pod)) == []
    attachment.check()


def test_previous_result_is_carried_on(node):
    """As a later plugin of a chain: what came before stays in the result, and indices still point right."""
    previous = {"cniVersion": "1.0.0", "interfaces": [{"name": "dummy0", "mac": "02:00:00:00:00:01"}],
                "ips": [{"address": "172.31.0.2/24", "interface": 0}], "routes": [{"dst": "172.30.0.0/16"}]}
    config = node.config(ipam=node.ipam("10.22.0.0/24")) | {"prevResult": previous}
    result = node.attach(config).result
    names = [interface["name"] for interface in result["interfaces"]]
    assert sorted(names) == sorted(["dummy0", "cni-test", "eth0", next(iter(node.ports("cni-test")))])
    by_address = {ip["address"]: names[ip["interface"]] for ip in result["ips"]}
    assert by_address == {"172.31.0.2/24": "dummy0", "10.22.0.2/24": "eth0"}
    assert {"dst": "172.30.0.0/16"} in result["routes"]


def test_host_end_says_whose_it_is(node):
    """The alias by which garbage collection and people find an attachment."""
    attachment = node.attach(node.config(ipam=node.ipam("10.22.0.0/24")))
    alias = node.link(attachment.host_interface)["ifalias"]
    assert re.match(r"^cnix:[0-9a-f]{32}:[0-9a-f]{32} ", alias)
    assert alias.endswith(f" net/{attachment.pod.container}/eth0")
    assert concerning(snapshot(node), attachment.host_interface)


def test_two_interfaces_of_one_container(node, plugin):
    """Each has its own address, and the DEL of one leaves the other working."""
    config = node.config(isGateway=True, ipMasq=True, macspoofchk=True, ipam=node.ipam("10.22.0.0/24"))
    first = node.attach(config, plugin=plugin)
    second = node.attach(config, first.pod, ifname="eth1", plugin=plugin)
    assert first.address != second.address
    first.delete()
    assert first.pod.link("eth0") is None
    second.check()
    second.delete()
    assert node.leases() == {}


def test_same_network_twice_in_one_container_is_told_apart(node):
    """DEL of (container, eth1) that was never added leaves eth0 alone."""
    attachment = node.attach(node.config(isGateway=True, ipMasq=True, ipam=node.ipam("10.22.0.0/24")))
    attachment.run("DEL", ifname="eth1", prev=False).success()
    attachment.check()
