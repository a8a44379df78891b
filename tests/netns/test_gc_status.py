"""GC and STATUS (CNI 1.1.0)."""

import json
import subprocess

import pytest

from support.cni import IPTABLES, NFT, UNPRIVILEGED, Attachment, hidden
from support.snapshot import difference, snapshot

SUBNETS = ("10.22.0.0/24", "fd00:22::/64")


def full(node, **keys) -> dict:
    return node.config(**({"cniVersion": "1.1.0", "isGateway": True, "ipMasq": True, "macspoofchk": True,
                           "ipam": node.ipam(*SUBNETS)} | keys))


def valid(*attachments: Attachment) -> list[dict]:
    return [{"containerID": a.pod.container, "ifname": a.ifname} for a in attachments]


def gc(node, config: dict, plugin: str, *keep: Attachment, key: str = "cni.dev/valid-attachments", **options):
    return node.cni("GC", config | {key: valid(*keep)}, plugin, **options)


@pytest.mark.parametrize("key", ("cni.dev/valid-attachments", "cni.dev/attachments"))
def test_gc_removes_what_is_not_valid(node, plugin, key):
    node.attach(full(node), plugin=plugin).delete()
    kept = node.attach(full(node), plugin=plugin)
    before = snapshot(node)
    stale = [node.attach(full(node), plugin=plugin) for _ in range(3)]
    stale.append(node.attach(full(node), kept.pod, ifname="eth1", plugin=plugin))
    stale[0].pod.close()
    gc(node, full(node), plugin, kept, key=key).success()
    assert difference(before, snapshot(node)) == []
    kept.check()
    assert all(a.pod.link(a.ifname) is None for a in stale[1:])


def test_gc_with_both_keys(node, plugin):
    """libcni sends both, with the same content."""
    kept, stale = (node.attach(full(node), plugin=plugin) for _ in range(2))
    both = full(node) | {"cni.dev/valid-attachments": valid(kept), "cni.dev/attachments": valid(kept)}
    node.cni("GC", both, plugin).success()
    kept.check()
    assert stale.host_interface not in node.links()


@pytest.mark.parametrize("empty", (None, "cni.dev/valid-attachments", "cni.dev/attachments"))
def test_gc_with_keys_that_differ(node, plugin, empty):
    """What either names is in use: what is taken for garbage does not come back."""
    one, other, stale = (node.attach(full(node), plugin=plugin) for _ in range(3))
    lists = {"cni.dev/valid-attachments": valid(one), "cni.dev/attachments": valid(other)}
    if empty:
        lists = dict.fromkeys(lists, valid(one, other)) | {empty: []}
    node.cni("GC", full(node) | lists, plugin).success()
    one.check()
    other.check()
    assert stale.host_interface not in node.links()


@pytest.mark.parametrize("key", ("cni.dev/valid-attachments", "cni.dev/attachments"))
def test_gc_with_a_list_of_the_wrong_type(node, plugin, key):
    """Whatever it should name would be garbage, were it read as an empty list."""
    kept = node.attach(full(node), plugin=plugin)
    lists = {"cni.dev/valid-attachments": [], "cni.dev/attachments": []}
    for wrong in ("all", {}, 5):
        node.cni("GC", full(node) | lists | {key: wrong}, plugin).failure(7, key, "expected an array")
    faults = {"ipam": node.ipam("10.22.0.0/24", routes=[{"dst": i} for i in range(64)])}  # as many as are kept
    node.cni("GC", faults | full(node, **faults) | lists | {key: "all"}, plugin).failure(7)
    kept.check()


def test_gc_leaves_other_networks(node, plugin):
    other = node.attach(full(node, name="other", ipam=node.ipam("10.33.0.0/24"), bridge="other"), plugin=plugin)
    stale = node.attach(full(node), plugin=plugin)
    gc(node, full(node), plugin).success()
    assert stale.host_interface not in node.links()
    other.check()


def test_gc_of_nothing(node, plugin):
    before = snapshot(node)
    gc(node, full(node), plugin).success()
    assert difference(before, snapshot(node)) == []


def test_gc_without_a_list_removes_nothing(node, plugin):
    """A runtime that forgets the list must not lose its pods."""
    attachment = node.attach(full(node), plugin=plugin)
    node.cni("GC", full(node), plugin)
    attachment.check()


def test_gc_goes_on_past_errors(node):
    """A delegate that fails does not keep the rest from being cleaned, and its error is reported."""
    ipam = node.directory / "broken-ipam"
    ipam.write_text('#!/bin/sh\ncase $CNI_COMMAND in\n'
                    'ADD) echo \'{"cniVersion":"1.1.0","ips":[{"address":"10.22.0.9/24"}]}\';;\n'
                    'GC) echo \'{"cniVersion":"1.1.0","code":100,"msg":"cannot collect"}\'; exit 1;;\nesac\n')
    ipam.chmod(0o755)
    config = full(node, ipam={"type": ipam.name})
    attachment = Attachment(node, config, node.pod(), plugin="bridge-delegate")
    attachment.add(path=str(node.directory))
    gc(node, config, "bridge-delegate", path=str(node.directory)).failure(None, "cannot collect")
    assert node.ports("cni-test") == {}


