"""cnix-ipamd over minutes and hours, in seconds: its clocks are libfaketime's."""

import signal

import pytest

from support.ipamd import Ipamd, wait_until


@pytest.fixture
def start(managed):
    def start(**settings) -> Ipamd:
        return managed.daemon(disable_metrics=None, disable_introspection=None, **settings).with_a_clock().start()
    return start


def pass_looks(daemon: Ipamd, seconds: int) -> None:
    """Time passes, and it has looked at the node since."""
    name = 'awscni_connmark_reconcile_total{result="success"}'
    before = daemon.metric(name)
    daemon.pass_time(seconds)
    wait_until(lambda: daemon.metric(name) > before, daemon)


def test_addresses_of_pods_that_are_gone(managed, start):
    """Are taken back after two looks a minute apart; not one of a live pod whose host end is called otherwise than here."""
    daemon = start(warm_ip_target=3)
    gone, live = managed.attach("gone"), managed.attach("live", vethPrefix="abc")
    host_ends = [one.result["interfaces"][0]["name"] for one in (gone, live)]
    assert host_ends[1].startswith("abc")
    managed.node.ip(f"link del {host_ends[0]}")
    pass_looks(daemon, 61)
    assert daemon.stored() == {one.pod.container: one.address for one in (gone, live)}, "seen once"
    pass_looks(daemon, 61)
    wait_until(lambda: daemon.stored() == {live.pod.container: live.address}, daemon)
    pass_looks(daemon, 61)
    assert daemon.metric("cnix_ipamd_reclaimed_total") == 1 and f"took back {gone.address}" in daemon.log
    live.check()
    gone.delete()
    live.delete()
    assert daemon.stored() == {}
    daemon.stop()


def test_metadata_that_are_nonsense_while_it_runs(managed, start):
    """Named in the log and in the status; pods keep what they have, and come and go; it goes on when they are right again."""
    daemon = start(warm_ip_target=3)
    first = managed.attach()
    (eni,) = managed.lab.enis
    of_eni = f"meta-data/network/interfaces/macs/{eni.mac}"
    nonsense = {"no ENI": lambda: managed.cloud.override("meta-data/network/interfaces/macs", ""),
                "not the ENI": lambda: managed.cloud.override(f"{of_eni}/interface-id", "eni-00000000000000abc"),
                "HTML": lambda: managed.cloud.fail("imds:meta-data/network/*", body="html", times=None),
                "cut off": lambda: managed.cloud.fail("imds:*", end="truncate", times=None),
                "no HTTP": lambda: managed.cloud.fail("imds:*", end="garbage", times=None)}
    for number, (what, begin) in enumerate(nonsense.items()):
        looks = daemon.metric('awscni_ipamd_error_count{fn="nodeIPPoolReconcile"}')
        begin()
        daemon.pass_time(61)
        wait_until(lambda: daemon.metric('awscni_ipamd_error_count{fn="nodeIPPoolReconcile"}') > looks, daemon)
        assert any(one.startswith("cloud: ") for one in daemon.status()["troubles"]), what
        second = managed.attach(f"pod-{number}", ipam={"deadline": 10})
        assert daemon.stored() == {one.pod.container: one.address for one in (first, second)}, what
        second.delete()
        managed.cloud.clear()
        for path in list(managed.cloud.imds.overrides):
            del managed.cloud.imds.overrides[path]
        daemon.pass_time(61)
        wait_until(lambda: daemon.status()["troubles"] == [], daemon)
    assert [one["id"] for one in daemon.status()["enis"]] == [eni.id] and daemon.status()["quarantined"] == []
    first.check()
    first.delete()
    daemon.stop()


def test_an_hour_without_the_cloud(managed, start):
    daemon = start(warm_ip_target=3)
    first = managed.attach()
    wait_until(lambda: daemon.status()["pool"]["ipv4"]["free"] == 3, daemon)
    managed.cloud.away()
    for quarter in range(4):
        daemon.pass_time(900)
        pods = [managed.attach(f"pod-{quarter}-{number}", ipam={"deadline": 10}) for number in range(2)]
        for pod in pods:
            pod.delete()
    assert daemon.stored() == {first.pod.container: first.address}
    wait_until(lambda: any(one.startswith("cloud: ") for one in daemon.status()["troubles"]), daemon)
    managed.cloud.back()
    daemon.pass_time(61)
    wait_until(lambda: daemon.status()["troubles"] == [], daemon)
    pods = [managed.attach(f"back-{number}", ipam={"deadline": 30}) for number in range(5)]
    first.check()
    for pod in (first, *pods):
        pod.delete()
    daemon.stop()


NO_MANAGE = "node.k8s.amazonaws.com/no_manage"


def test_tags_that_are_set_later(managed, start):
    """An ENI that is tagged is left alone within the hour, or after a SIGHUP; a leaked one is deleted within the hour."""
    daemon = start(warm_ip_target=12, max_eni=2, cluster_name="blue")
    managed.cloud.wait_for(lambda: managed.cloud.count("ModifyNetworkInterfaceAttribute") == 1)
    wait_until(lambda: [one["use"] for one in daemon.status()["enis"]] == ["used", "used"], daemon)
    tagged = next(one for one in managed.cloud.enis.values() if one.id != managed.lab.enis[0].id)
    tagged.tags[NO_MANAGE] = "true"
    leaked = managed.cloud.add_eni(description="aws-K8S-i-0000000000000000f", tags={
        "node.k8s.amazonaws.com/instance_id": "i-0000000000000000f", "cluster.k8s.amazonaws.com/name": "blue",
        "node.k8s.amazonaws.com/createdAt": "2026-01-01T00:00:00Z"})["id"]
    managed.cloud.forget()
    daemon.pass_time(2 * 3600)
    wait_until(lambda: [one["use"] for one in daemon.status()["enis"]] == ["used", "unmanaged"], daemon)
    managed.cloud.wait_for(lambda: leaked not in managed.cloud.enis)
    assert managed.cloud.count("DescribeSubnets") == 1, "their tags count, too"
    tagged.tags[NO_MANAGE] = "false"
    daemon.pass_time(61)
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: [one["use"] for one in daemon.status()["enis"]] == ["used", "used"], daemon)
    assert tagged.id in managed.cloud.enis
    daemon.stop()
