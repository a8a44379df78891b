"""Pods by eni-pool: what they get, word for word, and whom they reach."""

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.cni import Attachment
from support.eni_lab import batch
from support.namespace import run
from support.snapshot import difference, snapshot
from support.traffic import PORT, Echo, reaches, seen_source

PROTO = " proto 201"


def text(namespace, command: str) -> list[str]:
    """What ip(8) prints, without the protocol number, which upstream does not set."""
    return [re.sub(r"\s+", " ", line).replace(PROTO, "").strip() for line in namespace.ip(command).stdout.splitlines()]


def mac(namespace, interface: str) -> str:
    return namespace.links()[interface]["address"]


def test_rules_and_routes_are_upstreams(pool, lab):
    """The golden topology of a pod on the second ENI, as ip(8) prints it."""
    before = {command: text(pool.node, command) for command in ("rule", "route", "route show table 2")}
    pool.only(1)
    pod = pool.attach("nginx")
    address = pod.address
    assert [line for line in text(pool.node, "rule") if line not in before["rule"]] == [
        f"512: from all to {address} lookup main", f"1536: from {address} lookup 2"]
    assert [line for line in text(pool.node, "route") if line not in before["route"]] == [
        f"{address} dev enic440f455693 scope link"]
    assert text(pool.node, "route show table 2") == before["route show table 2"]
    host = mac(pool.node, "enic440f455693")
    assert text(pod.pod, "route") == ["default via 169.254.1.1 dev eth0", "169.254.1.1 dev eth0 scope link"]
    assert text(pod.pod, "neigh show nud permanent") == [f"169.254.1.1 dev eth0 lladdr {host} PERMANENT"]
    assert f"inet {address}/32 scope global eth0" in text(pod.pod, "-4 addr show dev eth0")
    assert pod.pod.links()["eth0"]["mtu"] == pool.node.links()["enic440f455693"]["mtu"] == 9001
    ours = pool.node.ip("rule").stdout.splitlines()
    assert all("proto 201" in line for line in ours if address in line), ours


def test_ipv6_rules_and_routes_are_upstreams(pool):
    pool.only(1)
    pod = pool.attach("nginx", pool.config({"families": "ipv6"}))
    address = pod.address
    assert f"512: from all to {address} lookup main" in text(pool.node, "-6 rule")
    assert f"1536: from {address} lookup 2" in text(pool.node, "-6 rule")
    assert f"{address} dev enic440f455693 metric 1024 pref medium" in text(pool.node, "-6 route")
    routes = text(pod.pod, "-6 route")
    assert "default via fe80::1 dev eth0 metric 1024 pref medium" in routes
    assert "fe80::1 dev eth0 metric 1024 pref medium" in routes
    assert not [line for line in text(pod.pod, "-6 addr show dev eth0") if "tentative" in line or "fe80" in line]


def test_the_result_is_upstreams(pool, lab):
    pool.only(1)
    pod = pool.attach("nginx", pool.config(cniVersion="0.4.0", compatResult=True))
    assert pod.result == {
        "cniVersion": "0.4.0",
        "interfaces": [{"name": "enic440f455693"}, {"name": "eth0", "mac": "2", "sandbox": pod.pod.path},
                       {"name": "dummyc440f455693", "mac": "0", "sandbox": "1"}],
        "ips": [{"version": "4", "interface": 1, "address": f"{lab.enis[1].address(0x20)}/32"}],
        "dns": {}}


def test_the_result_has_the_true_mac(pool):
    pod = pool.attach("nginx")
    assert pod.result["interfaces"][1]["mac"] == mac(pod.pod, "eth0")


@pytest.mark.parametrize("version", ("0.3.1", "0.4.0", "1.0.0", "1.1.0"))
def test_every_version(pool, version):
    pod = pool.attach("nginx", pool.config(cniVersion=version))
    if version not in ("0.3.1",):
        pod.check()
    pod.delete()


