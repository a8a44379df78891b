"""cnix-ipamd where what it finds at the start is broken or missing, and callers and signals come as nobody would send them."""

import json
import os
import signal
import subprocess
import sys

import pytest

from support.ipamd import fields, wait_until
from support.ipamd_client import calls
from support.ipamd_stub import ADD, encode

pytest.importorskip("grpc", reason="python3-grpcio is not installed")


def test_what_is_missing_at_the_start_is_named_and_waited_for(managed):
    """One part after the other, in the log, to systemd, in the status and in health; the process stays the same, and serves in the end."""
    daemon = managed.daemon(warm_ip_target=1, disable_introspection=None)
    os.mkfifo(daemon.checkpoint)
    managed.cloud.away()
    daemon.socket.write_text("no socket")
    daemon.start(ready=False)

    def named(part: str, *texts: str, listens: bool = True) -> None:
        told = daemon.wait(f"STATUS={part}: ")
        while not all(text in told for text in texts):
            told = daemon.wait(f"STATUS={part}: ")
        status = daemon.status()
        assert not status["ready"] and any(one in told for one in status["troubles"]), (told, status)
        assert any(" warn " in line and part in line and texts[0] in line for line in daemon.log.splitlines())
        if listens:
            seen = healths(managed, daemon)
            assert seen.pop(f"cnix.{part}") == 2 and {seen.pop(name) for name in ("", "grpc.health.v1.aws-node", "cnix.free-addresses")} == {2}
            assert not set(seen.values()) & {2, 3}, seen  # works, or has not been tried

    named("server", str(daemon.socket), "no socket", listens=False)
    daemon.socket.unlink()
    named("checkpoint", "ipam.json: it is a FIFO, not a regular file; nothing was changed: ")
    daemon.checkpoint.unlink()
    daemon.checkpoint.write_text('{"version": "vpc-cni-ipam/1", "allocations": [')
    named("checkpoint", "ipam.json", "1:47: the text ends")
    daemon.checkpoint.unlink()
    named("cloud", "metadata")
    daemon.socket.unlink()
    wait_until(daemon.socket.exists, daemon)
    managed.cloud.back()
    managed.cloud.away("ec2")
    named("cloud", "DescribeNetworkInterfaces")
    managed.cloud.back()
    daemon.wait("READY=1")
    assert daemon.status()["troubles"] == [] and daemon.process.poll() is None
    wait_until(lambda: set(healths(managed, daemon).values()) == {1}, daemon)
    managed.attach().delete()
    daemon.stop()


def healths(managed, daemon) -> dict[str, int]:
    """By service, of all that have one: as Health/List tells them, and Health/Check."""
    endpoint = f"unix://{daemon.socket}"
    listed, = calls(managed.node, "v1_20", endpoint, {"method": "/grpc.health.v1.Health/List", "fields": {}})
    told, rest = {}, bytes.fromhex(listed["raw"])
    while rest:
        entry = rest[2:2 + rest[1]]
        rest = rest[2 + rest[1]:]
        name = entry[2:2 + entry[1]]
        told[name.decode()] = entry[-1] if entry[3 + len(name)] else 0
    checked = calls(managed.node, "v1_20", endpoint, *({"method": "Check", "fields": {"service": name}} for name in told))
    assert {name: one["reply"].get("status", 0) for name, one in zip(told, checked, strict=True)} == told
    return told


def test_requests_while_it_starts(managed):
    """They are told what is missing, and nothing is lost: what a DEL could not tell is released once it serves."""
    daemon = managed.daemon(warm_ip_target=2).start()
    pod = managed.attach()
    daemon.stop()
    managed.cloud.away()
    daemon.start(ready=False)
    daemon.wait("STATUS=cloud: ")
    missing = "cnix-ipamd is starting; cloud: "
    policy, = calls(managed.node, "v1_20", f"unix://{daemon.socket}", {"method": "/rpc.ConfigServerBackend/GetNetworkPolicyConfigs", "fields": {}})
    assert policy["code"] == "UNAVAILABLE"
    unfinished, = calls(managed.node, "v1_20", f"unix://{daemon.socket}", {"method": "AddNetwork", "fields": {}})
    assert "lacks" in unfinished["reply"]["why"]
    managed.pod("other").run("ADD").failure(11, missing)
    assert not list(daemon.spool.glob("*.json")), "a daemon that has not started gave nothing"
    managed.pod(cniVersion="1.1.0").run("STATUS").failure(50, "not serving")
    assert missing in pod.run("DEL").stderr and daemon.stored()
    managed.cloud.back()
    daemon.wait("READY=1")
    wait_until(lambda: not daemon.stored() and not list(daemon.spool.glob("*.json")), daemon)
    daemon.stop()


