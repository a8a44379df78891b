"""A failed ADD leaves the machine as it was, at whatever point it fails."""

import re

import pytest

from support.cni import IPTABLES, NFT, Attachment, hidden
from support.snapshot import difference, snapshot

SUBNET = "10.22.0.0/24"


def full(node, **keys) -> dict:
    """A network that makes everything ADD can make."""
    return node.config(**({"isDefaultGateway": True, "ipMasq": True, "macspoofchk": True, "hairpinMode": True, "mtu": 1400,
                           "ipam": node.ipam(SUBNET, "fd00:22::/64")} | keys))


def unusable_route(node, pod):
    return full(node, ipam=node.ipam(SUBNET, routes=[{"dst": "172.16.0.0/12", "gw": "192.168.77.1"}])), {}


def address_taken(node, pod):
    node.attach(full(node, bridge="other"))
    return full(node, runtimeConfig={"ips": ["10.22.0.2"]}), {}


def exhausted(node, pod):
    ipam = node.ipam(ranges=[[{"subnet": SUBNET, "rangeStart": "10.22.0.9", "rangeEnd": "10.22.0.9"}]])
    node.attach(full(node, bridge="other", ipam=ipam))
    return full(node, ipam=ipam), {}


def second_range_exhausted(node, pod):
    ipam = node.ipam(ranges=[[{"subnet": "10.44.0.0/24"}],
                             [{"subnet": SUBNET, "rangeStart": "10.22.0.9", "rangeEnd": "10.22.0.9"}]])
    node.attach(full(node, bridge="other", ipam=ipam))
    return full(node, ipam=ipam), {}


def netns_missing(node, pod):
    return full(node), {"netns": "/run/netns/none"}


def netns_is_a_file(node, pod):
    file = node.directory / "file"
    file.touch()
    return full(node), {"netns": str(file)}


def netns_is_of_another_kind(node, pod):
    return full(node), {"netns": "/proc/1/ns/mnt"}


def interface_exists(node, pod):
    pod.ip("link add eth0 type bridge")
    return full(node), {}


def bridge_is_no_bridge(node, pod):
    node.ip("link add cni-test type veth peer name other-end")
    return full(node), {}


def bridge_has_another_address(node, pod):
    node.ip("link add cni-test type bridge")
    node.ip("addr add 10.99.0.1/24 dev cni-test")
    return full(node), {}


def multicast_mac(node, pod):
    return full(node, runtimeConfig={"mac": "01:00:5e:00:00:01"}), {}


def route_of_a_family_without_address(node, pod):
    return full(node, ipam=node.ipam(SUBNET, routes=[{"dst": "2001:db8::/32", "gw": "2001:db8:1::1"}])), {}


def masquerade_fails(node, pod):
    """The last step: a name that the rules need is taken by something of another kind; iptables cannot be run."""
    node.run("nft", "add table inet cnix; add map inet cnix pods4 { type ipv4_addr : mark; }")
    return full(node), {"prefix": hidden(IPTABLES)}


def spoof_check_fails(node, pod):
    return full(node, ipMasq=False), {"prefix": hidden(NFT)}


def data_directory_is_a_file(node, pod):
    node.data.touch()
    return full(node), {}


FAULTS = (unusable_route, address_taken, exhausted, second_range_exhausted, netns_missing, netns_is_a_file,
          netns_is_of_another_kind, interface_exists, bridge_is_no_bridge, bridge_has_another_address, multicast_mac,
          route_of_a_family_without_address, masquerade_fails, spoof_check_fails, data_directory_is_a_file)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_failed_add_leaves_the_machine_as_it_was(node, plugin, fault):
    pod = node.pod()
    config, options = fault(node, pod)
    before, inside = snapshot(node), snapshot(pod)
    Attachment(node, config, pod, plugin=plugin).run("ADD", **options).failure()
    left = difference(before, snapshot(node))
    if fault is masquerade_fails:  # the only step after forwarding, which is the whole node's and stays
        left = [line for line in left if not re.search(r"^[-+] sysctl \S*forward", line)]
    assert left == []
    assert difference(inside, snapshot(pod)) == []


@pytest.mark.parametrize("fault", (unusable_route, netns_missing, interface_exists, multicast_mac),
                         ids=lambda fault: fault.__name__)
