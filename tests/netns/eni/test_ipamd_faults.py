"""cnix-ipamd when something goes wrong: the cloud, the disk, the node, callers, and the daemon itself."""

import json
import os
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.ipamd import Ipamd, fields, wait_until
from support.ipamd_client import Callers, calls
from support.snapshot import difference, snapshot

pytest.importorskip("grpc", reason="python3-grpcio is not installed")


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
    assert all(any(f'"{word}"' in line for line in repaired) for word in ("rule", "route", "snat", "connmark")), repaired
    pod.delete()


def test_a_release_from_the_spool(managed):
    daemon = managed.daemon(warm_ip_target=3).start()
    pod, stays = managed.attach("gone"), managed.attach("stays")
    daemon.stop()
    pod.delete()
    assert pod.pod.container in daemon.stored() and list(daemon.spool.glob("*.json"))
    daemon.start()
    assert daemon.stored() == {stays.pod.container: stays.address} and not list(daemon.spool.glob("*.json"))


def test_many_releases_from_the_spool(wide):
    """One write of the checkpoint serves many; when it is killed on the way, each is done or still waits, and pods without one stay."""
    daemon = wide.daemon("cnix-ipamd-imds", ip_cooldown_period=0, disable_metrics=None).start()
    given = calls(wide.node, "v1_20", f"unix://{daemon.socket}", *({"method": "AddNetwork", "fields": fields(f"c{number}")} for number in range(250)))
    assert all(one["reply"]["Success"] for one in given)
    daemon.stop()
    stays = {f"c{number}" for number in range(240, 250)}
    waiting = {container: daemon.leave_release(container) for container in daemon.stored() if container not in stays}

    daemon.with_fsync("usleep(200000); return 0;").start(ready=False)
    while len(daemon.stored()) == 250:  # as soon as some are done
        assert daemon.process.poll() is None, daemon.log
    daemon.stop(signal.SIGKILL)
    left = {container for container, file in waiting.items() if file.exists()}
    assert left, "it was killed too late"
    assert stays <= set(daemon.stored()) <= stays | left, "nothing is forgotten that is not on the disk"

    del daemon.environment["LD_PRELOAD"]
    daemon.start()
    assert set(daemon.stored()) == stays and not list(daemon.spool.glob("*.json"))
    assert daemon.metric("cnix_ipamd_spool_replayed_total") == len(left)

    given = calls(wide.node, "v1_20", f"unix://{daemon.socket}", *({"method": "AddNetwork", "fields": fields(f"d{number}")} for number in range(230)))
    assert all(one["reply"]["Success"] for one in given)
    daemon.stop()
    for container in (*daemon.stored(), *(f"unknown{number}" for number in range(200))):
        daemon.leave_release(container)
    daemon.start()
    assert daemon.stored() == {} and not list(daemon.spool.glob("*.json"))
    assert daemon.metric("cnix_ipamd_spool_replayed_total") == 440 and daemon.metric("cnix_ipamd_checkpoint_writes_total") <= 5


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
    assert daemon.took_to_end() < 2 and not daemon.socket.exists()


def test_sigterm_under_load(managed):
    """What was answered is on the disk and the rest is refused, in less than two seconds, also while callers hang and the cloud does."""
    daemon = managed.daemon(warm_ip_target=8, ip_cooldown_period=0, tcp="127.0.0.1:50051", tcp_generation="v1.20").start()
    managed.cloud.wait_for(lambda: len(managed.cloud.enis[managed.lab.enis[0].id].addresses) == 9)
    managed.cloud.fail("ec2:*", end="hang", times=None)
    callers = Callers(managed.node, "v1_20", f"unix://{daemon.socket}", 16, "127.0.0.1:50051")
    daemon.stop(timeout=10)
    seen, stored = callers.ended(), set(daemon.stored())
    assert daemon.took_to_end() < 2 and " has ended" in daemon.log.splitlines()[-1], daemon.log
    assert set(seen["given"]) <= stored <= {*seen["given"], *seen["unknown"]}
    assert len(seen["unknown"]) == 16 and "the address manager is stopping" in daemon.log
    assert seen["watched"] == [1, 2, "UNAVAILABLE"]


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
    assert daemon.took_to_end() < 2


HANGS = "for (;;) pause();"


def test_sigterm_ends_it_while_the_disk_hangs(managed):
    """Nothing was given that is not on it."""
    daemon = managed.daemon(warm_ip_target=3).start()
    stays = managed.attach()
    daemon.stop()
    daemon.with_fsync(HANGS).start()
    lost, = calls(managed.node, "v1_20", f"unix://{daemon.socket}", {"method": "AddNetwork", "fields": fields("lost"), "timeout": 0.5})
    assert not lost.get("reply", {}).get("Success")
    daemon.stop(timeout=10, status=1)
    assert daemon.took_to_end() < 2
    assert "the disk of the checkpoint does not answer" in daemon.log.splitlines()[-1]
    assert daemon.stored() == {stays.pod.container: stays.address}
    del daemon.environment["LD_PRELOAD"]
    daemon.start()
    stays.delete()
    daemon.stop()