@pytest.mark.parametrize("family", ("ipv4", "ipv6", "dual"))
def test_everybody_reaches_everybody(pool, lab, family):
    """Two pods on the primary and two on the second ENI, the node, a machine of the VPC, one of a peered network."""
    pods = []
    for device in (0, 0, 1, 1):
        pool.only(device)
        pods.append(pool.attach(config=pool.config({"families": family})))
    pool.write()
    assert [len(pod.addresses) for pod in pods] == [2 if family == "dual" else 1] * 4
    for pod in pods:
        pod.check()
        for other in pods:
            if other is not pod:
                assert all(reaches(pod.pod, address) for address in other.addresses), f"{pod.addresses} to {other.addresses}"
        machines = (lab.instance, lab.partner)
        for address in pod.addresses:
            assert reaches(pool.node, address), f"node to {address}"
            for machine in machines:
                assert reaches(machine, address), f"{machine.name} to {address}"
                assert reaches(pod.pod, machine.address6 if ":" in address else machine.address4), f"{address} to {machine.name}"


@pytest.mark.parametrize("what", ("all", "without the pod", "without prevResult", "knowing nothing"))
def test_del_leaves_nothing(pool, what):
    pool.only(1)
    config = pool.config({"families": "dual"})
    first = pool.attach("first", config)  # what stays with any pod
    before = snapshot(pool.node)
    pod = pool.attach("nginx", config)
    assert difference(before, snapshot(pool.node))
    if what == "knowing nothing":  # neither result nor checkpoint, and the interface went with its namespace
        pod.pod.close()
        pool.checkpoint.unlink()
        pod.delete(prev=False, netns="", config=config)
    else:
        options = {"all": {}, "without the pod": {"netns": ""}, "without prevResult": {"prev": False}}[what]
        pod.delete(**options)
        pod.delete(**options)
    assert difference(before, snapshot(pool.node)) == []
    if what != "knowing nothing":
        first.check()


def test_thirty_at_once(pool, lab):
    for eni in lab.enis[1:]:
        eni.assign(str(eni.subnet4[0x40]) + "/28")
    pool.write()
    before = snapshot(pool.node)
    pods = pool.attach_all(30)
    assert len({pod.address for pod in pods}) == 30
    for pod in pods:
        pod.check()
    kept = json.loads(pool.checkpoint.read_text())["allocations"]
    assert {entry["ipv4"] for entry in kept} == {pod.address for pod in pods}
    for pod in pods:
        pod.delete()
    assert difference(before, snapshot(pool.node)) == []
    assert json.loads(pool.checkpoint.read_text())["allocations"] == []


def test_a_failed_add_leaves_nothing(pool):
    taken = pool.node.pod()
    taken.ip("link add eth0 type veth peer name other")
    before, inside = snapshot(pool.node), snapshot(taken)
    done = pool.node.cni("ADD", pool.config(), "eni-pool", container=taken.container, netns=taken.path, ifname="eth0")
    done.failure(None, "exists already")
    assert not difference(before, snapshot(pool.node)) and not difference(inside, snapshot(taken))
    assert json.loads(pool.checkpoint.read_text())["allocations"] == []


def test_what_is_somebody_elses_in_the_pod_stays(pool):
    """Calico calls its ends as we do but for the prefix. As a runtime does it: ADD, which fails, then DEL."""
    taken = pool.node.pod()
    pool.node.ip(f"link add calic440f455693 type veth peer name eth0 netns {taken.name}")
    taken.ip("addr add 10.7.0.5/24 dev eth0")
    before, inside = snapshot(pool.node), snapshot(taken)
    pod = Attachment(pool.node, pool.config(), taken, plugin="eni-pool", args="IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=nginx")
    pod.run("ADD").failure(None, "exists already")
    pod.delete()
    assert difference(before, snapshot(pool.node)) == [] and difference(inside, snapshot(taken)) == []


