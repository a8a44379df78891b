"""Pods by eni, whose addresses an address daemon of its generation gives: a stub of it in Python's own gRPC (support/ipamd_stub.py)."""

import itertools
import json
import os
import shutil
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.ipamd_stub import GENERATIONS, Refusal, encode
from support.snapshot import difference, snapshot
from support.traffic import reaches

pytest.importorskip("grpc", reason="python3-grpcio is not installed")
ANNOTATIONS = "io.kubernetes.cri.pod-annotations"
each_generation = pytest.mark.parametrize("daemon", GENERATIONS, indirect=True)
since_v1_10 = pytest.mark.parametrize("daemon", GENERATIONS[1:], indirect=True)


@each_generation
def test_add_check_del(daemon, lab):
    stub = daemon.serve(1)
    before = snapshot(daemon.node)
    pod = daemon.attach()
    assert pod.result["ips"] == [{"address": f"{lab.enis[1].address(0x20)}/32", "interface": 1}]
    pod.check()
    assert reaches(pod.pod, lab.instance.address4) and reaches(lab.instance, pod.address)
    for end, link in ((daemon.node, "enic440f455693"), (pod.pod, "eth0")):
        assert "numtxqueues 1 numrxqueues 1 " in end.ip(f"-d link show {link}").stdout, "the kernel waits for RCU to take more away"
    pod.delete()
    assert difference(before, snapshot(daemon.node)) == []
    assert stub.held == {}
    names = {"K8S_POD_NAME": "nginx", "K8S_POD_NAMESPACE": "default", "K8S_POD_INFRA_CONTAINER_ID": "c", "IfName": "eth0",
             "NetworkName": "aws-cni", "ContainerID": pod.pod.container}
    assert stub.asked("AddNetwork") == [names | {"Netns": pod.pod.path}]
    uid = {"K8S_POD_UID": "u"} if daemon.generation == "v1_20" else {}
    assert stub.asked("DelNetwork") == [names | {"Reason": "PodDeleted"} | uid]


@pytest.mark.parametrize("daemon", GENERATIONS[:2], indirect=True)
@pytest.mark.parametrize("server", GENERATIONS[1:])
def test_an_older_generation_is_what_it_is_called(daemon, lab, server):
    """Of IPv6 and network policies v1.7 knew nothing; the latest generation's answers are nonsense to either."""
    stub = daemon.serve(1, generation=server, mode="strict", agent=f"unix://{daemon.agent}")
    both = [lab.enis[1].address(0x20, family) for family in (4, 6)]
    stub.pools = [(1, list(both))]
    if server == "v1_20":
        versions = {"v1_7": "v1.7 to v1.9", "v1_10": "v1.10 to v1.19"}[daemon.generation]
        add_fails(daemon, f"this plugin speaks with daemons of {versions}")
        assert stub.held == {}
        return
    pod = daemon.attach()
    assert pod.addresses == (both if daemon.generation == "v1_10" else both[:1])
    assert len(stub.asked("EnforceNpToPod")) == (daemon.generation == "v1_10")
    pod.check()
    pod.delete()
    assert stub.held == {}


@since_v1_10
def test_ipv6(daemon, lab):
    daemon.serve(1, family=6)
    pod = daemon.attach()
    pod.check()
    assert reaches(pod.pod, lab.instance.address6) and reaches(lab.instance, pod.address)


def test_cmd_add_for_multi_nic_attachment(daemon, lab):
    """By the name of upstream's case. Kubernetes' annotation for multi-NIC pods, as containerd hands it on."""
    stub = daemon.serve(1, 2)
    before = snapshot(daemon.node)
    config = daemon.config(runtimeConfig={ANNOTATIONS: {"k8s.amazonaws.com/nicConfig": "multi-nic-attachment"}})
    pod = daemon.attach(config=config)
    assert stub.asked("AddNetwork")[0]["RequiresMultiNICAttachment"] == 1
    assert [interface["name"] for interface in pod.result["interfaces"][1::2]] == ["eth0", "mNicIf1"]
    pod.check()
    second = pod.addresses[1]
    assert reaches(pod.pod, lab.instance.address4)
    assert reaches(lab.instance, second), "what comes to the second card's address is answered by it"
    inside = pod.pod.ip("rule").stdout
    assert f"from {second} lookup 1" in inside
    pod.delete()
    assert difference(before, snapshot(daemon.node)) == []
    assert "mNicIf1" not in pod.pod.links() and second not in pod.pod.ip("rule").stdout


@pytest.mark.parametrize("daemon, version", (
    ("v1_7", "0.3.1"), ("v1_10", "0.4.0"), *(("v1_20", version) for version in ("0.3.1", "0.4.0", "1.0.0", "1.1.0"))), indirect=["daemon"])
