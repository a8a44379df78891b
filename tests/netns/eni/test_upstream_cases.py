"""The cases of upstream's own tests that make sense for a program, by their names there (cmd/routed-eni-cni-plugin/cni_test.go and
driver/driver_test.go of aws/amazon-vpc-cni-k8s): what it is given is the same, and what is expected unless cnix does better."""

import json

import pytest

from support.cni import VERSIONS
from support.ipamd_stub import Refusal, encode
from support.snapshot import difference, snapshot

pytest.importorskip("grpc", reason="python3-grpcio is not installed")
AGENT_MODE = {"mode": "strict"}


@pytest.fixture
def before(daemon):
    """The node's state before the pod, with a pod there already: forwarding and the like stay."""
    daemon.serve(1)
    daemon.attach("other")
    return snapshot(daemon.node)


def left(daemon, before) -> list[str]:
    return difference(before, snapshot(daemon.node))


def raising(text: str, code: str = "UNKNOWN"):
    def answer(_):
        raise Refusal(text, code)
    return answer


# cni_test.go: ADD

def test_cmd_add(daemon, before):
    pod = daemon.attach()
    assert [one["name"] for one in pod.result["interfaces"]] == ["enic440f455693", "eth0", "dummyc440f455693"]


def test_cmd_add_with_np_enabled(daemon):
    stub = daemon.serve(1, agent=f"unix://{daemon.agent}", **AGENT_MODE)
    daemon.attach()
    assert len(stub.asked("EnforceNpToPod")) == 1


def test_cmd_add_with_np_enabled_with_err(daemon, before):
    """Upstream leaves the pod's interface to the next DEL."""
    daemon.stub.mode = "strict"
    daemon.pod().run("ADD").failure(11, "failed to setup network policy")
    assert left(daemon, before) == []


def test_cmd_add_network_err(daemon, before):
    daemon.stub.instead["AddNetwork"] = raising("error on AddNetwork")
    daemon.pod().run("ADD").failure(11, "add cmd: Error received from AddNetwork gRPC call: rpc error: code = Unknown", "error on AddNetwork")
    assert left(daemon, before) == []


def test_cmd_add_err_setup_pod_network(daemon, before):
    pod = daemon.pod()
    pod.pod.ip("link add eth0 type veth peer name x")
    pod.run("ADD").failure(None, "eth0")
    assert left(daemon, before) == []
    assert [held for held in daemon.stub.held if held[1] == pod.pod.container] == []


# cni_test.go: DEL

def test_cmd_del(daemon, before):
    pod = daemon.attach()
    pod.delete()
    assert left(daemon, before) == []


def test_cmd_del_err_del_network(daemon, before):
    """Any error of the daemon: the pod's things go, and the release waits (upstream: it leaks)."""
    pod = daemon.attach()
    daemon.stub.instead["DelNetwork"] = raising("error\ncnix: on \x1b[2JDelNetwork")
    done = pod.run("DEL")
    done.success()
    assert left(daemon, before) == [] and len(daemon.spooled()) == 1
    assert "error?cnix: on ?[2JDelNetwork" in done.stderr and len(done.stderr.splitlines()) == 1


def test_cmd_del_err_teardown(daemon, before):
    """Success=false is an error, and the pod's things are gone all the same."""
    pod = daemon.attach()
    daemon.stub.instead["DelNetwork"] = lambda _: b""
    pod.run("DEL").failure(None, "del cmd: failed to process delete request")
    assert left(daemon, before) == []
    del daemon.stub.instead["DelNetwork"]
    pod.delete()


@pytest.mark.parametrize("version", ("0.3.1", "0.4.0", "1.0.0", "1.1.0"))
def test_cmd_del_when_ipam_is_down(daemon, before, version):
    pod = daemon.attach(config=daemon.config(cniVersion=version))
    daemon.stop()
    pod.delete()
    assert left(daemon, before) == []


