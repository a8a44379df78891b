"""Each key of the configuration, by what it does to the machine."""

import pytest

from support.cni import Attachment
from support.snapshot import difference, snapshot

SUBNET = "10.22.0.0/24"


def refused(node, config: dict, *texts: str, **options) -> dict:
    """The error of an ADD that leaves the machine as it was."""
    pod = options.pop("pod", None) or node.pod()
    before, inside = snapshot(node), snapshot(pod)
    error = Attachment(node, config, pod, **options).run("ADD").failure(None, *texts)
    assert difference(before, snapshot(node)) == []
    assert difference(inside, snapshot(pod)) == []
    return error


# --- gateway ---------------------------------------------------------------------------------------------------------

def test_without_gateway(node, plugin):
    """The bridge gets no address, the pod no default route, the node no forwarding."""
    attachment = node.attach(node.config(ipam=node.ipam(SUBNET, "fd00:22::/64")), plugin=plugin)
    assert node.addresses("cni-test") == []
    assert attachment.pod.default_gateways() == []
    assert node.sysctl("ipv4/ip_forward") == node.sysctl("ipv6/conf/all/forwarding") == "0"
    attachment.check()


@pytest.mark.parametrize("subnet, address, sysctl, other", (
    (SUBNET, "10.22.0.1/24", "ipv4/ip_forward", "ipv6/conf/all/forwarding"),
    ("fd00:22::/64", "fd00:22::1/64", "ipv6/conf/all/forwarding", "ipv4/ip_forward")))
def test_is_gateway(node, plugin, subnet, address, sysctl, other):
    """The bridge gets the gateway's address and the node forwards that family, and only that."""
    attachment = node.attach(node.config(isGateway=True, ipam=node.ipam(subnet)), plugin=plugin)
    assert node.addresses("cni-test") == [address]
    assert (node.sysctl(sysctl), node.sysctl(other)) == ("1", "0")
    assert attachment.pod.default_gateways() == attachment.pod.default_gateways(6) == []
    assert attachment.result["ips"][0]["gateway"] == address.partition("/")[0]


def test_is_default_gateway_implies_gateway(node, plugin):
    attachment = node.attach(node.config(isDefaultGateway=True, ipam=node.ipam(SUBNET, "fd00:22::/64")), plugin=plugin)
    assert sorted(node.addresses("cni-test")) == ["10.22.0.1/24", "fd00:22::1/64"]
    assert attachment.pod.default_gateways(4) == ["10.22.0.1"]
    assert attachment.pod.default_gateways(6) == ["fd00:22::1"]
    assert {"dst": "0.0.0.0/0", "gw": "10.22.0.1"} in attachment.result["routes"]
    assert {"dst": "::/0", "gw": "fd00:22::1"} in attachment.result["routes"]


def test_given_gateway(node):
    """The range's own gateway, not the first address."""
    ipam = node.ipam(ranges=[[{"subnet": SUBNET, "gateway": "10.22.0.254"}]])
    attachment = node.attach(node.config(isDefaultGateway=True, ipam=ipam))
    assert node.addresses("cni-test") == ["10.22.0.254/24"]
    assert attachment.pod.default_gateways() == ["10.22.0.254"]


def test_default_route_of_the_ipam_is_not_doubled(node):
    ipam = node.ipam(SUBNET, routes=[{"dst": "0.0.0.0/0", "gw": "10.22.0.7"}])
    attachment = node.attach(node.config(isDefaultGateway=True, ipam=ipam))
    assert attachment.pod.default_gateways() == ["10.22.0.7"]


def test_conflicting_bridge_address(node, plugin):
    """Another address on the bridge is an error that names it, unless forceAddress replaces it."""
    node.attach(node.config(isGateway=True, ipam=node.ipam("10.99.0.0/24")), plugin=plugin).delete()
    config = node.config(isGateway=True, ipam=node.ipam(SUBNET))
    refused(node, config, "cni-test", "10.22.0.1/24", plugin=plugin)
    assert node.addresses("cni-test") == ["10.99.0.1/24"]
    node.attach(config | {"forceAddress": True}, plugin=plugin).check()
    assert node.addresses("cni-test") == ["10.22.0.1/24"]


