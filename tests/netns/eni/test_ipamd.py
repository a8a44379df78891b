"""cnix-ipamd with `eni`, and a cloud in which what EC2 attaches and assigns is there, on the wire and in the metadata."""

import json
import os
import re
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import ip_network

import pytest

from support.cni import Attachment, Node
from support.eni_lab import EniLab
from support.fake_cloud.lab import LabCloud, lab_state
from support.ipamd import Ipamd
from support.ipamd_client import calls
from support.snapshot import difference, snapshot
from support.traffic import reaches

pytest.importorskip("grpc", reason="python3-grpcio is not installed")


@dataclass
class Managed:
    """A node whose addresses cnix-ipamd manages. The cloud is as it is made; the daemon is started by the test."""

    node: Node
    lab: EniLab
    cloud: LabCloud
    daemons: list = field(default_factory=list)

    def daemon(self, program: str = "cnix-ipamd", **settings) -> Ipamd:
        if program not in self.node.plugins:
            pytest.skip(f"{program} is not built: cnix was configured without its libraries")
        self.daemons.append(self.node.own(Ipamd(self.node, self.cloud, program, **settings)))
        return self.daemons[-1]

    def config(self, **keys) -> dict:
        daemon = self.daemons[-1]
        ipam = {"endpoint": f"unix://{daemon.socket}", "spool": str(daemon.spool)} | keys.pop("ipam", {})
        return {"cniVersion": "1.0.0", "name": "aws-cni", "type": "eni", "ipam": ipam} | keys

    def pod(self, name: str = "nginx", **keys) -> Attachment:
        args = f"IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={name};K8S_POD_INFRA_CONTAINER_ID=c;K8S_POD_UID=u"
        return Attachment(self.node, self.config(**keys), self.node.pod(), plugin="eni", args=args)

    def attach(self, name: str = "nginx", **keys) -> Attachment:
        pod = self.pod(name, **keys)
        pod.add()
        return pod

    def attach_all(self, count: int) -> list[Attachment]:
        pods = [self.pod(f"pod-{number}") for number in range(count)]
        with ThreadPoolExecutor(min(count, 64)) as each:
            list(each.map(lambda pod: pod.add(), pods))
        return pods


@pytest.fixture
def bare(node) -> EniLab:
    """A lab whose node has its primary ENI only."""
    return node.own(EniLab(node, 1))


def managed_of(lab: EniLab, **options) -> Managed:
    cloud = lab.node.own(LabCloud(lab, **options))
    return Managed(lab.node, lab, cloud)


@pytest.fixture
def managed(bare) -> Managed:
    return managed_of(bare)


@pytest.fixture
def wide(node) -> Managed:
    """Three ENIs with 90 addresses each, which nobody changes."""
    lab = node.own(EniLab(node, 3))
    for eni in lab.enis:
        eni.assign(*(eni.address(host) for host in range(20, 110)))
    return managed_of(lab)


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


@pytest.mark.parametrize("code, cause", (("InsufficientFreeAddressesInSubnet", "InsufficientFreeAddressesInSubnet"),
                                         ("RequestLimitExceeded", "throttl")))
def test_an_add_without_an_address_names_the_cause(managed, code, cause):
    daemon = managed.daemon(warm_ip_target=1)
    managed.cloud.fail("ec2:Assign*", code, None)
    managed.cloud.fail("ec2:Create*", code, None)
    daemon.start()
    before = snapshot(managed.node)
    failed = managed.pod(ipam={"deadline": 3}).run("ADD").failure(11, "failed to assign an IP address to container")
    assert cause in failed["msg"], failed["msg"]
    assert difference(before, snapshot(managed.node)) == [] and daemon.stored() == {}


def test_pods_outlive_the_daemon(managed):
    daemon = managed.daemon(warm_ip_target=5).start()
    pods = [managed.attach(f"pod-{number}") for number in range(3)]
    stored = daemon.stored()
    for how in (signal.SIGTERM, signal.SIGKILL):
        daemon.restart(how)
        assert daemon.stored() == stored
        more = managed.attach(f"more-{int(how)}")
        assert more.address not in stored.values()
        more.delete()
    for pod in pods:
        pod.check()
        pod.delete()
    assert daemon.stored() == {}