def test_sigterm_ends_it_while_the_spool_waits_for_the_disk(managed):
    daemon = managed.daemon(warm_ip_target=3).start()
    stays = managed.attach()
    daemon.stop()
    release = daemon.leave_release(stays.pod.container)
    daemon.with_fsync(HANGS).start(ready=False)
    wait_until((daemon.directory / "ipam.json.new").exists, daemon)
    daemon.stop(timeout=10, status=1)
    assert daemon.took_to_end() < 2 and release.exists() and daemon.stored() == {stays.pod.container: stays.address}


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

        def fill() -> None:
            with filler.open("wb", buffering=0) as file:
                with pytest.raises(OSError):
                    while True:
                        file.write(bytes(4096))
        fill()
        before = snapshot(managed.node)
        managed.pod("second").run("ADD").failure(11, "No space left on device")
        assert difference(before, snapshot(managed.node)) == [] and daemon.stored() == stored
        filler.unlink()
        second = managed.attach("second")
        assert daemon.stored() == stored | {second.pod.container: second.address}
        daemon.stop()
        fill()
        daemon.start()  # a disk that is full from the start on
        managed.pod("third").run("ADD").failure(11, "No space left on device")
        filler.unlink()
        subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
        managed.pod("third").run("ADD").failure(11, "Read-only file system")
        second.delete()  # it is released all the same, and the disk hears of it later
        subprocess.run(["mount", "-o", "remount,rw", str(small)], check=True)
        wait_until(lambda: daemon.stored() == stored, daemon)
        pod.delete()
        daemon.stop()
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_a_release_waits_in_the_spool_until_it_is_on_the_disk(managed):
    """Also when it was done in memory before."""
    daemon = managed.daemon(warm_ip_target=3).start()
    pod = managed.attach()
    daemon.stop()
    release = daemon.leave_release(pod.pod.container)
    daemon.with_fsync("errno = ENOSPC; return -1;").with_a_clock().start()
    assert "No space left on device" in daemon.log
    (daemon.spool / "torn.json").write_text("{")
    daemon.pass_time(61)
    wait_until(lambda: "torn.json" in daemon.log, daemon)  # it has looked again
    assert release.exists() and daemon.stored() == {pod.pod.container: pod.address}
    daemon.stop(signal.SIGKILL)
    del daemon.environment["LD_PRELOAD"]
    daemon.start()
    assert not release.exists() and daemon.stored() == {}


def test_a_checkpoint_directory_that_somebody_removes(managed):
    """What pods have is written again, whole, with the next ADD."""
    daemon = managed.daemon(warm_ip_target=3)
    daemon.checkpoint = managed.node.directory / "run" / "ipam.json"
    daemon.settings["backing-store"] = daemon.checkpoint
    daemon.start()
    first = managed.attach("first")
    shutil.rmtree(daemon.checkpoint.parent)
    second = managed.attach("second")
    assert daemon.stored() == {one.pod.container: one.address for one in (first, second)}
    daemon.restart()
    for pod in (first, second):
        pod.check()
        pod.delete()
    assert daemon.stored() == {}
    daemon.stop()


def test_it_listens_where_it_should(managed):
    """0660, a directory of 0755; a second daemon is refused and does the first no harm."""
    daemon = managed.daemon(warm_ip_target=1).start()
    assert daemon.socket.stat().st_mode & 0o777 == 0o660
    second = managed.node.own(Ipamd(managed.node, managed.cloud, socket=daemon.socket)).start(ready=False)
    assert "another daemon" in second.wait("STATUS=")
    second.stop()
    managed.attach().delete()


def test_a_second_daemon_takes_no_place_of_the_first(managed):
    """Also where the first one's socket was removed; when it has gone, the second goes on."""
    daemon = managed.daemon(warm_ip_target=1).start()
    daemon.socket.unlink()
    second = managed.node.own(Ipamd(managed.node, managed.cloud, socket=daemon.socket, backing_store=daemon.checkpoint, warm_ip_target=1))
    second.start(ready=False)
    assert "another daemon" in second.wait("STATUS=server: ")
    daemon.look_around()
    wait_until(daemon.socket.exists, daemon)
    pod = managed.attach()
    daemon.stop()
    second.wait("READY=1")
    pod.delete()
    second.stop()


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


def test_another_checkpoint_owner_is_refused(managed):
    """Of two daemons with one checkpoint the second waits, and says for whom."""
    daemon = managed.daemon(warm_ip_target=1).start()
    second = managed.node.own(Ipamd(managed.node, managed.cloud, backing_store=daemon.checkpoint)).start(ready=False)
    assert "ipam.json.lock" in second.wait("STATUS=")
    second.stop()
    assert second.took_to_end() < 2
    managed.attach().delete()