def test_conflicting_bridge_address_ipv6(node):
    """Only an overlapping network conflicts; others stand beside each other."""
    node.attach(node.config(isGateway=True, ipam=node.ipam("fd00:22::/64")))
    node.attach(node.config(name="other", isGateway=True, ipam=node.ipam("fd00:33::/64")))
    assert sorted(node.addresses("cni-test")) == ["fd00:22::1/64", "fd00:33::1/64"]
    refused(node, node.config(name="third", isGateway=True, ipam=node.ipam("fd00:22::/48")), "fd00:22::1/48")


# --- routes ----------------------------------------------------------------------------------------------------------

def test_routes(node, plugin):
    """Routes of the IPAM: without gw through the gateway, with gw through it."""
    routes = [{"dst": "172.16.0.0/12"}, {"dst": "192.168.0.0/16", "gw": "10.22.0.77"}]
    attachment = node.attach(node.config(isGateway=True, ipam=node.ipam(SUBNET, routes=routes)), plugin=plugin)
    found = {route["dst"]: route.get("gateway") for route in attachment.pod.routes()}
    assert found == {"10.22.0.0/24": None, "172.16.0.0/12": "10.22.0.1", "192.168.0.0/16": "10.22.0.77"}
    assert attachment.result["routes"] == routes
    attachment.check()


def test_route_attributes(node, plugin):
    """mtu, advmss, priority, table and scope are set in the kernel and told in the result."""
    routes = [{"dst": "172.16.0.0/12", "mtu": 1300, "advmss": 1200, "priority": 77, "table": 100},
              {"dst": "172.31.0.0/24", "scope": 253}]
    attachment = node.attach(
        node.config(cniVersion="1.1.0", isGateway=True, ipam=node.ipam(SUBNET, routes=routes)), plugin=plugin)
    (route,) = attachment.pod.routes(table="100")
    assert (route["dst"], route["gateway"], route["metric"]) == ("172.16.0.0/12", "10.22.0.1", 77)
    assert {key: value for metrics in route["metrics"] for key, value in metrics.items()} == {"mtu": 1300, "advmss": 1200}
    (link,) = [route for route in attachment.pod.routes() if route["dst"] == "172.31.0.0/24"]
    assert "gateway" not in link and link["scope"] == "link"
    assert attachment.result["routes"] == routes
    attachment.check()
    attachment.delete()


# --- masquerade ------------------------------------------------------------------------------------------------------

def masquerade_rules(node) -> str:
    listed = node.run("nft", "list", "ruleset").stdout + node.run("iptables-save").stdout
    return "\n".join(line for line in listed.splitlines() if "masquerade" in line.lower())


def test_masquerade_only_when_asked(node, plugin):
    node.attach(node.config(isGateway=True, ipam=node.ipam(SUBNET)), plugin=plugin)
    assert masquerade_rules(node) == ""


def test_masquerade_backend(node):
    """Each composition masquerades with its own means, and says which composition has the other."""
    config = node.config(isGateway=True, ipMasq=True, ipam=node.ipam(SUBNET))
    node.attach(config | {"ipMasqBackend": "nftables"}, plugin="bridge")
    node.attach(config | {"ipMasqBackend": "iptables"}, plugin="bridge-iptables")
    assert refused(node, config | {"ipMasqBackend": "iptables"}, "ipMasqBackend", "bridge-iptables")["code"] == 7
    assert refused(node, config | {"ipMasqBackend": "nftables"}, "ipMasqBackend", "`bridge`",
                   plugin="bridge-iptables")["code"] == 7
    refused(node, config | {"ipMasqBackend": "foo"}, "ipMasqBackend", "foo")


def test_masquerade_rules_do_not_grow_with_pods(node):
    """nftables: one chain a network and one element an address, in table inet cnix."""
    def objects() -> list[str]:
        return [line.strip() for line in node.run("nft", "list", "table", "inet", "cnix").stdout.splitlines()
                if "chain" in line.split() or "masquerade" in line]

    config = node.config(isGateway=True, ipMasq=True, ipam=node.ipam(SUBNET, "fd00:22::/64"))
    attachments = [node.attach(config)]
    before = objects()
    attachments += [node.attach(config) for _ in range(5)]
    assert objects() == before
    for attachment in attachments[:-1]:
        attachment.delete()
    assert objects() == before
    attachments[-1].delete()
    assert masquerade_rules(node) == ""