def test_cmd_del_when_ipam_is_down_and_prev_result_deletion_fails(daemon, before):
    """Upstream tells success, and the rules stay for ever; ours fails, so that the runtime repeats it. Nobody is given the address yet."""
    pod = daemon.attach()
    daemon.stop()
    pod.run("DEL", prefix=("setpriv", "--inh-caps", "-net_admin", "--bounding-set", "-net_admin")).failure(None, "Operation not permitted")
    assert daemon.spooled() == []
    pod.delete()
    assert left(daemon, before) == [] and len(daemon.spooled()) == 1


def changed(result: dict, **dummy) -> dict:
    """The result with its last interface changed; None takes a key away."""
    altered = json.loads(json.dumps(result))
    altered["interfaces"][-1] |= dummy
    altered["interfaces"][-1] = {key: value for key, value in altered["interfaces"][-1].items() if value is not None}
    return altered


def without_dummy(result: dict) -> dict:
    return result | {"interfaces": result["interfaces"][:-1]}


def without_addresses(result: dict) -> dict:
    return {key: value for key, value in result.items() if key != "ips"}


# tryDelWithPrevResult and teardownPodNetworkWithPrevResult: upstream gives up on each of these, and leaks (§13.3). The kernel knows.
@pytest.mark.parametrize("alter", (
    pytest.param(lambda result: result, id="ok"),
    pytest.param(without_dummy, id="no-dummy"),
    pytest.param(lambda result: changed(result, mac="seven"), id="malformed-vlanID"),
    pytest.param(lambda result: changed(result, mac="0"), id="vlan-0"),
    pytest.param(lambda result: changed(result, mac="7"), id="vlan-not-0"),
    pytest.param(lambda result: changed(result, sandbox=None), id="missing-device-number"),
    pytest.param(lambda result: changed(result, sandbox="one"), id="malformed-device-number"),
    pytest.param(lambda result: result | {"interfaces": result["interfaces"][1:]}, id="no-host-end"),
    pytest.param(without_addresses, id="no-container-IP"),
    pytest.param(lambda _: None, id="nil-prevResult"),
))
@pytest.mark.parametrize("pod_is", ("there", "gone"))
def test_teardown_pod_network_with_prev_result(daemon, before, alter, pod_is):
    pod = daemon.attach()
    daemon.stop()
    options = {}
    if pod_is == "gone":
        pod.pod.close()
        options["netns"] = ""
    previous = alter(pod.result)
    config = daemon.config() | ({"prevResult": previous} if previous else {})
    pod.run("DEL", config=config, prev=False, **options).success()
    assert left(daemon, before) == []


def test_teardown_pod_network_with_prev_result_multi_nic(daemon, lab, before):
    daemon.stop()
    daemon.serve(1, 2).pools[0][1].pop(0)  # the other pod's
    pod = daemon.attach(config=daemon.config(runtimeConfig={"io.kubernetes.cri.pod-annotations": {
        "k8s.amazonaws.com/nicConfig": "multi-nic-attachment"}}))
    for address, table in zip(pod.addresses, (2, 3)):
        without_protocol(daemon.node, address, table)
    daemon.stop()
    pod.pod.close()
    pod.delete(netns="")
    assert left(daemon, before) == []


def without_protocol(node, address: str, table: int) -> None:
    """The rules of a pod as upstream makes them."""
    for rule in (f"to {address} priority 512 lookup main", f"from {address} priority 1536 lookup {table}"):
        node.ip(f"rule del {rule}")
        node.ip(f"rule add {rule}")


@pytest.mark.parametrize("version", VERSIONS)
def test_teardown_pod_network_with_prev_result_of_every_version(daemon, before, version):
    """The daemon away, the pod gone, and nothing on the node by which the pod's rules are known."""
    pod = daemon.attach(config=daemon.config(cniVersion=version))
    without_protocol(daemon.node, pod.address, 2)
    daemon.stop()
    pod.pod.close()
    daemon.node.ip("link del enic440f455693", check=False)
    pod.delete(netns="", prev="always")
    assert left(daemon, before) == []