def test_what_others_take_away_is_put_back(managed):
    daemon = managed.daemon(warm_ip_target=2, disable_metrics=None).start()
    pod = managed.attach()
    managed.node.ip(f"rule del to {pod.address} priority 512")
    managed.node.ip(f"route del {pod.address}")
    managed.node.run("nft", "delete", "table", "inet", "cnix")
    def whole():
        return (pod.run("CHECK").code == 0
                and managed.node.run("nft", "list", "table", "inet", "cnix", check=False).returncode == 0)
    wait_until(whole, daemon)
    assert "put right" in daemon.log
    repaired = {line.partition(" ")[0] for line in daemon.get("/metrics", 61678).splitlines() if line.startswith("cnix_") and "repair" in line}
    assert {word for word in ("rule", "route", "snat") if any(f'"{word}"' in line for line in repaired)} == {"rule", "route", "snat"}, repaired
    pod.delete()


def wait_until(condition, daemon: Ipamd, seconds: float = 30) -> None:
    pause = threading.Event()
    for _ in range(int(seconds / 0.1)):
        if condition():
            return
        pause.wait(0.1)
    raise AssertionError("in vain:\n" + daemon.log)


def test_a_release_from_the_spool(managed):
    daemon = managed.daemon(warm_ip_target=3).start()
    pod, stays = managed.attach("gone"), managed.attach("stays")
    daemon.stop()
    pod.delete()
    assert pod.pod.container in daemon.stored() and list(daemon.spool.glob("*.json"))
    daemon.start()
    assert daemon.stored() == {stays.pod.container: stays.address} and not list(daemon.spool.glob("*.json"))


def test_a_cloud_that_is_away_is_asked_again(managed):
    managed.cloud.fail("imds:*", status=503, times=None)
    daemon = managed.daemon(warm_ip_target=1).start(ready=False)
    assert "meta" in daemon.wait("STATUS=")
    managed.cloud.clear()
    daemon.wait("READY=1")
    managed.attach().delete()


def test_sigterm_ends_it_whatever_the_cloud_does(managed):
    managed.cloud.fail("ec2:*", end="hang", times=None)
    daemon = managed.daemon(warm_ip_target=1).start(ready=False)
    managed.cloud.wait_for(lambda: managed.cloud.count("ec2") >= 1)
    daemon.stop(timeout=10)
    assert not daemon.socket.exists()


def test_a_restart_while_ec2_is_away(managed):
    """Pods come and go by what the metadata and the checkpoint tell."""
    daemon = managed.daemon(warm_ip_target=3).start()
    pod = managed.attach()
    daemon.stop()
    managed.cloud.away("ec2")
    daemon.start()
    other = managed.attach("other")
    assert other.address != pod.address and daemon.stored() == {one.pod.container: one.address for one in (pod, other)}
    managed.cloud.back()
    for one in (pod, other):
        one.check()
        one.delete()
    daemon.stop()


def test_a_socket_that_somebody_removes_is_made_again(managed):
    daemon = managed.daemon(warm_ip_target=3).start()
    pod = managed.attach()
    daemon.socket.unlink()
    managed.node.ip(f"rule del to {pod.address} priority 512")  # so that it looks around at once
    wait_until(daemon.socket.exists, daemon)
    assert "removed by somebody" in daemon.log
    managed.attach("other").delete()
    pod.delete()
    daemon.stop()


def test_sigterm_ends_it_while_a_program_hangs(managed):
    daemon = managed.daemon(warm_ip_target=1)
    hangs = daemon.directory / "bin" / "nft"
    hangs.parent.mkdir()
    hangs.write_text(f"#!/bin/sh\n: > {daemon.directory}/started\nwhile kill -0 $PPID 2> /dev/null; do sleep 0.1; done\n")
    hangs.chmod(0o755)
    daemon.environment["PATH"] = f"{hangs.parent}:/usr/sbin:/usr/bin:/sbin:/bin"
    daemon.start(ready=False)
    wait_until((daemon.directory / "started").exists, daemon)
    daemon.stop(timeout=10)


