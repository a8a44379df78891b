"""docs/examples/site_pods: policies written outside of cnix, built against the installed package only, and run."""

import json
import os

import pytest

from package.conftest import ROOT, build, configure, run
from support.cni import Node, Plugins
from support.snapshot import difference, snapshot
from support.traffic import reaches

pytestmark = pytest.mark.xdist_group("package")
SOURCE = ROOT / "docs/examples/site_pods"
LINES = {"ipv4": ("10.7.0.2/24 10.7.0.1", "10.7.0.3/24 10.7.0.1"), "ipv6": ("fd00:7::2/64", "fd00:7::3/64")}


@pytest.fixture(scope="module")
def site_pods(staged, tmp_path_factory):
    """The build tree of a copy: nothing of this repository is beside it."""
    source = tmp_path_factory.mktemp("site_pods")
    for file in SOURCE.iterdir():
        (source / file.name).write_text(file.read_text())
    tree = source / "build"
    configure(source, tree, f"-DCMAKE_PREFIX_PATH={staged}/usr", "-DCMAKE_CXX_FLAGS=-O0 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror")
    build(tree)
    return tree


@pytest.fixture(params=LINES)
def site(request, site_pods):
    """A node with the plugin, a list of two addresses, and an address of its own in that family."""
    node = Node(Plugins(site_pods))
    node.list = node.directory / "list"
    node.list.write_text("\n".join(LINES[request.param]) + "\n")
    node.address = "192.0.2.1" if request.param == "ipv4" else "2001:db8::1"
    node.ip(f"addr add {node.address} dev lo")
    node.conf = node.config(cniVersion="1.1.0", type="site-pods", bridge=None, ipam={"type": "text-file", "file": str(node.list)})
    for family in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):  # an ADD leaves it on
        node.sysctl(family, 1)
    yield node
    node.close()


def leases(node: Node) -> dict[str, str]:
    return {file.name: file.read_text() for file in (node.directory / "list.leases").glob("*") if file.name != "lock"}


def verb(node: Node, name: str, **keys):
    return node.cni(name, node.conf | keys, "site-pods")


def test_policies_are_short():
    policies = [SOURCE / "text_file_ipam.hpp", SOURCE / "point_to_point.hpp"]
    assert all(len(file.read_text().splitlines()) < 100 for file in policies)


def test_laws_hold(site_pods):
    run("ctest", "--test-dir", site_pods, "--output-on-failure", "--no-tests=error")


def test_pods_reach_each_other_and_the_node(site):
    before, of_pod = snapshot(site), site.pod()
    empty = snapshot(of_pod)
    one = site.attach(site.conf, of_pod, plugin="site-pods")
    assert one.result["ips"][0]["address"] in ("10.7.0.2/32", "fd00:7::2/128")
    other = site.attach(site.conf, plugin="site-pods")
    assert reaches(one.pod, other.address) and reaches(other.pod, one.address)
    assert reaches(site, one.address) and reaches(one.pod, site.address)
    one.check()
    other.check()
    other.delete()
    one.delete()
    one.delete()
    assert difference(before, snapshot(site)) == [] and difference(empty, snapshot(of_pod)) == []
    assert leases(site) == {}


def test_check_finds_what_is_missing(site):
    one = site.attach(site.conf, plugin="site-pods")
    family = "-6" if ":" in one.address else "-4"
    node_end, pod_end = (interface["name"] for interface in one.result["interfaces"])
    one.pod.ip(f"neigh del {one.gateway} dev {pod_end}")
    one.run("CHECK").failure(999, f"of {one.gateway} is missing on {pod_end}")
    site.ip(f"neigh del {one.address} dev {node_end}")
    site.ip(f"{family} route del {one.address} dev {node_end}")
    one.run("CHECK").failure(999, f"of {one.address} is missing on {node_end}", f"the route {one.result['ips'][0]['address']} is missing on {node_end}")
    next((site.directory / "list.leases").glob("net~*")).unlink()
    one.run("CHECK").failure(999, "the address of the result is not leased")


def test_a_list_that_is_exhausted(site):
    verb(site, "STATUS").success()
    first, _ = (site.attach(site.conf, plugin="site-pods") for _ in range(2))
    verb(site, "STATUS").failure(50, f"{site.list}.leases has every line; add some to the list")
    before, pod = snapshot(site), site.pod()
    assert_nothing_changes = (before, leases(site))
    site.cni("ADD", site.conf, "site-pods", container=pod.container, netns=pod.path, ifname="eth0").failure(11, "has every line")
    assert (snapshot(site), leases(site)) == assert_nothing_changes
    verb(site, "GC", **{"cni.dev/valid-attachments": [{"containerID": first.pod.container, "ifname": "eth0"}]}).success()
    assert len(leases(site)) == 1
    verb(site, "STATUS").success()
    first.check()


READ_ONLY_SYSCTLS = ("unshare", "--mount", "sh", "-c", 'mount --bind -o ro /proc/sys /proc/sys || exit 99; exec "$@"', "sh")


def test_a_failed_add_leaves_nothing(site):
    pod = site.pod()
    before, empty = snapshot(site), snapshot(pod)

    def refused(code: int, text: str, config: dict = {}, prefix: tuple = ()):
        site.cni("ADD", site.conf | config, "site-pods", container=pod.container, netns=pod.path, ifname="eth0", prefix=prefix).failure(code, text)
        assert leases(site) == {} and difference(before, snapshot(site)) == []

    refused(7, "$.ipam.file", {"ipam": site.conf["ipam"] | {"file": "pods"}})
    refused(999, "add the veth", {"mtu": 60})
    for family in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        site.sysctl(family, 0)
    before = snapshot(site)
    refused(999, 'write "1" to the sysctl', prefix=READ_ONLY_SYSCTLS)  # forwarding with IPv4, the last but two of its steps
    assert difference(empty, snapshot(pod)) == []
    site.list.write_text("10.7.0.0.1/24\n")
    refused(999, "not ADDRESS/LENGTH [GATEWAY]: `10.7.0.0.1/24`")
    site.list.write_text("10.7.0.2/24\n")
    pod.ip("link add eth0 type bridge")
    there = snapshot(pod)
    refused(999, "the interface eth0 exists already")
    assert difference(there, snapshot(pod)) == []


def test_configuration_is_checked_when_it_is_built(site_pods):
    conflist = site_pods.parent / "site-pods.conflist"
    good = conflist.read_text()
    assert run(site_pods / "site-pods", "--check", conflist).returncode == 0
    try:
        conflist.write_text(json.dumps(json.loads(good.replace('"file": "/', '"file": "').replace("mtu", "mtuu"))))
        built = run("cmake", "--build", site_pods, "--target", "site-pods-configurations-1", check=False, env={**os.environ, "LC_ALL": "C"})
        assert built.returncode != 0
        for text in ("unknown key `mtuu`, did you mean `mtu`", "$.plugins[0].ipam.file: write the absolute path of the addresses"):
            assert text in built.stdout + built.stderr
    finally:
        conflist.write_text(good)
