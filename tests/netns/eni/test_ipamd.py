"""cnix-ipamd with `eni`, and a cloud in which what EC2 attaches and assigns is there, on the wire and in the metadata."""

import json
import os
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network

import pytest

from support.eni_lab import EniLab
from support.fake_cloud.lab import lab_state
from support.ipamd import fields, managed_of, wait_until
from support.ipamd_client import calls
from support.snapshot import difference, snapshot
from support.traffic import reaches

pytest.importorskip("grpc", reason="python3-grpcio is not installed")


def test_pods_get_addresses_that_reach(managed):
    """From a node with nothing but its primary ENI: the pool is filled, and a second ENI attached for the fourth pod."""
    before_pods = managed.daemon(warm_ip_target=3)
    before_pods.start()
    pods = [managed.attach(f"pod-{number}") for number in range(3)]
    for pod in pods:
        pod.check()
        assert reaches(pod.pod, managed.lab.instance.address4) and reaches(managed.lab.instance, pod.address)
    assert before_pods.stored() == {pod.pod.container: pod.address for pod in pods}
    for pod in pods:
        pod.delete()
    assert before_pods.stored() == {}


def test_boot_and_first_growth_take_seven_calls(managed):
    """Upstream needs ten: default targets of an m5.large attach a second ENI for the first pod."""
    daemon = managed.daemon().start()
    pod = managed.attach()
    managed.cloud.wait_for(lambda: managed.cloud.count("AttachNetworkInterface") == 1)
    managed.cloud.wait_for(lambda: managed.cloud.count("ModifyNetworkInterfaceAttribute") == 1)
    assert managed.cloud.count("ec2") <= 7, managed.cloud.counts()
    pod.delete()
    daemon.stop()


def test_an_add_waits_for_an_address_on_its_way(managed):
    daemon = managed.daemon(warm_ip_target=1)
    managed.cloud.fail("AssignPrivateIpAddresses", hold=True)
    daemon.start()
    pod = managed.pod(ipam={"deadline": 60})
    adding = threading.Thread(target=pod.add)
    managed.cloud.wait_for(lambda: managed.cloud.waiting() == 1)
    adding.start()
    adding.join(0.5)
    assert adding.is_alive(), "it waits"
    managed.cloud.release()
    adding.join()
    assert pod.result["ips"]
    pod.delete()


def test_the_provider_that_changes_nothing(node):
    lab = node.own(EniLab(node, 2))
    lab.enis[1].assign("10.0.2.55", "10.0.2.64/28")
    managed = managed_of(lab)
    managed.daemon("cnix-ipamd-imds").start()
    pods = [managed.attach(f"pod-{number}") for number in range(3)]
    assert {pod.address for pod in pods} <= {"10.0.2.55", *(f"10.0.2.{host}" for host in range(64, 80))}
    for pod in pods:
        assert reaches(pod.pod, lab.instance.address4)
        pod.delete()
    assert managed.cloud.count("ec2") == 0 and managed.cloud.count("sts") == 0


@pytest.mark.parametrize("generation", ("v1.7", "v1.10"))
def test_older_generations_by_tcp(managed, generation):
    daemon = managed.daemon(warm_ip_target=2, tcp="127.0.0.1:50051", tcp_generation=generation).start()
    added, again, deleted, unknown = calls(
        managed.node, generation.replace(".", "_"), "127.0.0.1:50051", {"method": "AddNetwork", "fields": fields()},
        {"method": "AddNetwork", "fields": fields()}, {"method": "DelNetwork", "fields": fields()},
        {"method": "DelNetwork", "fields": fields()})
    assert added["reply"]["Success"] and re.fullmatch(r"10\.0\.1\.\d+", added["reply"]["IPv4Addr"])
    assert again["reply"] == added["reply"] and deleted["reply"]["IPv4Addr"] == added["reply"]["IPv4Addr"]
    assert unknown["code"] == "UNKNOWN" and "datastore: unknown pod" in unknown["text"]
    managed.attach().delete()
    assert daemon.stored() == {}


def test_health(managed):
    daemon = managed.daemon(warm_ip_target=1).start()
    asked = [{"method": "Check", "fields": {"service": name}} for name in ("", "grpc.health.v1.aws-node", "cnix.free-addresses", "other")]
    def told():
        return calls(managed.node, "v1_20", f"unix://{daemon.socket}", *asked)
    assert told()[3]["code"] == "NOT_FOUND"
    wait_until(lambda: [one["reply"] for one in told()[:3]] == [{"status": 1}] * 3, daemon)
    managed.pod(cniVersion="1.1.0").run("STATUS").success()


