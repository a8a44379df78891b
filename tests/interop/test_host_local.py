"""One data directory, handed between our host-local and the reference's in the middle of use."""

import itertools
import random

import pytest

from support.cni import Node, Plugins


class Ipam:
    """host-local of either side, on the node's data directory."""

    def __init__(self, node: Node, plugins: Plugins):
        self.node, self.plugins = node, plugins

    def run(self, verb: str, container: str, config: dict, ifname: str = "eth0", args: str | None = None):
        mine, self.node.plugins = self.node.plugins, self.plugins
        try:
            return self.node.cni(verb, config, "host-local", container=container, netns="/run/netns/none", ifname=ifname, args=args)
        finally:
            self.node.plugins = mine

    def add(self, container: str, config: dict, **options) -> list[str]:
        return [ip["address"].partition("/")[0] for ip in self.run("ADD", container, config, **options).success()["ips"]]


@pytest.fixture
def ours(node, plugins) -> Ipam:
    return Ipam(node, plugins)


@pytest.fixture
def theirs(node, reference) -> Ipam:
    return Ipam(node, reference)


@pytest.fixture(params=("ours first", "reference first"))
def both(request, ours, theirs) -> tuple[Ipam, Ipam]:
    return (ours, theirs) if request.param == "ours first" else (theirs, ours)


def config(node, **ipam) -> dict:
    return node.config(ipam=node.ipam("10.22.0.0/29", "fd00:22::/125", **ipam))


def files(node) -> dict[str, bytes]:
    """All that both agree on: leases, and the last address of each range set."""
    return {file.name: file.read_bytes() for file in (node.data / "net").iterdir()
            if file.name[0].isdigit() or ":" in file.name or file.name.startswith("last_reserved_ip.")}


def test_same_files(plugins, reference):
    """The same sequence of verbs on two nodes leaves the same files, with the same contents."""
    found = []
    for side in (plugins, reference):
        node = Node(plugins)
        try:
            ipam = Ipam(node, side)
            for container in ("a", "b", "c"):
                ipam.add(container, config(node))
            ipam.run("DEL", "b", config(node)).success()
            ipam.add("d", config(node), args="IgnoreUnknown=1;IP=10.22.0.6")
            found.append(files(node))
        finally:
            node.close()
    assert found[0] == found[1]
    assert found[0]["10.22.0.2"] == b"a\r\neth0"
    assert found[0]["last_reserved_ip.0"] == b"10.22.0.6"


def test_same_results(plugins, reference):
    routes = [{"dst": "0.0.0.0/0"}, {"dst": "172.16.0.0/12", "gw": "10.22.0.5"}]
    found = []
    for side in (plugins, reference):
        node = Node(plugins)
        try:
            result = Ipam(node, side).run("ADD", "a", config(node, routes=routes)).success()
            found.append({key: value for key, value in result.items() if key != "dns" or value})
        finally:
            node.close()
    assert found[0] == found[1]


def test_one_adds_the_other_checks_and_deletes(node, both):
    first, second = both
    first.add("a", config(node))
    second.run("CHECK", "a", config(node) | {"prevResult": {"cniVersion": "1.0.0"}}).success()
    second.run("DEL", "a", config(node)).success()
    assert node.leases() == {}
    first.run("CHECK", "a", config(node) | {"prevResult": {"cniVersion": "1.0.0"}}).failure()


def test_the_other_goes_on_where_the_one_stopped(node, both):
    """Addresses go round: the one after the last reserved is next, whoever reserved that."""
    given = [side.add(f"c{number}", config(node))[0] for number, side in zip(range(5), itertools.cycle(both), strict=False)]
    assert given == [f"10.22.0.{number}" for number in range(2, 7)]
    for side in both:
        side.run("ADD", "more", config(node)).failure(None, "10.22.0.1-10.22.0.6")
    both[0].run("DEL", "c1", config(node)).success()
    assert both[1].add("again", config(node))[0] == "10.22.0.3"


def test_neither_gives_twice(node, both):
    """A container that has an address from the one gets no second from the other."""
    both[0].add("a", config(node))
    both[1].run("ADD", "a", config(node)).failure(None, "a")
    both[1].run("ADD", "b", config(node), args="IgnoreUnknown=1;IP=10.22.0.2").failure(None, "10.22.0.2")


def test_long_alternating_use(node, ours, theirs):
    """A random walk; ours keeps whatever it knows of the directory right though the other writes there too."""
    walk = random.Random(7)
    held: dict[str, list[str]] = {}
    for number in range(120):
        side = walk.choice((ours, theirs))
        if held and (len(held) == 5 or walk.random() < 0.5):
            container = walk.choice(sorted(held))
            side.run("DEL", container, config(node)).success()
            del held[container]
        else:
            held[f"c{number}"] = side.add(f"c{number}", config(node))
        expected = {address: (container, "eth0") for container, addresses in held.items() for address in addresses}
        assert node.leases() == expected


def test_old_format(node, ours, theirs):
    """Leases of before interfaces were recorded hold an ID alone."""
    directory = node.data / "net"
    directory.mkdir(parents=True)
    (directory / "10.22.0.2").write_bytes(b"old")
    ours.run("ADD", "old", config(node)).failure()
    ours.run("CHECK", "old", config(node) | {"prevResult": {"cniVersion": "1.0.0"}}).success()
    ours.run("DEL", "old", config(node)).success()
    assert node.leases() == {}


def test_lease_taken_behind_our_back(node, ours):
    """An index of ours is no more than a hint: files decide."""
    ours.add("a", config(node))
    (node.data / "net" / "10.22.0.3").write_bytes(b"foreign\r\neth0")
    assert ours.add("b", config(node))[0] == "10.22.0.4"
    (node.data / "net" / "10.22.0.2").unlink()
    ours.run("CHECK", "a", config(node) | {"prevResult": {"cniVersion": "1.0.0"}})
    for number in range(2):
        ours.add(f"c{number}", config(node))
    assert ours.add("last", config(node))[0] == "10.22.0.2"