@pytest.mark.parametrize("pod_is", ("there", "gone"))
def test_del_with_the_daemon_away(daemon, version, pod_is):
    """It succeeds, leaves nothing, and the release waits."""
    daemon.serve(1)
    daemon.attach("other")  # what stays with any pod
    before = snapshot(daemon.node)
    pod = daemon.attach("nginx", daemon.config(cniVersion=version))
    daemon.stop()
    if pod_is == "gone":
        pod.pod.close()
    done = pod.run("DEL", **({"netns": ""} if pod_is == "gone" else {}))
    done.success()
    assert "away" in done.stderr
    assert difference(before, snapshot(daemon.node)) == []
    assert len(daemon.spooled()) == 1
    stub = daemon.serve(1)
    del stub.pools[0][1][:2]  # the other pod's, and this one's
    stub.held[("aws-cni", pod.pod.container, "eth0")] = [(1, pod.address, "")]
    daemon.attach("third").delete()  # the next DEL that reaches the daemon tells it
    assert stub.held == {} and daemon.spooled() == []


@each_generation
def test_del_by_the_daemons_answer(daemon):
    """No result, no namespace, no interface: only the daemon knows the address."""
    daemon.serve(1)
    before = snapshot(daemon.node)
    pod = daemon.attach()
    pod.pod.close()
    assert difference(before, snapshot(daemon.node))
    pod.delete(prev=False, netns="")
    assert difference(before, snapshot(daemon.node)) == []


@each_generation
def test_del_of_an_unknown_pod(daemon):
    stub = daemon.serve(1)
    before = snapshot(daemon.node)
    pod = daemon.attach()
    stub.held.clear()
    pod.delete()
    pod.delete()
    assert difference(before, snapshot(daemon.node)) == [] and daemon.spooled() == []


def add_fails(daemon, *texts, code=11, within=None):
    pod = daemon.pod()
    before, inside = snapshot(daemon.node), snapshot(pod.pod)
    begin = time.monotonic()
    error = pod.run("ADD").failure(code, *texts)
    if within:
        assert time.monotonic() - begin < within
    assert difference(before, snapshot(daemon.node)) == [] and difference(inside, snapshot(pod.pod)) == []
    return error


@each_generation
def test_add_without_a_daemon(daemon):
    add_fails(daemon, "add cmd: Error received from AddNetwork gRPC call", "the address daemon is away")
    daemon.socket.touch()
    add_fails(daemon, "add cmd: Error received from AddNetwork gRPC call")


def test_add_with_a_daemon_that_does_not_answer(daemon):
    stub = daemon.serve(1)
    stub.instead["AddNetwork"] = lambda _: time.sleep(3) or b""
    pod = daemon.pod(config=daemon.config(ipam={"deadline": 1}))
    before = snapshot(daemon.node)
    begin = time.monotonic()
    pod.run("ADD").failure(11, "does not answer within")
    assert time.monotonic() - begin < 3
    assert difference(before, snapshot(daemon.node)) == []


@pytest.mark.parametrize("reply, text", (
    (encode((1, True)), "there is no address in it"),
    (encode((1, True), (2, encode((1, "nonsense"), (3, 1), (4, 2)))), "nonsense"),
    (encode((1, True), (2, encode((1, "10.0.2.32"), (3, 1), (4, 255)))), "255"),
    (encode((1, True), (2, "10.0.2.32"), (4, 1)), "makes no sense"),
    (b"\xff\xff\xff", "no such message"),
))
def test_add_with_a_daemon_that_answers_nonsense(daemon, reply, text):
    stub = daemon.serve(1)
    stub.instead["AddNetwork"] = lambda _: reply
    error = add_fails(daemon)
    assert text in error["msg"] or "no such message" in error["msg"] or "makes no sense" in error["msg"], error
    assert stub.asked("DelNetwork")[0]["Reason"] == "SetupNSFailed"


def when_attached(daemon, then):
    """An answer that waits until the pod's interface is made."""
    def answer(request):
        limit = time.monotonic() + 4
        while "enic440f455693" not in daemon.node.links() and time.monotonic() < limit:
            time.sleep(0.01)
        assert "enic440f455693" in daemon.node.links()
        return then(request)

    return answer


def test_the_interface_is_made_while_the_daemon_is_asked(daemon, lab):
    stub = daemon.serve(1)
    reply = encode((1, True), (2, encode((1, lab.enis[1].address(0x20)), (3, 1), (4, 2))))
    stub.instead["AddNetwork"] = when_attached(daemon, lambda _: reply)
    pod = daemon.attach()
    pod.check()
    assert reaches(pod.pod, lab.instance.address4) and reaches(lab.instance, pod.address)