def test_a_full_disk_fails_the_add_and_changes_nothing(managed):
    daemon = managed.daemon(warm_ip_target=3)
    small = managed.node.directory / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(small)], check=True)
    try:
        daemon.checkpoint = small / "ipam.json"
        daemon.settings["backing-store"] = daemon.checkpoint
        daemon.start()
        pod = managed.attach("first")
        stored = daemon.stored()
        filler = small / "filler"
        with filler.open("wb", buffering=0) as file:
            with pytest.raises(OSError):
                while True:
                    file.write(bytes(4096))
        before = snapshot(managed.node)
        managed.pod("second").run("ADD").failure(11, "No space left on device")
        assert difference(before, snapshot(managed.node)) == [] and daemon.stored() == stored
        filler.unlink()
        second = managed.attach("second")
        assert daemon.stored() == stored | {second.pod.container: second.address}
        second.delete()
        pod.delete()
        daemon.stop()
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_it_listens_where_it_should(managed):
    """0660, a directory of 0755; a second daemon is refused and does the first no harm."""
    daemon = managed.daemon(warm_ip_target=1).start()
    assert daemon.socket.stat().st_mode & 0o777 == 0o660
    second = managed.node.own(Ipamd(managed.node, managed.cloud, socket=daemon.socket)).start(ready=False)
    assert "another daemon" in second.wait("STATUS=")
    second.stop()
    managed.attach().delete()


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


def fields(container: str = "c1", **more) -> dict:
    return {"K8S_POD_NAME": "nginx", "K8S_POD_NAMESPACE": "default", "NetworkName": "aws-cni", "ContainerID": container,
            "IfName": "eth0"} | more


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


def test_hostile_callers(managed):
    """Refused, and nothing that was given is lost."""
    daemon = managed.daemon(warm_ip_target=2).start()
    pod = managed.attach()
    stored = daemon.stored()
    hostile = [{"method": "AddNetwork", "fields": fields("x" * 12000)},
               {"method": "AddNetwork", "fields": fields("../../etc/passwd")},
               {"method": "AddNetwork", "fields": fields(K8S_POD_NAME="n" * 300)},
               {"method": "AddNetwork", "raw": "0a04ff" + "fe" * 3 + "3a026331"},  # a name that is no UTF-8
               {"method": "AddNetwork", "raw": "ff" * 40},
               {"method": "AddNetwork", "raw": "00" * 200_000},
               {"method": "DelNetwork", "fields": fields("x" * 12000)},
               {"method": "/rpc.CNIBackend/Nonsense", "raw": ""}]
    unfinished = [{"method": "AddNetwork", "fields": fields(**{name: ""})} for name in ("ContainerID", "IfName", "NetworkName")]
    answers = calls(managed.node, "v1_20", f"unix://{daemon.socket}", *hostile, *unfinished)
    assert [one.get("code") for one in answers[:8]] == ["INVALID_ARGUMENT"] * 5 + ["RESOURCE_EXHAUSTED", "INVALID_ARGUMENT", "UNIMPLEMENTED"]
    assert all("Success" not in one["reply"] and "lacks" in one["reply"]["why"] for one in answers[8:])
    assert daemon.stored() == stored
    pod.delete()


def test_health(managed):
    daemon = managed.daemon(warm_ip_target=1).start()
    asked = [{"method": "Check", "fields": {"service": name}} for name in ("", "grpc.health.v1.aws-node", "cnix.free-addresses", "other")]
    *known, other = calls(managed.node, "v1_20", f"unix://{daemon.socket}", *asked)
    assert [one["reply"] for one in known] == [{"status": 1}] * 3 and other["code"] == "NOT_FOUND"
    managed.pod(cniVersion="1.1.0").run("STATUS").success()