def test_gc_and_status_are_passed_on_to_a_delegate(node):
    """With the same configuration and environment."""
    ipam = node.directory / "noting-ipam"
    ipam.write_text(f"#!/bin/sh\necho $CNI_COMMAND $(cat) >>{node.directory}/log\n")
    ipam.chmod(0o755)
    config = full(node, ipam={"type": ipam.name, "own": 1})
    gc(node, config, "bridge-delegate", path=str(node.directory)).success()
    node.cni("STATUS", config, "bridge-delegate", path=str(node.directory)).success()
    lines = [line.partition(" ") for line in (node.directory / "log").read_text().splitlines()]
    assert [verb for verb, _, _ in lines] == ["GC", "STATUS"]
    assert json.loads(lines[0][2]) == config | {"cni.dev/valid-attachments": []}
    assert json.loads(lines[1][2]) == config


def test_gc_drops_leases_without_an_interface(node, plugin):
    """As after a reboot: files are there, links are not."""
    attachment = node.attach(full(node), plugin=plugin)
    node.ip(f"link del {attachment.host_interface}")
    gc(node, full(node), plugin).success()
    assert node.leases() == {}


# --- STATUS ----------------------------------------------------------------------------------------------------------

def test_status_of_a_fresh_node(node, plugin):
    """ADD could succeed though nothing of the network exists yet, and STATUS makes nothing."""
    before = snapshot(node)
    node.cni("STATUS", full(node), plugin).success()
    assert difference(before, snapshot(node)) == []


def test_status_with_pods(node, plugin):
    node.attach(full(node), plugin=plugin)
    node.cni("STATUS", full(node), plugin).success()


def test_status_of_layer_2(node, plugin):
    node.cni("STATUS", node.config(cniVersion="1.1.0"), plugin).success()


def test_status_exhausted(node, plugin):
    ipam = node.ipam(ranges=[[{"subnet": "10.44.0.0/24"}],
                             [{"subnet": SUBNETS[0], "rangeStart": "10.22.0.9", "rangeEnd": "10.22.0.10"}]])
    config = full(node, ipam=ipam)
    attachments = [node.attach(config, plugin=plugin)]
    node.cni("STATUS", config, plugin).success()
    attachments.append(node.attach(config, plugin=plugin))
    node.cni("STATUS", config, plugin).failure(50, "10.22.0.9-10.22.0.10")
    attachments[0].delete()
    node.cni("STATUS", config, plugin).success()


def test_status_data_directory_read_only(node, plugin):
    """On a mount that does not take writes: ADD fails, and STATUS says so beforehand."""
    node.data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "ro", node.data], check=True)
    try:
        node.cni("STATUS", full(node), plugin).failure(50, str(node.data))
        Attachment(node, full(node), node.pod(), plugin=plugin).run("ADD").failure()
    finally:
        subprocess.run(["umount", node.data], check=True)
    node.cni("STATUS", full(node), plugin).success()


def test_status_data_directory_is_a_file(node, plugin):
    node.data.write_text("")
    node.cni("STATUS", full(node), plugin).failure(50, str(node.data))


def test_status_without_permission_for_rules(node, nat_plugin):
    node.cni("STATUS", full(node), nat_plugin, prefix=UNPRIVILEGED).failure(50)


def test_status_without_nft(node):
    prefix = hidden(NFT)
    node.cni("STATUS", full(node), prefix=prefix).failure(50, "install the package `nftables`")
    plain = full(node, ipMasq=False, macspoofchk=False)
    node.cni("STATUS", plain, prefix=prefix).success()
    Attachment(node, plain, node.pod()).add(prefix=prefix)


def test_status_without_iptables(node):
    node.cni("STATUS", full(node), "bridge-iptables", prefix=hidden(IPTABLES)).failure(50, "iptables")


def test_status_of_a_bridge_with_another_address(node, plugin):
    """An ADD would not put a second network's gateway beside it."""
    node.ip("link add cni-test type bridge")
    node.ip("addr add 10.99.0.1/24 dev cni-test")
    config = full(node)
    if plugin == "bridge-delegate":  # host-local is another program there, and says nothing of its ranges
        node.cni("STATUS", config, plugin).success()
    else:
        node.cni("STATUS", config, plugin).failure(50, "10.22.0.1/24", "10.99.0.1/24", "forceAddress")
    Attachment(node, config, node.pod(), plugin=plugin).run("ADD").failure(None, "10.99.0.1/24")
    node.cni("STATUS", config | {"forceAddress": True}, plugin).success()
    node.cni("STATUS", config | {"isGateway": False}, plugin).success()
    node.ip("addr del 10.99.0.1/24 dev cni-test")
    node.ip("addr add 10.22.0.1/24 dev cni-test")
    node.cni("STATUS", config, plugin).success()


def test_status_says_all_at_once(node):
    """Exhausted and unable to masquerade."""
    config = full(node, ipam=node.ipam(ranges=[[{"subnet": SUBNETS[0], "rangeStart": "10.22.0.9", "rangeEnd": "10.22.0.9"}]]))
    node.attach(config)
    node.cni("STATUS", config, prefix=UNPRIVILEGED).failure(50, "10.22.0.9", "nftables")


def test_status_without_the_delegate(node):
    node.cni("STATUS", full(node, ipam={"type": "no-such-ipam"}), "bridge-delegate").failure(50, "no-such-ipam")


def test_status_bridge_name_is_taken(node, plugin):
    node.ip("link add cni-test type veth peer name other-end")
    node.cni("STATUS", full(node), plugin).failure(50, "cni-test")
