"""DEL succeeds and leaves nothing, whatever is gone already."""

import pytest

from support.cni import Attachment, CHECK_VERSIONS
from support.snapshot import difference, snapshot

SUBNETS = ("10.22.0.0/24", "fd00:22::/64")


def full(node, **keys) -> dict:
    return node.config(**({"isDefaultGateway": True, "ipMasq": True, "macspoofchk": True,
                           "ipam": node.ipam(*SUBNETS)} | keys))


def nothing_left(node, before: set[str]) -> None:
    assert difference(before, snapshot(node)) == []
    assert node.leases() == {}


@pytest.fixture
def before(node, plugin) -> set[str]:
    """The node's state after a pod has come and gone: the bridge, its address and forwarding stay."""
    node.attach(full(node), plugin=plugin).delete()
    return snapshot(node)


def as_usual(node, attachment):
    return {}


def netns_empty(node, attachment):
    return {"netns": ""}


def netns_unset(node, attachment):
    return {"env": {"CNI_NETNS": None}}


def netns_gone(node, attachment):
    attachment.pod.close()
    return {}


def netns_is_a_file(node, attachment):
    """What is left of a namespace's mount point when its mount has gone."""
    file = node.directory / "file"
    file.touch()
    return {"netns": str(file)}


def netns_is_a_directory(node, attachment):
    return {"netns": str(node.directory)}


def without_previous_result(node, attachment):
    return {"prev": False}


def without_previous_result_and_netns(node, attachment):
    return {"prev": False, "netns": ""}


def interface_gone(node, attachment):
    attachment.pod.ip("link del eth0")
    return {}


def host_end_renamed(node, attachment):
    node.ip(f"link set {attachment.host_interface} down")
    node.ip(f"link set {attachment.host_interface} name renamed0")
    return {}


def addresses_gone(node, attachment):
    attachment.pod.ip("addr flush dev eth0")
    return {"prev": False}


def host_end_down(node, attachment):
    node.ip(f"link set {attachment.host_interface} down")
    return {}


def leases_gone(node, attachment):
    for address in node.leases():
        (node.data / "net" / address).unlink()
    return {}


def rules_gone(node, attachment):
    node.run("nft", "flush", "ruleset")
    return {}


def ranges_changed(node, attachment):
    """The configuration was edited while the pod ran."""
    return {"config": full(node, ipam=node.ipam("10.99.0.0/24"))}


def masquerade_switched_off(node, attachment):
    return {"config": full(node, ipMasq=False, macspoofchk=False)}


def alias_replaced(node, attachment):
    """By an administrator; without its namespace, the host end's name is all that is left to know it by."""
    node.ip(f"link set {attachment.host_interface} alias other")
    return {"netns": "", "prev": False}


STATES = (as_usual, netns_empty, netns_unset, netns_gone, netns_is_a_file, netns_is_a_directory, without_previous_result,
          without_previous_result_and_netns, interface_gone, host_end_renamed, alias_replaced, addresses_gone, host_end_down, leases_gone,
          rules_gone, ranges_changed)


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_del(node, plugin, before, state):
    attachment = node.attach(full(node), plugin=plugin)
    options = state(node, attachment)
    attachment.delete(**options)
    nothing_left(node, before)
    if attachment.pod.exists():
        assert attachment.pod.link("eth0") is None
    attachment.delete(**options)
    nothing_left(node, before)


def test_del_after_the_network_stopped_masquerading(node, plugin, before):
    attachment = node.attach(full(node), plugin=plugin)
    attachment.delete(**masquerade_switched_off(node, attachment))
    nothing_left(node, before)


@pytest.mark.parametrize("netns", ("given", "empty", "gone"))
def test_del_of_what_was_never_added(node, plugin, netns):
    """On a node that has never seen the network."""
    before = snapshot(node)
    pod = node.pod()
    attachment = Attachment(node, full(node), pod, plugin=plugin)
    if netns == "gone":
        pod.close()
    attachment.delete(netns="" if netns == "empty" else pod.path)
    nothing_left(node, before)


def test_del_leaves_interfaces_of_others(node, plugin):
    """An eth0 in the pod that no ADD of this network made, as of another plugin's, with a DEL of the wrong network."""
    attachment = node.attach(full(node), plugin=plugin)
    attachment.run("DEL", ifname="eth7", prev=False).success()
    Attachment(node, full(node), node.pod(), plugin=plugin).delete()
    attachment.check()


@pytest.mark.parametrize("netns", ("given", "empty"))
def test_del_without_the_ipam_binary(node, netns):
    """The interface and rules go; the runtime is told only if something could not be released."""
    node.attach(full(node), plugin="bridge-delegate").delete()
    before = snapshot(node)
    attachment = node.attach(full(node), plugin="bridge-delegate")
    attachment.delete(path="/nonexistent", **({"netns": ""} if netns == "empty" else {}))
    assert attachment.pod.link("eth0") is None
    assert [line for line in difference(before, snapshot(node)) if not line.startswith("+ file")] == []


@pytest.mark.parametrize("version", CHECK_VERSIONS)
@pytest.mark.parametrize("previous", ({}, None, {"cniVersion": "1.0.0", "interfaces": [], "ips": []}),
                         ids=("empty", "null", "hollow"))
def test_del_with_a_hollow_previous_result(node, plugin, before, version, previous):
    config = full(node, cniVersion=version)
    attachment = node.attach(config, plugin=plugin)
    if previous:
        previous = previous | {"cniVersion": version}
    attachment.delete(config=config | {"prevResult": previous}, prev=False)
    nothing_left(node, before)


@pytest.mark.parametrize("keys", ({"mtu": "wrong"}, {"vlan": 9999}, {"bridge": 7}, {"ipam": {"type": "host-local"}}),
                         ids=("mtu", "vlan", "bridge", "ranges"))
def test_del_with_a_configuration_broken_since(node, plugin, keys):
    """Values that cannot be read do not keep a pod from going."""
    attachment = node.attach(full(node), plugin=plugin)
    if "ipam" in keys:
        keys = {"ipam": {"type": "host-local", "dataDir": str(node.data), "subnet": "nonsense"}}
    attachment.delete(config=full(node) | keys)
    assert attachment.pod.link("eth0") is None and node.ports("cni-test") == {}
    assert node.leases() == {}


def test_address_is_free_only_once_the_interface_is_gone(node, plugin):
    """The lease of a DEL that could not remove the interface stays; here: it goes, and the address is given again."""
    config = full(node, ipam=node.ipam(ranges=[[{"subnet": SUBNETS[0], "rangeStart": "10.22.0.9", "rangeEnd": "10.22.0.9"}]]))
    first = node.attach(config, plugin=plugin)
    first.delete()
    second = node.attach(config, plugin=plugin)
    assert first.address == second.address == "10.22.0.9"
    first.delete()  # a late, repeated DEL must not take what is now another's
    second.check()