def test_a_checkpoint_of_a_newer_version_stays_as_it_is(managed):
    """Once what only that version knows is out of it, the pods have what they had."""
    daemon = managed.daemon(warm_ip_target=1, disable_introspection=None).start()
    pod = managed.attach()
    daemon.stop()
    known = json.loads(daemon.checkpoint.read_text())
    newer = json.dumps(known | {"generation": 2})
    daemon.checkpoint.write_text(newer)
    daemon.start(ready=False)
    column = newer.index('"generation"') + 1
    assert f"{daemon.checkpoint}: 1:{column}: $: unknown key `generation`; nothing was changed: " in daemon.wait("STATUS=checkpoint: ")
    status = daemon.status()
    assert not status["ready"] and ["use the version that wrote the file, or remove them" in one for one in status["troubles"]] == [True]
    managed.pod("other").run("ADD").failure(11, "cnix-ipamd is starting; checkpoint: ", "unknown key `generation`")
    daemon.stop()
    daemon.start(ready=False)
    daemon.wait("STATUS=checkpoint: ")
    assert daemon.checkpoint.read_text() == newer
    daemon.checkpoint.write_text(json.dumps(known))
    daemon.wait("READY=1")
    assert daemon.status()["troubles"] == [] and daemon.stored() == {pod.pod.container: pod.address}
    pod.delete()
    assert daemon.stored() == {}
    daemon.stop()


def test_callers_who_go_away_have_nothing(managed):
    """While they wait for an address that is on its way: when it comes, nobody has it who has gone."""
    daemon = managed.daemon(warm_ip_target=1, disable_introspection=None)
    managed.cloud.fail("AssignPrivateIpAddresses", hold=True)
    daemon.start()
    managed.cloud.wait_for(lambda: managed.cloud.waiting() == 1)
    gone = calls(managed.node, "v1_20", f"unix://{daemon.socket}",
                 *({"method": "AddNetwork", "fields": fields(f"gone-{number}"), "timeout": 0.2} for number in range(3)))
    assert not any(one.get("reply", {}).get("Success") for one in gone)
    killed = subprocess.Popen(managed.node.argv(sys.executable, "-c", f"""
import grpc
with grpc.insecure_channel("unix:{daemon.socket}") as channel:
    channel.unary_unary("/rpc.CNIBackend/AddNetwork")(bytes.fromhex("{encoded('killed').hex()}"))
"""), )
    wait_until(lambda: [one["container"] for one in daemon.status()["waiting"]] == ["killed"], daemon)
    killed.kill()
    killed.wait()
    wait_until(lambda: daemon.status()["waiting"] == [], daemon)
    assert "the caller has gone" in daemon.log, "its deadline was none"
    managed.cloud.release()
    managed.attach("other", ipam={"deadline": 30}).delete()
    assert daemon.stored() == {} and daemon.status()["pool"]["pods"] == 0
    daemon.stop()


def encoded(container: str) -> bytes:
    numbers = {name: number for number, name in ADD.items()}
    return encode(*((numbers[name], value) for name, value in fields(container).items()))


def test_a_storm_of_sighup(managed):
    """Pods come and go meanwhile; it is asked of the cloud once a minute, and nothing is left open."""
    daemon = managed.daemon(warm_ip_target=3).start()
    managed.attach().delete()
    descriptors, looks = daemon.descriptors(), managed.cloud.count("DescribeNetworkInterfaces")
    for number in range(300):
        daemon.process.send_signal(signal.SIGHUP)
        if number % 100 == 50:
            managed.attach(f"pod-{number}", ipam={"deadline": 30}).delete()
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: daemon.log.count("the settings are read anew") > 1, daemon)
    managed.attach("after", ipam={"deadline": 30}).delete()
    wait_until(lambda: daemon.descriptors() <= descriptors + 2, daemon)
    assert managed.cloud.count("DescribeNetworkInterfaces") <= looks + 2 and daemon.stored() == {}
    daemon.stop()