def test_masquerade_chain_of_the_reference(node):
    """iptables: the reference's chain name, comment and rules, so that either removes what the other made."""
    attachment = Attachment(node, node.config(name="mynet", isGateway=True, ipMasq=True, ipam=node.ipam("10.22.0.0/16")),
                            node.pod(), plugin="bridge-iptables")
    attachment.pod.container = "c1"
    attachment.add()
    saved = node.run("iptables-save", "-t", "nat").stdout
    chain, comment = "CNI-f0bca4ac77cde1bf2f3da5df", r'-m comment --comment "name: \"mynet\" id: \"c1\""'
    for line in (f":{chain} - [0:0]", f"-A POSTROUTING -s 10.22.0.2/32 {comment} -j {chain}",
                 f"-A {chain} -d 10.22.0.0/16 {comment} -j ACCEPT", f"-A {chain} ! -d 224.0.0.0/4 {comment} -j MASQUERADE"):
        assert line in saved.splitlines(), saved


# --- the interface ---------------------------------------------------------------------------------------------------

def test_mtu(node, plugin):
    attachment = node.attach(node.config(mtu=1400, ipam=node.ipam(SUBNET)), plugin=plugin)
    assert node.link("cni-test")["mtu"] == node.link(attachment.host_interface)["mtu"] == 1400
    assert attachment.pod.link("eth0")["mtu"] == 1400
    attachment.check()


def test_mtu_bounds(node):
    refused(node, node.config(mtu=99999, ipam=node.ipam(SUBNET)))
    assert node.attach(node.config(mtu=0, ipam=node.ipam(SUBNET))).pod.link("eth0")["mtu"] == 1500


def test_promiscuous_mode(node, plugin):
    attachment = node.attach(node.config(promiscMode=True, ipam=node.ipam(SUBNET)), plugin=plugin)
    assert "PROMISC" in node.link("cni-test")["flags"]
    attachment.check()
    refused(node, node.config(promiscMode=True, hairpinMode=True, ipam=node.ipam(SUBNET)), "hairpin", "promisc",
            plugin=plugin)


def test_enabledad(node):
    """Duplicate address detection runs, ADD waits for its end, and a duplicate is an error."""
    config = node.config(isGateway=True, enabledad=True, ipam=node.ipam("fd00:22::/64"))
    attachment = node.attach(config)
    assert attachment.pod.sysctl("ipv6/conf/eth0/accept_dad") == "1"
    assert attachment.pod.ip("-6 addr show dev eth0 scope global tentative").stdout == ""


def test_enabledad_finds_a_duplicate(node):
    """Somebody on the network has the address that the IPAM gives out."""
    first = node.attach(node.config(isGateway=True, ipam=node.ipam("fd00:22::/64")))
    first.pod.ip("addr add fd00:22::3/64 dev eth0 nodad")
    refused(node, node.config(isGateway=True, enabledad=True, ipam=node.ipam("fd00:22::/64")), "fd00:22::3")


def test_no_dad_by_default(node):
    attachment = node.attach(node.config(isGateway=True, ipam=node.ipam("fd00:22::/64")))
    (address,) = [info for info in attachment.pod.ip_json("addr show dev eth0")[0]["addr_info"]
                  if info["scope"] == "global"]
    assert address["local"] == "fd00:22::2" and not address.get("tentative")


def test_no_router_advertisements(node):
    """The bridge and the host end take no addresses or routes from a pod that plays router."""
    attachment = node.attach(node.config(isGateway=True, ipam=node.ipam("fd00:22::/64")))
    assert node.sysctl("ipv6/conf/cni-test/accept_ra") == "0"
    assert node.sysctl(f"ipv6/conf/{attachment.host_interface}/disable_ipv6") == "1"