def test_a_second_attachment_of_a_pod_is_refused(pool):
    pod = pool.attach("nginx")
    second = Attachment(pool.node, pool.config(name="other"), pod.pod, "net1", "eni-pool", pod.args)
    second.run("ADD").failure(999, f"the pod is attached to ENIs already, by the attachment aws-cni/{pod.pod.container}/eth0")
    second.delete()
    pod.check()


def test_nothing_left_to_give(pool, lab):
    pool.only(1)
    pods = [pool.attach() for _ in range(4)]
    refused = pool.node.pod()
    options = {"container": refused.container, "netns": refused.path, "ifname": "eth0"}
    pool.node.cni("ADD", pool.config(), "eni-pool", **options).failure(11, "failed to assign an IP address to container",
                                                                       "no available IP/Prefix addresses")
    pods[0].delete()
    error = pool.node.cni("ADD", pool.config(), "eni-pool", **options).failure(11, "cool")
    assert "30" in error["msg"] or "29" in error["msg"], error
    pool.node.cni("ADD", pool.config({"cooldown": 0}), "eni-pool", **options).success()


def test_check_finds_what_others_removed(pool):
    pool.only(1)
    pod = pool.attach("nginx")
    pool.node.ip(f"rule del to {pod.address} priority 512")
    pod.run("CHECK").failure(None, f"the policy rule to {pod.address} for the main table is missing")


def test_check_finds_an_eni_that_is_not_set_up(pool):
    pool.only(1)
    pod = pool.attach("nginx", pool.config({"families": "dual"}))
    pod.check()
    pool.node.ip("-4 route flush table 2")
    pod.run("CHECK").failure(None, "the table 2 of the ENI with device number 1 has no IPv4 default route, so its pods reach nobody")


def test_check_of_a_pod_that_is_older_than_the_forwarding_of_ipv6(pool):
    pool.node.sysctl("ipv6/conf/all/forwarding", 0)
    pod = pool.attach("nginx")
    pool.node.sysctl("ipv6/conf/all/forwarding", 1)  # that of every interface, too
    pod.check()


def test_gc_takes_what_is_not_valid_and_rules_without_a_pod(pool):
    config = pool.config(cniVersion="1.1.0")
    pool.only(1)
    kept, dropped, gone = (pool.attach(name, config) for name in ("kept", "dropped", "gone"))
    gone.pod.close()  # its interface goes, its rules stay
    valid = [{"containerID": kept.pod.container, "ifname": "eth0"}]
    pool.node.cni("GC", config | {"cni.dev/valid-attachments": valid}, "eni-pool").success()
    rules = pool.node.ip("rule").stdout
    assert kept.address in rules and dropped.address not in rules and gone.address not in rules
    kept.check()
    assert [entry["containerID"] for entry in json.loads(pool.checkpoint.read_text())["allocations"]] == [kept.pod.container]


def test_status(pool):
    config = pool.config(cniVersion="1.1.0")
    pool.node.cni("STATUS", config, "eni-pool").success()
    pool.node.sysctl("ipv6/conf/all/forwarding", 0)
    pool.node.cni("STATUS", pool.config({"families": "ipv6"}, cniVersion="1.1.0"), "eni-pool").failure(50, "net/ipv6/conf/all/forwarding is 0")
    pool.inventory.unlink()
    pool.node.cni("STATUS", config, "eni-pool").failure(50, "eni.json")


def test_status_of_a_node_that_is_not_set_up(pool, lab):
    config = pool.config({"families": "dual"}, cniVersion="1.1.0")
    pool.node.cni("STATUS", config, "eni-pool").success()
    pool.node.ip("-6 route flush table 3")
    error = pool.node.cni("STATUS", config, "eni-pool").failure(50, "the table 3 of the ENI with device number 2 has no IPv6 default route",
                                                                "set up the node with cnix-eni-node")
    assert "table 2" not in error["msg"] and "IPv4" not in error["msg"]
    pool.node.cni("STATUS", pool.config(cniVersion="1.1.0"), "eni-pool").success()  # whose pods have IPv4 addresses only


