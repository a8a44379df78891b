"""docs/eni-node.md: the packets' way on a node that cnix-eni-node has set up, with pods wired as the eni plugin wires them."""

import json

import pytest

from support.eni_lab import NODE_VARIANTS
from support.traffic import PORT, Echo, reaches, seen_source

NODE_PORT = 30080


@pytest.fixture
def lab(bare_lab):
    return bare_lab


@pytest.fixture(params=NODE_VARIANTS)
def variant(request) -> str:
    return request.param


@pytest.fixture
def set_up(lab, pytestconfig, tmp_path, variant):
    binaries = pytestconfig.option.plugins_dir.resolve()
    if not (binaries / "cnix-eni-node").exists():
        pytest.skip(f"{binaries} has no cnix-eni-node")
    return lambda **config: lab.set_up_node(binaries, tmp_path, variant=variant, **config)


@pytest.fixture
def pods(lab):
    """One on each ENI: address by pod."""
    return {lab.pod(eni, eni.address(55)): eni.address(55) for eni in lab.enis}


def counted(lab, name: str) -> int:
    shown = json.loads(lab.node.run("nft", "-j", "list", "counter", "inet", "other", name).stdout)
    return shown["nftables"][1]["counter"]["packets"]


def another_user_of_marks(lab) -> None:
    """Has a bit of the packets' mark from prerouting on, as early as connmark, and one of the connections'; counts in `forward`
    what still has them."""
    lab.node.run("nft", "-f", "-", input="""
        table inet other {
            counter kept { }
            counter lost { }
            counter marked { }
            chain early {
                type filter hook prerouting priority -150;
                iifname "eni*" meta mark set meta mark | 0x4000 ct mark set ct mark | 0x2000
            }
            chain late {
                type filter hook forward priority 0;
                iifname "eni*" meta mark & 0x4000 == 0x4000 ct mark & 0x2000 == 0x2000 counter name kept
                iifname "eni*" meta mark & 0x4000 == 0 counter name lost
                iifname "eni*" ct mark & 0x2000 == 0 counter name lost
                iifname "eni*" meta mark & 0x80 == 0x80 counter name marked
            }
        }
    """)


def test_what_leaves_the_vpc_has_the_nodes_address(lab, set_up, pods):
    set_up()
    with Echo(lab.outside), Echo(lab.instance), Echo(lab.partner):
        for pod, address in pods.items():
            assert seen_source(pod, lab.outside.address4) == lab.enis[0].primary4
            assert seen_source(pod, lab.instance.address4) == address
            assert seen_source(pod, lab.partner.address4) == lab.enis[0].primary4
        set_up(excludeSNATCIDRs=["10.1.0.0/16"])
        for pod, address in pods.items():
            assert seen_source(pod, lab.partner.address4) == address
            assert seen_source(pod, lab.outside.address4) == lab.enis[0].primary4
        set_up(externalSNAT=True)
        for pod, address in pods.items():
            assert seen_source(pod, lab.outside.address4) == address


def test_pods_are_reached_under_their_own_addresses(lab, set_up, pods):
    set_up()
    (first, one), (second, two) = pods.items()
    with Echo(first), Echo(second):
        for client, address in ((lab.instance, lab.instance.address4), (lab.outside, lab.outside.address4)):
            assert seen_source(client, one) == address
            assert seen_source(client, two) == address
        assert seen_source(first, two) == one
        assert seen_source(second, one) == two
        assert seen_source(lab.node, two)


def test_another_users_bits_of_the_mark_are_kept(lab, set_up, pods):
    """Upstream's nftables backend wrote the whole mark."""
    set_up()
    another_user_of_marks(lab)
    with Echo(lab.outside), Echo(lab.instance):
        for pod in pods:
            assert seen_source(pod, lab.instance.address4)
        assert counted(lab, "kept") > 0 and counted(lab, "lost") == 0
        assert counted(lab, "marked") == 0, "what stays in the VPC is not marked"
        for pod in pods:
            assert seen_source(pod, lab.outside.address4) == lab.enis[0].primary4
        assert counted(lab, "marked") > 0 and counted(lab, "lost") == 0


def test_node_port_on_the_primary_for_a_pod_of_the_second_eni(lab, set_up, pods):
    (_, one), (second, two) = pods.items()
    set_up()
    another_user_of_marks(lab)
    lab.node_port(NODE_PORT, two, PORT)
    with Echo(second):
        for client in (lab.outside, lab.instance):
            assert seen_source(client, lab.enis[0].primary4, NODE_PORT) == client.address4
        assert counted(lab, "marked") > 0 and counted(lab, "lost") == 0
        set_up(nodePortSupport=False)
        assert seen_source(lab.outside, lab.enis[0].primary4, NODE_PORT, within=0) is None, "answered by the second ENI"
        set_up(externalSNAT=True)
        assert seen_source(lab.outside, lab.enis[0].primary4, NODE_PORT) == lab.outside.address4


def test_a_service_that_leads_out_of_the_vpc(lab, set_up, pods, variant):
    if variant == "iptables":
        pytest.skip("upstream's rules do not mark what DNAT sends out of the VPC: docs/eni-node.md")
    set_up()
    lab.node.run("nft", "-f", "-", input=f"""
        add table ip kube
        add chain ip kube prerouting {{ type nat hook prerouting priority dstnat; }}
        add rule ip kube prerouting ip daddr 172.20.0.1 tcp dport 80 dnat to {lab.outside.address4}:{PORT}
    """)
    with Echo(lab.outside):
        for pod in pods:
            assert seen_source(pod, "172.20.0.1", 80) == lab.enis[0].primary4


def test_ipv6_is_never_translated(lab, set_up):
    set_up(ipv6=True)
    pods = {lab.pod(eni, eni.address(55, 6)): eni.address(55, 6) for eni in lab.enis}
    (first, one), (second, two) = pods.items()
    with Echo(lab.outside), Echo(first), Echo(second):
        for pod, address in pods.items():
            assert seen_source(pod, lab.outside.address6) == address
            assert seen_source(lab.instance, address) == lab.instance.address6
        assert seen_source(first, two) == one
        lab.node_port(NODE_PORT, two, PORT)
        assert seen_source(lab.outside, lab.enis[0].primary6, NODE_PORT) == lab.outside.address6


def test_node_local_pods_are_out_of_reach(lab, set_up):
    """The addresses that upstream's egress plugin gives pods of the other family."""
    set_up(ipv4Egress=True)
    node_local = lab.pod(lab.enis[0], "169.254.172.5")
    with Echo(node_local):
        assert seen_source(lab.node, "169.254.172.5")
        assert seen_source(lab.instance, "169.254.172.5", within=0) is None
    assert reaches(lab.node, "169.254.172.5")


def test_the_node_itself_answers_from_the_second_eni(lab, set_up):
    set_up()
    second = lab.enis[1]
    with Echo(lab.node):
        assert seen_source(lab.outside, second.primary4) == lab.outside.address4
        assert seen_source(lab.instance, lab.enis[0].primary4) == lab.instance.address4
