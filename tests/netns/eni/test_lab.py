"""The lab of the ENI design is what it says: without the node's set-up, what needs it does not work."""

import pytest

from support.traffic import Echo, ping, reaches, seen_source


@pytest.fixture
def lab(bare_lab):
    return bare_lab


def test_a_pod_on_the_primary_eni_is_reached_from_the_vpc(lab):
    primary = lab.enis[0]
    pod = lab.pod(primary, primary.address(55))
    with Echo(pod):
        assert seen_source(lab.instance, primary.address(55)) == lab.instance.address4
        assert seen_source(lab.outside, primary.address(55)) == lab.outside.address4
    with Echo(lab.instance):
        assert seen_source(pod, lab.instance.address4) == primary.address(55)
    assert reaches(lab.instance, primary.primary6)


def test_a_second_eni_without_set_up_loses_its_pods(lab):
    """The cloud's router drops what leaves by an ENI that does not own its source."""
    second = lab.enis[1]
    assert lab.node.link(second.interface)["address"] == second.mac
    pod = lab.pod(second, second.address(55))
    assert not ping(pod, lab.instance.address4)
    lab.node.ip(f"link set {second.interface} up")
    lab.node.ip(f"addr add {second.primary4}/24 dev {second.interface}")
    lab.node.ip(f"route add {second.gateway4} dev {second.interface} scope link table {second.table}")
    lab.node.ip(f"route add default via {second.gateway4} dev {second.interface} table {second.table}")
    assert reaches(pod, lab.instance.address4)
    lab.node.ip("rule del priority 1536")
    assert not ping(pod, lab.instance.address4)


def test_and_so_with_ipv6(lab):
    first, second = lab.enis
    lab.node.sysctl("ipv6/conf/all/forwarding", 1)
    lab.node.ip(f"link set {second.interface} up")
    own, lost = lab.pod(first, first.address(55, 6)), lab.pod(second, second.address(55, 6))
    assert reaches(own, lab.outside.address6)
    assert not ping(lost, lab.outside.address6)
    lab.node.ip(f"route add default via fe80:ec2::1 dev {second.interface} table {second.table}")
    assert reaches(lost, lab.outside.address6)