@pytest.mark.slow
def test_250_pods_at_once_on_three_enis(wide):
    """Each has an address of its own that works, few writes keep them, and nothing is left of them."""
    daemon = wide.daemon("cnix-ipamd-imds", log_level="info").start()
    before = snapshot(wide.node)
    pods = wide.attach_all(250)
    assert len({pod.address for pod in pods}) == 250 and daemon.stored() == {pod.pod.container: pod.address for pod in pods}
    for eni in wide.lab.enis:
        assert any(pod.address in eni.assigned for pod in pods)
    for pod in pods[::25]:
        pod.check()
        assert reaches(pod.pod, wide.lab.instance.address4)
    with ThreadPoolExecutor(32) as each:
        list(each.map(lambda pod: pod.delete(), pods))
    assert daemon.stored() == {} and difference(before, snapshot(wide.node)) == []
    daemon.stop()


COME_AND_GO = """
set -e
number=$3
while [ $number -lt $4 ]; do
    export CNI_CONTAINERID=$CONTAINER-$number
    CNI_COMMAND=ADD "$1" < "$2" > /dev/null
    CNI_COMMAND=DEL "$1" < "$2"
    number=$((number + 1))
done
"""


@pytest.mark.slow
def test_churn_leaves_nothing(wide):
    """10,000 pods come and go, 20 at a time: no rule, route, interface, address, descriptor or memory is lost."""
    daemon = wide.daemon("cnix-ipamd-imds", ip_cooldown_period=0, log_level="info", disable_metrics=None).start()
    before = snapshot(wide.node)
    pods = [wide.pod(f"pod-{number}") for number in range(20)]
    config = daemon.directory / "churn.json"
    config.write_text(json.dumps(wide.config()))

    def come_and_go(pod, first: int, last: int) -> None:
        wide.node.run("sh", "-c", COME_AND_GO, "churn", str(wide.node.plugins.path("eni")), str(config), str(first), str(last), timeout=280,
                      env={"PATH": os.environ["PATH"], "CNI_PATH": "/", "CNI_IFNAME": "eth0", "CNI_NETNS": pod.pod.path,
                           "CNI_ARGS": pod.args, "CONTAINER": pod.pod.container})

    def churn(first: int, last: int) -> None:
        with ThreadPoolExecutor(len(pods)) as each:
            list(each.map(lambda pod: come_and_go(pod, first, last), pods))

    churn(0, 25)
    memory, descriptors = daemon.memory(), daemon.descriptors()
    churn(25, 500)
    assert daemon.stored() == {} and difference(before, snapshot(wide.node)) == []
    assert all(set(pod.pod.links()) == {"lo"} for pod in pods)
    assert daemon.descriptors() <= descriptors + 2
    assert daemon.memory() < memory + 2_000_000, (memory, daemon.memory())
    assert daemon.metric("awscni_add_ip_req_count") == 10_000


def test_metrics_and_introspection(managed):
    daemon = managed.daemon(warm_ip_target=2, disable_metrics=None, disable_introspection=None).start()
    pod = managed.attach()
    text = daemon.get("/metrics", 61678)
    values = {line.split(" ")[0]: float(line.split(" ")[1]) for line in text.splitlines() if line and line[0] != "#" and line.count(" ") == 1}
    assert values["awscni_assigned_ip_addresses"] == 1 and values["awscni_add_ip_req_count"] == 1
    assert values["awscni_eni_allocated"] == 1 and values["awscni_total_ip_addresses"] >= 2
    enis = json.loads(daemon.get("/v1/enis", 61679))["0"]
    assert enis["AssignedIPs"] == 1
    cidrs = enis["ENIs"][managed.lab.enis[0].id]["AvailableIPv4Cidrs"]
    assert cidrs[f"{pod.address}/32"]["IPAddresses"][pod.address]["IPAMKey"]["networkName"] == "aws-cni"
    status = managed.node.run(str(managed.node.plugins.path("cnix-ipamd")), "status").stdout
    assert "default/nginx" in status and pod.address in status
    pod.delete()


def test_a_reload_changes_the_targets(managed):
    """SIGHUP reads the file anew; what is wrong in it changes nothing."""
    file = managed.node.directory / "ipamd.toml"
    file.write_text("warm-ip-target = 1\n")
    daemon = managed.daemon(config=file).start()
    managed.cloud.wait_for(lambda: managed.cloud.count("AssignPrivateIpAddresses") == 1)
    file.write_text("warm-ip-target = many\n")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait("READY=1")
    assert "the settings stay as they were" in daemon.log
    file.write_text("warm-ip-target = 4\n")
    daemon.process.send_signal(signal.SIGHUP)
    managed.cloud.wait_for(lambda: managed.cloud.count("AssignPrivateIpAddresses") == 2)
    daemon.stop()


