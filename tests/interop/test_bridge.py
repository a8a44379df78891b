"""Our bridge plugins and the reference's, one in place of the other."""

import pytest

from support.cni import Attachment, Node
from support.snapshot import difference, ruleset, snapshot
from support.traffic import Echo, reaches, seen_source

SUBNETS = ("10.22.0.0/24", "fd00:22::/64")
VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0")  # Debian's reference knows no later one


def by(reference, attachment: Attachment, verb: str, **options):
    """The verb by the reference's bridge and host-local."""
    node = attachment.node
    ours, node.plugins = node.plugins, reference
    try:
        return attachment.run(verb, **({"plugin": "bridge"} | options))
    finally:
        node.plugins = ours


def add_by(reference, attachment: Attachment) -> Attachment:
    attachment.result = by(reference, attachment, "ADD").success()
    return attachment


def normalised(result: dict) -> dict:
    """Without what differs from run to run, and what ours tells beyond the reference's library."""
    result = {key: value for key, value in result.items() if key != "dns" or value}
    result["interfaces"] = [
        {"name": name, "mac": bool(interface["mac"]), "sandbox": bool(interface.get("sandbox"))}
        for name, interface in zip(("bridge", "host", "eth0"), result.get("interfaces", []), strict=False)]
    return result


CONFIGS = {
    "plain": {},
    "gateway": {"isGateway": True},
    "default gateway": {"isDefaultGateway": True},
    "masquerade": {"isDefaultGateway": True, "ipMasq": True},
    "all": {"isDefaultGateway": True, "ipMasq": True, "hairpinMode": True, "mtu": 1400, "promiscMode": False,
            "macspoofchk": True, "dns": {"nameservers": ["10.22.0.1"], "domain": "example"},
            "args": {"cni": {"mac": "02:00:00:00:00:01", "ips": ["10.22.0.77", "fd00:22::77"]}}},
    "layer 2": {"ipam": None},
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("keys", CONFIGS.values(), ids=CONFIGS)
def test_same_result(plugins, reference, plugin, version, keys):
    """The same ADD on two fresh nodes: the same result, and the pod looks the same."""
    if keys.get("ipam", 1) is None and version < "0.3":
        pytest.skip("results of the first versions cannot say layer 2")
    results, pods = [], []
    for reference_adds in (True, False):
        node = Node(plugins)
        try:
            config = node.config(**({"cniVersion": version, "ipam": node.ipam(*SUBNETS, routes=[{"dst": "172.16.0.0/12"}])} | keys))
            attachment = Attachment(node, config, node.pod(), plugin=plugin)
            if reference_adds:
                add_by(reference, attachment)
            else:
                attachment.add()
            results.append(normalised(attachment.result))
            pod, link = attachment.pod, attachment.pod.link("eth0")
            keep = ("dst", "gateway", "dev", "scope", "protocol", "prefsrc")
            pods.append({
                "routes": [sorted(str({key: route.get(key) for key in keep}) for route in pod.routes(family)
                                  if route["dst"] != "fe80::/64") for family in (4, 6)],
                "addresses": pod.addresses("eth0"), "mtu": link["mtu"], "up": "UP" in link["flags"],
                "bridge": sorted(node.addresses("cni-test")), "bridge mtu": node.link("cni-test")["mtu"],
                "port": [port["port"]["hairpin"] for port in node.ports("cni-test").values()],
                "forwarding": [node.sysctl("ipv4/ip_forward"), node.sysctl("ipv6/conf/all/forwarding")],
                "leases": {address: interface for address, (_, interface) in node.leases().items()}})
        finally:
            node.close()
    assert results[1] == results[0]
    assert pods[1] == pods[0]


def masquerading(node, **keys) -> dict:
    return node.config(**({"isDefaultGateway": True, "ipMasq": True, "ipam": node.ipam(*SUBNETS)} | keys))


@pytest.mark.parametrize("version", ("0.4.0", "1.0.0"))
def test_reference_adds_ours_checks_and_deletes(node, reference, version):
    """A node switched to our plugins with pods running: they check out, and go without a trace."""
    config = masquerading(node, cniVersion=version)
    empty = Attachment(node, config, node.pod())
    add_by(reference, empty)
    by(reference, empty, "DEL").success()
    before = snapshot(node)
    attachment = add_by(reference, Attachment(node, config, node.pod(), plugin="bridge-iptables"))
    attachment.check()
    attachment.delete()
    assert difference(before, snapshot(node)) == []
    assert attachment.pod.link("eth0") is None


def test_reference_adds_ours_deletes_without_the_netns(node, reference):
    """What the reference itself would leak."""
    config = masquerading(node)
    before = ruleset(node)
    attachment = add_by(reference, Attachment(node, config, node.pod(), plugin="bridge-iptables"))
    attachment.delete(netns="")
    assert difference(before, ruleset(node)) == [] and node.leases() == {}


def test_reference_adds_and_ours_checks_what_is_missing(node, reference):
    attachment = add_by(reference, Attachment(node, masquerading(node), node.pod(), plugin="bridge-iptables"))
    node.run("iptables", "-t", "nat", "-F", "POSTROUTING")
    attachment.run("CHECK").failure(None, "POSTROUTING")


@pytest.mark.parametrize("version", ("0.4.0", "1.0.0"))
@pytest.mark.parametrize("keys", ({}, {"macspoofchk": True}), ids=("plain", "spoof check"))
def test_ours_adds_reference_checks_and_deletes(node, reference, version, keys):
    """And back again: the reference finds all it knows of."""
    config = masquerading(node, cniVersion=version, **keys)
    attachment = node.attach(config, plugin="bridge-iptables")
    by(reference, attachment, "CHECK").success()
    by(reference, attachment, "DEL").success()
    assert attachment.pod.link("eth0") is None
    assert node.ports("cni-test") == {} and node.leases() == {}
    assert [fact for fact in ruleset(node) if attachment.address in fact or "CNI-" in fact] == []


def test_pods_of_both_live_together(node, reference, outside):
    """On one bridge and one data directory: they reach each other and the outside, in whatever order they go."""
    config = masquerading(node)
    theirs = add_by(reference, Attachment(node, config, node.pod(), plugin="bridge-iptables"))
    ours = node.attach(config, plugin="bridge-iptables")
    assert not set(ours.addresses) & set(theirs.addresses)
    with Echo(outside):
        for own, other in ((theirs, ours), (ours, theirs)):
            assert all(reaches(own.pod, address) for address in other.addresses)
            assert seen_source(own.pod, outside.address4) == "192.0.2.1"
        by(reference, theirs, "DEL").success()
        assert seen_source(ours.pod, outside.address4) == "192.0.2.1"
        ours.check()


def test_reference_bridge_delegates_to_our_host_local(node, plugins, reference):
    """As an IPAM plugin of anyone's main plugin; ours comes first in CNI_PATH."""
    attachment = Attachment(node, masquerading(node), node.pod())
    path = f"{plugins.directory}:{reference.directory}"
    attachment.result = by(reference, attachment, "ADD", path=path).success()
    assert attachment.prefixes == ["10.22.0.2/24", "fd00:22::2/64"]
    by(reference, attachment, "CHECK", path=path).success()
    by(reference, attachment, "DEL", path=path).success()
    assert node.leases() == {}


def test_our_bridge_delegates_to_the_reference_host_local(node, reference):
    attachment = Attachment(node, masquerading(node), node.pod(), plugin="bridge-delegate")
    path = str(reference.directory)
    attachment.add(path=path)
    assert attachment.prefixes == ["10.22.0.2/24", "fd00:22::2/64"]
    attachment.check(path=path)
    attachment.delete(path=path)
    assert node.leases() == {}