def test_a_log_that_nobody_reads_any_more(managed):
    """Whoever collects its log may end before it does."""
    daemon = managed.daemon(warm_ip_target=1)
    os.mkfifo(daemon.log_file)
    reader = os.open(daemon.log_file, os.O_RDONLY | os.O_NONBLOCK)
    daemon.start()
    os.close(reader)
    daemon.log_file = daemon.directory / "no-log"
    daemon.log_file.touch()
    managed.attach().delete()
    daemon.stop()


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


@pytest.mark.slow
def test_churn_leaves_nothing(wide):
    """10,000 pods come and go: no address, descriptor or memory is lost."""
    daemon = wide.daemon("cnix-ipamd-imds", ip_cooldown_period=0, log_level="info").start()
    endpoint = f"unix://{daemon.socket}"

    def churn(first: int, count: int) -> None:
        both = [{"method": method, "fields": fields(f"c{number}")} for number in range(first, first + count) for method in ("AddNetwork", "DelNetwork")]
        refused = [answer for answer in calls(wide.node, "v1_20", endpoint, *both) if not answer.get("reply", {}).get("Success")]
        assert not refused, refused[:3]

    churn(0, 500)
    memory, descriptors = daemon.memory(), daemon.descriptors()
    churn(500, 9500)
    assert daemon.stored() == {} and daemon.descriptors() <= descriptors + 2
    assert daemon.memory() < memory + 2_000_000, (memory, daemon.memory())


def test_restart_under_load(managed):
    """No two pods ever have one address, and each that was told of one keeps it."""
    daemon = managed.daemon(warm_ip_target=9).start()
    pods = [managed.pod(f"pod-{number}", ipam={"deadline": 30}) for number in range(6)]
    with ThreadPoolExecutor(6) as each:
        adding = [each.submit(pod.run, "ADD") for pod in pods]
        daemon.restart(signal.SIGKILL)
        ended = [one.result() for one in adding]
    for pod, one in zip(pods, ended):
        pod.result = one.success() if one.code == 0 else pod.add()
    assert len({pod.address for pod in pods}) == 6
    assert daemon.stored() == {pod.pod.container: pod.address for pod in pods}
    for pod in pods:
        pod.check()
        pod.delete()


@pytest.mark.parametrize("step, is_free", ((-86400, True), (86400, False)))
def test_a_step_of_the_clock_while_it_is_away(managed, step, is_free):
    """What was given back a day ago is free; what was given back in the future was given back now."""
    daemon = managed.daemon(minimum_ip_target=1, ip_cooldown_period=3600).start()
    pod = managed.attach()
    pod.delete()
    daemon.stop()
    stored = json.loads(daemon.checkpoint.read_text())
    for one in stored["releases"]:
        one["releaseTimestamp"] += step * 10**9
    daemon.checkpoint.write_text(json.dumps(stored))
    daemon.start()
    other = managed.attach("other", ipam={"deadline": 30})
    assert (other.address == pod.address) is is_free
    other.delete()


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


def test_the_cloud_takes_away_what_a_pod_has(managed):
    """The pod keeps it, nobody else gets it, and status says so; when the pod goes it is gone."""
    daemon = managed.daemon(warm_ip_target=1, disable_introspection=None).start()
    pod = managed.attach()
    managed.cloud.unassign(managed.lab.enis[0].id, pod.address)
    daemon.restart()
    assert daemon.stored() == {pod.pod.container: pod.address}
    others = [managed.attach(f"other-{number}", ipam={"deadline": 30}) for number in range(2)]
    assert pod.address not in {other.address for other in others}
    assert pod.address in daemon.get("/v1/status", 61679)
    for one in (pod, *others):
        one.delete()
    assert daemon.stored() == {}
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


def test_another_checkpoint_owner_is_refused(managed):
    """Of two daemons with one checkpoint the second waits, and says for whom."""
    daemon = managed.daemon(warm_ip_target=1).start()
    second = managed.node.own(Ipamd(managed.node, managed.cloud, backing_store=daemon.checkpoint)).start(ready=False)
    assert "ipam.json.lock" in second.wait("STATUS=")
    second.stop()
    managed.attach().delete()