def test_nonsense_after_the_interface_was_made(daemon):
    stub = daemon.serve(1)
    stub.instead["AddNetwork"] = when_attached(daemon, lambda _: b"\xff\xff\xff")
    add_fails(daemon, "no such message")
    assert stub.asked("DelNetwork")[0]["Reason"] == "SetupNSFailed"


@pytest.mark.slow
def test_whatever_request_fails_nothing_is_left(daemon, tmp_path):
    """A request to the kernel or to the daemon, of either of the two that are under way at once. What gRPC sends after the
    answer has come, ADD does not need: it may succeed without."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    stub = daemon.serve(1)
    daemon.attach("other")  # what stays with any pod
    failed = 0
    for request in itertools.count(1):
        held = dict(stub.held)
        pod = daemon.pod()
        before, inside = snapshot(daemon.node), snapshot(pod.pod)
        trace = tmp_path / str(request)
        done = pod.run("ADD", prefix=("strace", "-f", "-qq", "-o", trace, "-e", "trace=sendmsg,sendto",
                                      "-e", f"inject=sendmsg,sendto:error=ENOBUFS:when={request}"))
        if done.code == 0:
            pod.result = done.success()
            pod.check()
            pod.delete()
            if "(INJECTED)" in trace.read_text():
                continue
            break
        failed += 1
        done.failure()
        assert difference(before, snapshot(daemon.node)) == [] and difference(inside, snapshot(pod.pod)) == [], f"request {request}: {done}"
        assert stub.held == held or daemon.spooled(), f"request {request}: {done}"
        for file in daemon.spooled():
            file.unlink()
        stub.held = held
    assert failed > 8


@pytest.mark.parametrize("answer, text", (
    (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "it speaks HTTP/1"),
    (b"220 mail.example ESMTP\r\n", "no gRPC server listens there: it does not speak HTTP/2"),
))
def test_status_of_a_socket_that_speaks_something_else(daemon, answer, text):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(daemon.socket))
        listening.listen()

        def serve():
            with listening.accept()[0] as peer:
                peer.recv(4096)
                peer.sendall(answer)
                peer.settimeout(5)
                while peer.recv(4096):
                    pass

        with ThreadPoolExecutor(1) as other:
            other.submit(serve)
            daemon.node.cni("STATUS", daemon.config(cniVersion="1.1.0"), "eni").failure(50, text)


@each_generation
def test_no_address(daemon):
    stub = daemon.serve(1)
    stub.pools[0][1].clear()
    add_fails(daemon, "add cmd: failed to assign an IP address to container")


def test_wrong_version(daemon):
    stub = daemon.serve(1)

    def refuse(_):
        raise Refusal('wrong client version "" (!= "v9")', "FAILED_PRECONDITION")

    stub.instead["AddNetwork"] = refuse
    add_fails(daemon, "rpc error: code = FailedPrecondition", 'wrong client version')


def test_a_failed_setup_gives_the_address_back(daemon):
    stub = daemon.serve(1)
    pod = daemon.pod()
    pod.pod.ip("link add eth0 type veth peer name other")
    pod.run("ADD").failure(None, "exists already")
    assert stub.requests == [], "for what cannot be attached no address is asked"
    pod.pod.ip("link del eth0")
    daemon.node.ip("link add enic440f455693 type bridge")  # what the pod's host end is called
    pod.run("ADD").failure(None, "the node has an interface enic440f455693 that is no pod's")
    assert stub.held == {} and stub.asked("DelNetwork")[0]["Reason"] == "SetupNSFailed"


@each_generation
def test_a_second_add_gives_no_second_address(daemon):
    stub = daemon.serve(1)
    pod = daemon.attach()
    pod.run("ADD").failure(None, "exists already")
    pod.check()
    assert len(stub.held) == 1, "and the first is kept"


def test_of_two_adds_at_once_the_winner_keeps_its_address(daemon):
    """The daemon gives both the same."""
    stub = daemon.serve(1)
    for name in ("one", "two", "three"):
        pod = daemon.pod(name)
        with ThreadPoolExecutor(3) as each:
            done = list(each.map(lambda _: pod.run("ADD"), range(3)))
        lost = [one for one in done if one.code != 0]
        assert len(lost) == 2
        for one in lost:
            one.failure(None, "exists already")
        assert [held for key, held in stub.held.items() if pod.pod.container in key], "the loser released what the winner has"
        assert list(daemon.spool.iterdir()) == []
    assert stub.asked("DelNetwork") == []


@since_v1_10
def test_network_policy(daemon):
    stub = daemon.serve(1, mode="strict", agent=f"unix://{daemon.agent}")
    pod = daemon.attach()
    count = {"InterfaceCount": 1} if daemon.generation == "v1_20" else {}
    assert stub.asked("EnforceNpToPod") == [{"K8S_POD_NAME": "nginx", "K8S_POD_NAMESPACE": "default", "NETWORK_POLICY_MODE": "strict"} | count]
    pod.delete()
    assert stub.asked("DeletePodNp") == [{"K8S_POD_NAME": "nginx", "K8S_POD_NAMESPACE": "default"}]


def test_no_pod_without_its_network_policy(daemon):
    stub = daemon.serve(1, mode="strict")
    add_fails(daemon, "add cmd: failed to setup network policy")
    assert stub.held == {}


def test_branch_eni_without_vlans(daemon):
    """A kernel without 8021q; with one, tests/vm."""
    stub = daemon.serve(1)
    trunk = daemon.node.links()["eth1"]["ifindex"]
    stub.branches["nginx"] = {"vlan": 7, "mac": "02:00:00:00:00:07", "gateway": "10.0.5.1", "trunk": trunk}
    if daemon.node.ip("link add probe link eth1 type vlan id 9", check=False).returncode == 0:
        daemon.node.ip("link del probe")
        pod = daemon.attach()
        pod.check()
        assert pod.result["interfaces"][-1]["mac"] == "7"
        pod.delete()
    else:
        add_fails(daemon, "CONFIG_VLAN_8021Q", code=999)
    assert stub.held == {}


def test_status(daemon):
    config = daemon.config(cniVersion="1.1.0")
    daemon.node.cni("STATUS", config, "eni").failure(50, "cannot be asked", "away")
    stub = daemon.serve(1)
    daemon.node.cni("STATUS", config, "eni").success()
    stub.tells_free = True
    daemon.node.cni("STATUS", config, "eni").success()
    stub.pools[0][1].clear()
    daemon.node.cni("STATUS", config, "eni").failure(50, "has no free address")
    stub.health = 2
    daemon.node.cni("STATUS", config, "eni").failure(50, "not serving")


def test_gc(daemon):
    stub = daemon.serve(1)
    config = daemon.config(cniVersion="1.1.0")
    kept, gone = daemon.attach("kept", config), daemon.attach("gone", config)
    daemon.stop()
    gone.delete()
    stub = daemon.serve(1)
    stub.held[("aws-cni", gone.pod.container, "eth0")] = [(1, gone.address, "")]
    valid = [{"containerID": kept.pod.container, "ifname": "eth0"}]
    daemon.node.cni("GC", config | {"cni.dev/valid-attachments": valid}, "eni").success()
    assert stub.held == {} and daemon.spooled() == []
    kept.check()


def test_thirty_at_once(daemon):
    daemon.serve(1)
    before = snapshot(daemon.node)
    pods = [daemon.pod(f"pod-{i}") for i in range(30)]
    with ThreadPoolExecutor(30) as each:
        list(each.map(lambda pod: pod.add(), pods))
        assert len({pod.address for pod in pods}) == 30
        list(each.map(lambda pod: pod.check(), pods))
        list(each.map(lambda pod: pod.delete(), pods))
    assert difference(before, snapshot(daemon.node)) == []


def test_upstreams_configuration(daemon):
    """Its own file, but for the type and where the daemon is."""
    daemon.serve(1)
    entry = {"cniVersion": "0.4.0", "name": "aws-cni", "type": "eni", "vethPrefix": "eni", "mtu": "9001", "podSGEnforcingMode": "strict",
             "pluginLogFile": "/var/log/aws-routed-eni/plugin.log", "pluginLogLevel": "DEBUG", "capabilities": {ANNOTATIONS: True}}
    file = daemon.node.directory / "10-aws.conf"
    file.write_text(json.dumps(entry))
    done = daemon.node.run(str(daemon.node.plugins.path("eni")), "--check", str(file), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pod = daemon.attach(config=entry | {"ipam": daemon.config()["ipam"]})
    pod.check()
    pod.delete()


def test_it_needs_no_shell_and_no_home(daemon):
    """As a runtime may start it."""
    daemon.serve(1)
    pod = daemon.pod()
    pod.add(env={"PATH": None, "HOME": None, "http_proxy": "http://127.0.0.1:9", "grpc_proxy": "http://127.0.0.1:9",
                 "GRPC_VERBOSITY": None, **{name: None for name in os.environ if name.startswith("GRPC")}})
    pod.delete()