# --- layer 2 ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("ipam", (None, {}), ids=("absent", "empty"))
def test_layer_2(node, plugin, ipam):
    """Without an IPAM: a port that is up, no address anywhere."""
    attachment = node.attach(node.config(ipam=ipam, isGateway=True, ipMasq=True), plugin=plugin)
    assert attachment.result.get("ips", []) == []
    assert "UP" in attachment.pod.link("eth0")["flags"]
    assert attachment.pod.addresses("eth0") == node.addresses("cni-test") == []
    assert attachment.host_interface in node.ports("cni-test")
    assert masquerade_rules(node) == ""
    attachment.check()
    attachment.delete()
    assert attachment.pod.link("eth0") is None


def test_disable_container_interface(node, plugin):
    """The container end stays down."""
    attachment = node.attach(node.config(disableContainerInterface=True), plugin=plugin)
    assert "UP" not in attachment.pod.link("eth0")["flags"]
    attachment.check()
    refused(node, node.config(disableContainerInterface=True, ipam=node.ipam(SUBNET)), "disableContainerInterface",
            plugin=plugin)


def test_delegate_needs_nothing_in_layer_2(node):
    """No IPAM binary is looked for when none is named."""
    Attachment(node, node.config(), node.pod(), plugin="bridge-delegate").add(path="/nonexistent")


# --- dns -------------------------------------------------------------------------------------------------------------

def test_dns_of_the_network(node, plugin):
    """Replaces what the IPAM says as soon as one of its keys is set."""
    resolv = node.directory / "resolv.conf"
    resolv.write_text("nameserver 9.9.9.9\nsearch a.example b.example\ndomain example\noptions ndots:2\n")
    ipam = node.ipam(SUBNET, resolvConf=str(resolv))
    of_ipam = {"nameservers": ["9.9.9.9"], "domain": "example", "search": ["a.example", "b.example"], "options": ["ndots:2"]}
    assert node.attach(node.config(ipam=ipam), plugin=plugin).result["dns"] == of_ipam
    own = {"nameservers": ["10.22.0.1"], "search": ["pod.example"]}
    assert node.attach(node.config(ipam=ipam, dns=own), plugin=plugin).result["dns"] == own
    assert node.attach(node.config(ipam=ipam, dns={}), plugin=plugin).result["dns"] == of_ipam


# --- MAC -------------------------------------------------------------------------------------------------------------

BY_RUNTIME, BY_ARGS, BY_CNI_ARGS = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"


@pytest.mark.parametrize("keys, args, mac", (
    ({"runtimeConfig": {"mac": BY_RUNTIME}}, None, BY_RUNTIME),
    ({"args": {"cni": {"mac": BY_ARGS}}}, None, BY_ARGS),
    ({}, f"IgnoreUnknown=1;MAC={BY_CNI_ARGS}", BY_CNI_ARGS),
    ({"args": {"cni": {"mac": BY_ARGS}}}, f"IgnoreUnknown=1;MAC={BY_CNI_ARGS}", BY_ARGS),
    ({"runtimeConfig": {"mac": BY_RUNTIME}, "args": {"cni": {"mac": BY_ARGS}}},
     f"IgnoreUnknown=1;MAC={BY_CNI_ARGS}", BY_RUNTIME)),
    ids=("runtimeConfig", "args", "CNI_ARGS", "args before CNI_ARGS", "runtimeConfig before all"))
def test_mac(node, plugin, keys, args, mac):
    attachment = node.attach(node.config(ipam=node.ipam(SUBNET), **keys), plugin=plugin, args=args)
    assert attachment.pod.link("eth0")["address"] == attachment.mac == mac
    attachment.check()


@pytest.mark.parametrize("mac", ("zz", "02:00:00:00:00", "01:00:5e:00:00:01"))
def test_wrong_mac(node, plugin, mac):
    refused(node, node.config(ipam=node.ipam(SUBNET), runtimeConfig={"mac": mac}), plugin=plugin)


# --- requested addresses ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("keys, args", (
    ({}, "IP=10.22.0.77"), ({"runtimeConfig": {"ips": ["10.22.0.77"]}}, None), ({"args": {"cni": {"ips": ["10.22.0.77"]}}}, None),
    ({"runtimeConfig": {"ips": ["10.22.0.77/24"]}}, None), ({}, "IgnoreUnknown=1;K8S_POD_NAME=x;IP=10.22.0.77")),
    ids=("CNI_ARGS", "runtimeConfig", "args", "with length", "CNI_ARGS among others"))