FAMILIES = {"IPv6": {"enable_ipv4": False, "enable_ipv6": True, "enable_prefix_delegation": True}, "dual": {"enable_ipv4": True, "enable_ipv6": True, "warm_ip_target": 2}}


@pytest.mark.parametrize("families", FAMILIES)
def test_ipv6(bare, families):
    """A /80 of the primary ENI; with IPv4 as well a pod has an address of each family."""
    bare.node.sysctl("ipv6/conf/all/forwarding", 1)
    managed = managed_of(bare, state=lab_state(bare, families=(4, 6)))
    daemon = managed.daemon(**FAMILIES[families]).start()
    pods = [managed.attach(f"pod-{number}", ipam={"deadline": 30}) for number in range(2)]
    for pod in pods:
        pod.check()
        assert any(":" in address for address in pod.addresses) and any("." in address for address in pod.addresses) == (families == "dual")
        assert reaches(pod.pod, bare.instance.address6)
        assert families == "IPv6" or reaches(pod.pod, bare.instance.address4)
    assert managed.cloud.count("AssignIpv6Addresses") == 1
    daemon.restart()
    for pod in pods:
        pod.check()
        pod.delete()
    assert daemon.stored() == {}


def test_prefixes(managed):
    """One call brings sixteen addresses, the first and the last of the /28 as well."""
    daemon = managed.daemon(enable_prefix_delegation=True, warm_prefix_target=1).start()
    pods = [managed.attach(f"pod-{number}", ipam={"deadline": 30}) for number in range(3)]
    prefix, = managed.cloud.enis[managed.lab.enis[0].id].prefixes[:1]
    assert {pod.address for pod in pods} == {str(ip_network(prefix)[host]) for host in range(3)}
    for pod in pods:
        assert reaches(pod.pod, managed.lab.instance.address4)
        pod.delete()
    daemon.stop()


def test_upstreams_checkpoint_is_taken_over(managed):
    """As v1.9.3 and as later versions write it: the pods keep their addresses, a DEL with the newer key frees the older entry."""
    daemon = managed.daemon("cnix-ipamd-imds")
    eni = managed.lab.enis[0]
    managed.cloud.assign(eni.id, "10.0.1.50", "10.0.1.51", "10.0.1.52", "10.0.1.53")
    daemon.checkpoint.write_text(json.dumps({"version": "vpc-cni-ipam/1", "allocations": [
        {"networkName": "aws-cni", "containerID": "c1", "ifName": "eth0", "ipv4": "10.0.1.50"},
        {"networkName": "_migrated-from-cri", "containerID": "c2", "ifName": "unknown", "ipv4": "10.0.1.51"},
        {"networkName": "aws-cni", "containerID": "c3", "ifName": "eth0", "ipv4": "10.0.1.52", "allocationTimestamp": 1700000000000000000,
         "metadata": {"k8sPodNamespace": "default", "k8sPodName": "nginx", "interfacesCount": 1}}]}))
    daemon.start()
    endpoint = f"unix://{daemon.socket}"
    again, fresh = calls(managed.node, "v1_20", endpoint, {"method": "AddNetwork", "fields": fields("c1")},
                         {"method": "AddNetwork", "fields": fields("c4")})
    assert "10.0.1.50" in bytes.fromhex(again["raw"]).decode(errors="replace")
    assert "10.0.1.53" in bytes.fromhex(fresh["raw"]).decode(errors="replace")
    calls(managed.node, "v1_20", endpoint, *({"method": "DelNetwork", "fields": fields(name)} for name in ("c2", "c3")))
    assert daemon.stored() == {"c1": "10.0.1.50", "c4": "10.0.1.53"}
    daemon.stop()


def test_a_pool_too_large_shrinks(managed):
    """What no pod needs is given back to the cloud."""
    eni = managed.lab.enis[0]
    managed.cloud.assign(eni.id, *(eni.address(host) for host in range(0x20, 0x28)))
    daemon = managed.daemon(warm_ip_target=2).start()
    managed.cloud.wait_for(lambda: managed.cloud.count("UnassignPrivateIpAddresses") == 1)
    wait_until(lambda: len(managed.cloud.enis[eni.id].addresses) == 3, daemon)
    managed.attach().delete()
    daemon.stop()