def test_a_spool_of_anything(managed):
    """What is a release is done, what is not is named and left; nothing of it holds up the start."""
    daemon = managed.daemon(warm_ip_target=3).start()
    pod, stays = managed.attach("gone"), managed.attach("stays")
    daemon.stop()
    pod.delete()
    (release,) = daemon.spool.glob("*.json")
    digest = "0" * 31
    (daemon.spool / f"{digest}1.json").write_bytes(b"A" * (1 << 22))
    os.mkfifo(daemon.spool / f"{digest}2.json")
    (daemon.spool / f"{digest}3.json").symlink_to(release)
    (daemon.spool / f"{digest}4.json").symlink_to("/dev/zero")
    (daemon.spool / f"{digest}5.json").mkdir()
    (daemon.spool / f"{digest}6.json").write_text("[" * 60_000)
    (daemon.spool / f"{digest}7.json").write_text(json.dumps(json.loads(release.read_text()) | {"container": stays.pod.container}))
    os.mkfifo(daemon.spool / f"{digest}8.lock")
    (daemon.spool / "two\nlines.json").write_text("")
    odd = {one.name for one in daemon.spool.glob("*.json")} - {release.name}
    daemon.start()
    assert daemon.stored() == {stays.pod.container: stays.address}
    assert {one.name for one in daemon.spool.glob("*.json")} == odd
    for one in odd:
        assert f"{one} is no release".replace("\n", "; ") in daemon.log, one
    stays.delete()
    daemon.stop()


EXTREME = {"nothing": {"warm_eni_target": 0, "warm_ip_target": 0, "minimum_ip_target": 0},
           "all there is": {"warm_eni_target": 100, "warm_ip_target": 100_000, "minimum_ip_target": 100_000, "max_pods": 100_000},
           "a contradiction": {"warm_ip_target": 100_000, "max_eni": 1, "max_pods": 1, "ip_cooldown_period": 86400}}


@pytest.mark.parametrize("settings", EXTREME)
def test_extreme_targets(managed, settings):
    """Pods are served, and EC2 is asked for no more than there is, and not again and again."""
    daemon = managed.daemon(**EXTREME[settings], disable_introspection=None).start()
    pod = managed.attach(ipam={"deadline": 30})
    wait_until(lambda: not daemon.status()["pool"]["under_way"] and daemon.status()["pool"]["ipv4"]["total"] >= 1, daemon)
    limit = {"nothing": 2, "all there is": 3, "a contradiction": 1}[settings]
    if settings == "all there is":
        wait_until(lambda: daemon.status()["pool"]["ipv4"]["total"] == 27, daemon)
    calls_so_far = managed.cloud.count("ec2")
    daemon.process.send_signal(signal.SIGHUP)
    managed.attach("other", ipam={"deadline": 30})
    assert len(daemon.status()["enis"]) <= limit and managed.cloud.count("ec2") <= calls_so_far + 6, managed.cloud.counts()
    assert pod.pod.container in daemon.stored()
    daemon.stop()


def test_thousands_of_refused_adds_leave_nothing(managed):
    daemon = managed.daemon("cnix-ipamd-imds", log_level="error").start()
    endpoint = f"unix://{daemon.socket}"

    def ask(first: int, count: int) -> None:
        answers = calls(managed.node, "v1_20", endpoint, *({"method": "AddNetwork", "fields": fields(f"c{first + number}")}
                                                           for number in range(count)))
        assert all("Success" not in one["reply"] and "exhausted" in one["reply"]["why"] for one in answers)

    ask(0, 500)
    memory, descriptors = daemon.memory(), daemon.descriptors()
    ask(500, 4000)
    assert daemon.memory() < memory + 1_000_000 or daemon.is_sanitized()
    assert daemon.descriptors() <= descriptors + 2 and daemon.stored() == {}
    daemon.stop()