def test_requested_address(node, plugin, keys, args):
    args = args if args is None or "Ignore" in args else f"IgnoreUnknown=1;{args}"
    attachment = node.attach(node.config(isGateway=True, ipam=node.ipam(SUBNET), **keys), plugin=plugin, args=args)
    assert attachment.prefixes == ["10.22.0.77/24"]
    assert node.leases() == {"10.22.0.77": (attachment.pod.container, "eth0")}
    attachment.check()


def test_requested_addresses_of_both_families(node, plugin):
    attachment = node.attach(node.config(isGateway=True, ipam=node.ipam(SUBNET, "fd00:22::/64"),
                                         runtimeConfig={"ips": ["fd00:22::77", "10.22.0.77"]}), plugin=plugin)
    assert attachment.prefixes == ["10.22.0.77/24", "fd00:22::77/64"]


@pytest.mark.parametrize("address, text", (("10.22.0.1", "gateway"), ("10.23.0.1", "10.23.0.1"), ("zz", "zz")))
def test_wrong_requested_address(node, plugin, address, text):
    refused(node, node.config(isGateway=True, ipam=node.ipam(SUBNET), args={"cni": {"ips": [address]}}), text, plugin=plugin)


def test_ranges_of_the_runtime(node, plugin):
    """Capability ipRanges: its ranges come before the configuration's."""
    config = node.config(ipam=node.ipam("10.33.0.0/24"), runtimeConfig={"ipRanges": [[{"subnet": SUBNET}]]})
    assert node.attach(config, plugin=plugin).prefixes == ["10.22.0.2/24", "10.33.0.2/24"]


# --- how keys are read -----------------------------------------------------------------------------------------------

def test_keys_match_whatever_their_case(node):
    config = node.config(ipam=node.ipam(SUBNET)) | {"ISGATEWAY": True, "RuntimeConfig": {"MAC": BY_RUNTIME}}
    attachment = node.attach(config)
    assert attachment.mac == BY_RUNTIME
    assert node.addresses("cni-test") == ["10.22.0.1/24"]


def test_null_is_absent_and_unknown_is_ignored(node):
    config = dict(node.config(ipam=node.ipam(SUBNET)), bridge=None, mtu=None, unknownKey={"a": [1, None]})
    assert node.attach(config).result["interfaces"][0]["name"] == "cni0"


@pytest.mark.parametrize("key, value", (("mtu", "1500"), ("mtu", 1500.5), ("isGateway", "true"), ("bridge", 5),
                                        ("ipam", []), ("vlan", "100"), ("dns", "8.8.8.8"), ("bridge", ""),
                                        ("bridge", "a-name-of-16-chr"), ("bridge", "a/b"), ("vlan", 5000), ("vlan", -1)))
def test_wrong_value(node, plugin, key, value):
    """The error names the key, and nothing has been changed."""
    refused(node, dict(node.config(ipam=node.ipam(SUBNET)), **{key: value}), key, plugin=plugin)


def test_ipam_that_the_composition_does_not_have(node):
    """`bridge` has host-local built in; the error names the composition that runs any IPAM."""
    for plugin in ("bridge", "bridge-iptables"):
        config = node.config(ipam={"type": "static", "addresses": [{"address": "10.22.0.5/24"}]})
        assert refused(node, config, "ipam", "bridge-delegate", plugin=plugin)["code"] == 7


def test_delegate_runs_any_ipam(node, reference):
    """With the reference's `static`, which knows nothing of cnix."""
    config = node.config(isGateway=True, ipam={"type": "static", "addresses": [
        {"address": "10.22.0.5/24", "gateway": "10.22.0.1"}]})
    attachment = Attachment(node, config, node.pod(), plugin="bridge-delegate")
    attachment.add(path=str(reference.directory))
    assert attachment.prefixes == ["10.22.0.5/24"]
    attachment.check(path=str(reference.directory))
    attachment.delete(path=str(reference.directory))