def test_cmd_del_with_a_prev_result_that_cannot_be_parsed(daemon, before):
    pod = daemon.attach()
    pod.run("DEL", config=daemon.config() | {"prevResult": {"cniVersion": "1.0.0", "ips": [{"address": "nonsense"}]}}, prev=False).success()
    assert left(daemon, before) == []


# cni_test.go: LoadNetConf

def test_load_net_conf_defaults(daemon, before):
    pod = daemon.attach()
    assert pod.pod.links()["eth0"]["mtu"] == 9001 and "enic440f455693" in daemon.node.links()


def test_load_net_conf_custom(daemon, before):
    pod = daemon.attach(config=daemon.config(vethPrefix="eth", mtu="1300"))
    assert pod.pod.links()["eth0"]["mtu"] == daemon.node.links()["ethc440f455693"]["mtu"] == 1300
    pod.check()
    pod.delete()
    assert left(daemon, before) == []


@pytest.mark.parametrize("mtu", ("", "nonsense", "575", "9002"))
def test_load_net_conf_bad_mtu(daemon, before, mtu):
    assert daemon.attach(config=daemon.config(mtu=mtu)).pod.links()["eth0"]["mtu"] == 9001


def test_load_net_conf_prefix_too_long(daemon, before):
    daemon.pod(config=daemon.config(vethPrefix="long-prefix")).run("ADD").failure(7, "conf.VethPrefix can be at most 4 characters long")


def test_load_net_conf_invalid_json(daemon, before):
    pod = daemon.pod()
    daemon.node.cni("ADD", '{"cniVersion": "1.0.0", "name": "aws-cni", ', "eni", container=pod.pod.container, netns=pod.pod.path,
                    ifname="eth0").failure(6)


def test_load_net_conf_unparsable_prev_result(daemon, before):
    pod = daemon.pod()
    pod.run("ADD", config=daemon.config() | {"prevResult": {"cniVersion": "1.0.0", "ips": [{"address": "nonsense"}]}}).failure(6)


# driver_test.go, in the kernel; each failing netlink request: tests/unit/link/eni_routed_faults.cpp

def test_setup_pod_network_old_veth_present(daemon, before):
    """Of a pod of the name whose namespace is going."""
    old = daemon.attach()
    daemon.stub.held.clear()
    pod = daemon.attach()
    assert "enic440f455693" in daemon.node.links()
    pod.check()
    old.delete(prev=True)
    pod.check()


def test_setup_pod_network_rules_and_route_are_there(daemon, lab, before):
    """EEXIST: of an earlier pod with the address."""
    address = daemon.stub.pools[0][1][0]
    daemon.node.ip(f"rule add to {address} priority 512 lookup main")
    daemon.node.ip(f"rule add from {address} priority 1536 lookup 7")
    daemon.node.ip(f"route add {address} dev eth1")
    pod = daemon.attach()
    assert pod.address == address
    rules = daemon.node.ip("rule").stdout
    assert "lookup 7" not in rules and rules.count(f"to {address} ") == 1
    pod.check()
    pod.delete()
    assert left(daemon, before) == []


def test_teardown_pod_network_rule_and_route_are_gone(daemon, before):
    pod = daemon.attach()
    daemon.node.ip(f"rule del to {pod.address} priority 512")
    daemon.node.ip(f"rule del from {pod.address} priority 1536")
    daemon.node.ip(f"route del {pod.address}")
    pod.delete()
    assert left(daemon, before) == []


def test_setup_pod_network_in_a_pod_without_ipv6(daemon):
    """disable_ipv6 in the pod: an IPv6 pod gets it back."""
    daemon.serve(1, family=6)
    pod = daemon.pod()
    for name in ("all", "default", "lo"):
        pod.pod.sysctl(f"ipv6/conf/{name}/disable_ipv6", 1)
    pod.add()
    pod.check()


# rpc_handler_test.go, seen from the plugin

def test_no_ip_in_the_reply(daemon, before):
    daemon.stub.instead["AddNetwork"] = lambda _: encode((1, True))
    daemon.pod().run("ADD").failure(11)
    assert left(daemon, before) == []