def test_failed_add_leaves_others_as_they_were(node, plugin, fault):
    """On a bridge that serves another pod."""
    other = node.attach(full(node), plugin=plugin)
    pod = node.pod()
    config, options = fault(node, pod)
    before, inside = snapshot(node), snapshot(pod)
    Attachment(node, config, pod, plugin=plugin).run("ADD", **options).failure()
    assert difference(before, snapshot(node)) == []
    assert difference(inside, snapshot(pod)) == []
    other.check()


def test_failed_add_leaves_a_bridge_made_by_others(node, plugin):
    """Without ports and address, but made beforehand: it is not ours to remove."""
    node.ip("link add cni-test type bridge")
    before = snapshot(node)
    pod = node.pod()
    config, options = unusable_route(node, pod)
    Attachment(node, config, pod, plugin=plugin).run("ADD", **options).failure()
    assert difference(before, snapshot(node)) == []


@pytest.mark.parametrize("subnets", ((SUBNET,), (SUBNET, "fd00:22::/64")), ids=("ipv4", "dual"))
def test_small_mtu_does_not_take_ipv6_from_others(node, plugin, subnets):
    """The bridge's MTU follows its smallest port, and below 1280 the kernel drops its IPv6 addresses."""
    other = node.attach(full(node), plugin=plugin)
    pod = node.pod()
    before = snapshot(node)
    config = full(node, mtu=1279, ipam=node.ipam(*subnets))
    Attachment(node, config, pod, plugin=plugin).run("ADD").failure(7, "`mtu` of 1279", "1280")
    assert difference(before, snapshot(node)) == []
    other.check()


def test_small_mtu_of_ipv4(node, plugin):
    """Refused for a pod with IPv6, taken without."""
    before = snapshot(node)
    config = full(node, mtu=600, ipam=node.ipam(SUBNET, "fd00:22::/64"))
    Attachment(node, config, node.pod(), plugin=plugin).run("ADD").failure(7, "`mtu` of 600")
    assert difference(before, snapshot(node)) == []
    node.attach(full(node, mtu=600, ipam=node.ipam(SUBNET)), plugin=plugin).check()


def test_delegate_is_undone_when_it_fails_itself(node):
    """A failed delegated ADD is followed by its DEL: an IPAM may have kept something."""
    log = node.directory / "log"
    ipam = node.directory / "failing-ipam"
    ipam.write_text(f"""#!/bin/sh
echo $CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME >>{log}
[ $CNI_COMMAND != ADD ] || {{ echo '{{"cniVersion":"1.0.0","code":123,"msg":"no luck","details":"why"}}'; exit 1; }}
""")
    ipam.chmod(0o755)
    pod = node.pod()
    before = snapshot(node)
    error = Attachment(node, full(node, ipam={"type": ipam.name}), pod, plugin="bridge-delegate").run(
        "ADD", path=f"/nonexistent:{node.directory}").failure(123, "no luck", "why")
    assert error["code"] == 123
    assert log.read_text().splitlines() == [f"ADD {pod.container} eth0", f"DEL {pod.container} eth0"]
    assert difference(before, snapshot(node)) == []


@pytest.mark.parametrize("output, exit", (("", 1), ("not json", 1), ("", 0), ("{}", 0), ("{}{}", 0), ("[]", 1)))
def test_delegate_that_answers_nonsense(node, output, exit):
    ipam = node.directory / "odd-ipam"
    ipam.write_text(f"#!/bin/sh\n[ $CNI_COMMAND = ADD ] || exit 0\nprintf '%s' '{output}'\nexit {exit}\n")
    ipam.chmod(0o755)
    before = snapshot(node)
    Attachment(node, full(node, ipam={"type": ipam.name}), node.pod(), plugin="bridge-delegate").run(
        "ADD", path=str(node.directory)).failure()
    assert difference(before, snapshot(node)) == []


def test_delegate_is_missing(node):
    before = snapshot(node)
    Attachment(node, full(node, ipam={"type": "no-such-ipam"}), node.pod(), plugin="bridge-delegate").run(
        "ADD", path="/a:/b").failure(None, "no-such-ipam", "/a")
    assert difference(before, snapshot(node)) == []