def test_a_torn_checkpoint_is_put_right_as_the_error_says(pool):
    pod = pool.attach("nginx")
    pool.checkpoint.write_text('{"version":"vpc-cni-ipam/1","alloc')
    pod.run("DEL").failure(999, "move it away, delete the pods that are there (DEL succeeds then)")
    pool.checkpoint.rename(pool.checkpoint.with_suffix(".torn"))
    pod.delete()
    pool.attach("nginx").check()


def test_a_checkpoint_of_a_newer_version_stays_as_it_is(pool):
    """What this version does not know would be lost at its next write, so there is none, until it is put right as the error says."""
    pod, other = pool.attach("nginx"), Attachment(pool.node, pool.config(), pool.node.pod(), plugin="eni-pool")
    known = json.loads(pool.checkpoint.read_text())
    entry, = known["allocations"]
    pool.checkpoint.write_text(json.dumps(known | {"generation": 2, "allocations": [entry | {"metadata": entry["metadata"] | {"k8sPodNam": "x"}}]}))
    newer, before, inside = pool.checkpoint.read_bytes(), snapshot(pool.node), snapshot(other.pod)
    told = (f"{pool.checkpoint}: 1:", "$.allocations[0].metadata: unknown key `k8sPodNam`, did you mean `k8sPodName`?\n", "$: unknown key `generation`; ",
            "nothing was changed: a newer version may have written the unknown keys, and what they say would be lost: use the version that wrote "
            "the file, or remove them")
    other.run("ADD").failure(999, *told)
    assert difference(before, snapshot(pool.node)) == [] and difference(inside, snapshot(other.pod)) == []
    pod.run("DEL").failure(999, *told)
    pod.run("CHECK").failure(None, *told)
    config = pool.config(cniVersion="1.1.0")
    pool.node.cni("STATUS", config, "eni-pool").failure(50, *told)
    pool.node.cni("GC", config | {"cni.dev/valid-attachments": []}, "eni-pool").failure(None, *told)
    assert pool.checkpoint.read_bytes() == newer
    pool.checkpoint.write_text(json.dumps(known))
    other.add()
    other.check()
    pod.delete()


@pytest.mark.parametrize("which", ("inventory", "checkpoint"))
@pytest.mark.parametrize("kind, make", (("a directory", os.mkdir), ("a FIFO", os.mkfifo)))
def test_a_file_that_is_none(pool, which, kind, make):
    """Nobody waits for a FIFO's writer; what was there before is gone on with when it is put back."""
    pod, other = pool.attach("nginx"), Attachment(pool.node, pool.config(), pool.node.pod(), plugin="eni-pool")
    file = getattr(pool, which)
    file.rename(file.with_suffix(".away"))
    make(file)
    told = (str(file), f"is {kind}, not a regular file", "put one there, or name another" if which == "inventory" else "repair it, or move it away")
    other.run("ADD").failure(999, *told)
    pool.node.cni("STATUS", pool.config(cniVersion="1.1.0"), "eni-pool").failure(50, *told)
    if which == "inventory":
        pod.delete()
    else:
        pod.run("DEL").failure(999, *told)
        assert file.is_dir() or file.is_fifo()
    (file.rmdir if file.is_dir() else file.unlink)()
    file.with_suffix(".away").rename(file)
    other.add()
    pod.delete()


def test_status_of_a_lost_checkpoint(pool):
    config = pool.config({"cooldown": 0}, cniVersion="1.1.0")
    kept = pool.attach("kept", config)
    pods = [pool.attach(name, config) for name in ("one", "two")]
    pool.node.cni("STATUS", config, "eni-pool").success()
    pool.checkpoint.unlink()
    lost = pool.node.cni("STATUS", config, "eni-pool").failure(50, f"the checkpoint {pool.checkpoint} does not know 3 of the addresses")
    assert kept.address in lost["msg"]
    pod = pool.node.pod()
    options = {"container": pod.container, "netns": pod.path, "ifname": "eth0"}
    pool.node.cni("ADD", config, "eni-pool", **options).failure(11, "is another one's")
    for one in (kept, *pods):
        one.delete()
    pool.node.cni("STATUS", config, "eni-pool").success()
    pool.node.cni("ADD", config, "eni-pool", **options).success()


MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")


@pytest.mark.parametrize("family", ("ipv4", "dual"))
def test_the_plan_makes_what_add_makes(pool, family):
    """The script of --plan gives what ADD gives, and its undo lines take it back."""
    pool.only(1)
    config = pool.config({"families": family})
    pod = pool.attach(config=config)

    def state():
        return [{MAC.sub("MAC", fact) for fact in snapshot(namespace)} for namespace in (pool.node, pod.pod)]

    added = state()
    pod.delete()
    pool.node.sysctl("ipv4/ip_forward", 0)  # a plan is for a node without pods
    deleted = state()
    file, script = pool.node.directory / "eni.conf", pool.node.directory / "plan"
    file.write_text(json.dumps(config))
    done = pool.node.run("env", f"CNI_CONTAINERID={pod.pod.container}", f"CNI_NETNS={pod.pod.path}",
                         str(pool.node.plugins.path("eni-pool")), "--plan", str(file))
    script.write_text(done.stdout)
    pool.node.run("sh", "-e", str(script))
    for ours, theirs in zip(state(), added):
        assert difference(theirs, ours) == []
    pool.node.run("sh", "-ec", "sed -n 's/^#undo //p' \"$0\" | tac | sh -ex", str(script))
    for now, before in zip(state(), deleted):
        assert difference(before, now) == []


def test_rules_of_living_pods_stay_while_others_come_and_go(pool):
    """The kernel's list of IPv6 routes may lack some while others change, and does not say so: nobody is an orphan for that."""
    addresses = [f"fd00:0:0:2::{host:x}" for host in range(0x1000, 0x1000 + 400)]
    batch(pool.node, *(f"route add {one} dev eth1 proto 201" for one in addresses))
    run("ip", "-6", "-n", pool.node.name, "-batch", "-",
        input="".join(f"rule add to {one} priority 512 lookup main protocol 201\n" for one in addresses))
    others = [f"fd00:0:0:2::{host:x}" for host in range(0x2000, 0x2008)]
    churn = "".join(f"route add {one} dev eth1\nroute del {one} dev eth1\n" for one in others) * 200
    with ThreadPoolExecutor(1) as beside:
        for _ in range(40):
            churning = beside.submit(run, "ip", "-n", pool.node.name, "-batch", "-", input=churn)
            while not churning.done():
                pool.node.cni("DEL", pool.config(), "eni-pool", container="nobody", ifname="eth0").success()
            churning.result()
    assert pool.node.ip("-6 rule").stdout.count("proto 201") == len(addresses)


def test_pods_by_the_plugin_on_a_node_that_is_set_up(node, lab, pool, pytestconfig):
    """What a user does: cnix-eni-node, then pods. Outside the VPC they are the node; a NodePort reaches a pod of the second ENI."""
    binaries = pytestconfig.option.plugins_dir.resolve()
    for eni in lab.enis[1:]:
        node.ip(f"addr flush dev {eni.interface}")
        node.ip(f"route flush table {eni.table}", check=False)
    lab.set_up_node(binaries, node.directory)
    pool.only(1)
    pod = pool.attach("nginx")
    pod.check()
    with Echo(lab.outside):
        assert seen_source(pod.pod, lab.outside.address4) == lab.enis[0].primary4
    with Echo(lab.instance):
        assert seen_source(pod.pod, lab.instance.address4) == pod.address
    lab.node_port(30080, pod.address, PORT)
    with Echo(pod.pod):
        assert seen_source(lab.outside, lab.enis[0].primary4, 30080) == lab.outside.address4
    pod.delete()
    assert lab.set_up_node(binaries, node.directory, verb="check", check=False).returncode == 0
