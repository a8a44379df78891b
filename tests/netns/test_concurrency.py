"""Many at once, and a plugin killed in the middle."""

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.cni import Attachment
from support.snapshot import difference, snapshot
from support.traffic import eventually, reaches

COUNT = 40


def full(node, **keys) -> dict:
    return node.config(**({"isDefaultGateway": True, "ipMasq": True, "macspoofchk": True,
                           "ipam": node.ipam("10.22.0.0/24", "fd00:22::/64")} | keys))


def test_many_at_once(node, plugin):
    """On a node where nothing exists yet, then all gone again."""
    attachments = [Attachment(node, full(node), node.pod(), plugin=plugin) for _ in range(COUNT)]
    with ThreadPoolExecutor(COUNT) as pool:
        list(pool.map(lambda attachment: attachment.add(), attachments))
        addresses = [address for attachment in attachments for address in attachment.addresses]
        assert len(set(addresses)) == 2 * COUNT
        assert node.leases().keys() == set(addresses)
        assert len(node.ports("cni-test")) == COUNT
        list(pool.map(lambda attachment: attachment.check(), attachments))
        assert reaches(attachments[0].pod, attachments[-1].address)
        list(pool.map(lambda attachment: attachment.delete(), attachments))
    assert node.ports("cni-test") == {} and node.leases() == {}
    empty = snapshot(node)
    node.attach(full(node), plugin=plugin).delete()
    assert difference(empty, snapshot(node)) == []


def test_coming_and_going_at_once(node, nat_plugin):
    """The network's last pod goes while its next comes."""
    def churn(number: int) -> None:
        for _ in range(4):
            attachment = Attachment(node, full(node, name=f"net{number % 2}", bridge=f"br{number % 2}", ipam=node.ipam(
                f"10.22.{number % 2}.0/24")), pods[number], plugin=nat_plugin)
            attachment.add()
            attachment.check()
            attachment.delete()

    pods = [node.pod() for _ in range(8)]
    with ThreadPoolExecutor(len(pods)) as pool:
        list(pool.map(churn, range(len(pods))))
    assert node.leases("net0") == node.leases("net1") == {}


def test_range_runs_dry_at_once(node, plugin):
    """Exactly as many succeed as there are addresses, and the rest leave nothing."""
    ipam = node.ipam(ranges=[[{"subnet": "10.22.0.0/24", "rangeStart": "10.22.0.10", "rangeEnd": "10.22.0.14"}]])
    attachments = [Attachment(node, full(node, ipam=ipam), node.pod(), plugin=plugin) for _ in range(12)]
    with ThreadPoolExecutor(len(attachments)) as pool:
        outcomes = list(pool.map(lambda attachment: attachment.run("ADD"), attachments))
    assert [outcome.code for outcome in outcomes].count(0) == 5
    assert len(node.ports("cni-test")) == len(node.leases()) == 5


UNWRITABLE = {"full": ("sh", "-c", 'exec "$@" >/dev/full', "sh"), "closed": ("sh", "-c", 'exec "$@" >&-', "sh")}
HELD = "10.44.0.9"


def mentions(node, attachments) -> list[str]:
    """What the node keeps of them: lease, alias, comment."""
    ends = re.compile("|".join(rf"{re.escape(attachment.pod.container)}\b" for attachment in attachments))
    return [fact for fact in snapshot(node) if ends.search(fact)]


class Failing:
    """ADDs that fail late, each in its own way, on the network of the good ones."""

    def __init__(self, node, plugin: str, rounds: int, **keys):
        (node.data / "net").mkdir(parents=True, exist_ok=True)
        (node.data / "net" / HELD).write_text("elsewhere\r\neth0")
        route = node.ipam("10.22.0.0/24", "fd00:22::/64", routes=[{"dst": "172.16.0.0/12", "gw": "192.168.77.1"}])
        dry = node.ipam(ranges=[[{"subnet": "10.22.0.0/24"}], [{"subnet": "fd00:22::/64"}],
                                [{"subnet": "10.44.0.0/24", "rangeStart": HELD, "rangeEnd": HELD}]])
        self.node, self.runs = node, []
        for _ in range(rounds):
            named = node.pod()
            named.ip("link add eth0 type bridge")
            self.runs += [(Attachment(node, full(node, **keys | changed), pod, plugin=plugin), prefix) for changed, pod, prefix in
                          (({"ipam": route}, node.pod(), ()), ({"ipam": dry}, node.pod(), ()), ({}, named, ()),
                           *(({}, node.pod(), prefix) for prefix in UNWRITABLE.values()))]
        self.attachments = [attachment for attachment, _ in self.runs]
        self._pods = [snapshot(attachment.pod) for attachment in self.attachments]

    @staticmethod
    def add(run) -> None:
        attachment, prefix = run
        outcome = attachment.run("ADD", prefix=prefix)
        assert outcome.code == 1, str(outcome)

    def assert_nothing_left(self) -> None:
        assert mentions(self.node, self.attachments) == []
        for before, attachment in zip(self._pods, self.attachments):
            assert difference(before, snapshot(attachment.pod)) == []


def test_good_and_failing_at_once(node, plugin):
    """On a node where nothing exists yet: those that fail take nothing from the others, and leave nothing."""
    failing = Failing(node, plugin, 3)
    good = [Attachment(node, full(node), node.pod(), plugin=plugin) for _ in range(10)]
    with ThreadPoolExecutor(len(good) + len(failing.runs)) as pool:
        for each in pool.map(lambda attachment: attachment.add(), good), pool.map(failing.add, failing.runs):
            list(each)
        failing.assert_nothing_left()
        assert node.leases().keys() == {HELD, *(address for attachment in good for address in attachment.addresses)}
        veths = {name for name, link in node.links().items() if link.get("linkinfo", {}).get("info_kind") == "veth"}
        assert veths == node.ports("cni-test").keys() == {attachment.host_interface for attachment in good}
        list(pool.map(lambda attachment: attachment.check(), good))
        assert all(pool.map(lambda attachment: reaches(attachment.pod, attachment.gateway), good))
        list(pool.map(lambda attachment: attachment.delete(), good))
    assert node.ports("cni-test") == {} and node.leases().keys() == {HELD}
    empty = snapshot(node)
    node.attach(full(node), plugin=plugin).delete()
    assert difference(empty, snapshot(node)) == []


def test_all_failing_at_once(node, plugin):
    """Nobody's ADD succeeds, so the bridge goes too, whoever made it. Forwarding is the whole node's, and stays."""
    failing = Failing(node, plugin, 3)
    before = snapshot(node)
    with ThreadPoolExecutor(len(failing.runs)) as pool:
        list(pool.map(failing.add, failing.runs))
    failing.assert_nothing_left()
    assert [line for line in difference(before, snapshot(node)) if "forward" not in line] == []


def test_failing_while_others_come_and_go(node, plugin):
    """And then GC, twice at once, while CHECK runs; with ADD or DEL a runtime must not run it (CNI spec, section 3)."""
    keys = {"cniVersion": "1.1.0"}
    failing = Failing(node, plugin, 2, **keys)
    stays, *passing = (Attachment(node, full(node, **keys), node.pod(), plugin=plugin) for _ in range(6))
    valid = [{"containerID": "elsewhere", "ifname": "eth0"}, {"containerID": stays.pod.container, "ifname": "eth0"}]
    collecting = full(node, **keys) | {"cni.dev/valid-attachments": valid}

    def churn(attachment: Attachment) -> None:
        for number in range(4):
            attachment.add()
            attachment.check()
            if number < 3:  # the last is left to GC
                attachment.delete()

    stays.add()
    with ThreadPoolExecutor(len(passing) + len(failing.runs)) as pool:
        for each in pool.map(churn, passing), pool.map(failing.add, failing.runs):
            list(each)
        failing.assert_nothing_left()
        assert node.ports("cni-test").keys() == {attachment.host_interface for attachment in (stays, *passing)}
        collected = [pool.submit(node.cni, "GC", collecting, plugin) for _ in range(2)]
        stays.check()
        for each in collected:
            each.result().success()
    assert node.ports("cni-test").keys() == {stays.host_interface}
    assert node.leases().keys() == {HELD, *stays.addresses}
    assert mentions(node, passing) == []
    stays.check()
    assert reaches(stays.pod, stays.gateway)
    stays.delete()
    assert node.ports("cni-test") == {} and node.leases().keys() == {HELD}


@contextlib.contextmanager
def held_add(attachment: Attachment):
    """An ADD that has done all but print its result, since the pipe is full. It fails in the end: nobody reads."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(writing, bytes(65536)):
            pass
    os.set_blocking(writing, True)
    node = attachment.node
    with ThreadPoolExecutor(1) as pool:
        stdout = f"/proc/{os.getpid()}/fd/{writing}"
        outcome = pool.submit(attachment.run, "ADD", prefix=("sh", "-c", f'exec "$@" >{stdout}', "sh"))
        try:
            # Masquerading is the last step before.
            assert eventually(lambda: any(fact.startswith("iptables-save") or '"net-net"' in fact
                                          for fact in mentions(node, [attachment])), within=60)
            yield
            assert not outcome.done()
        finally:
            os.close(reading)
            os.close(writing)
    assert outcome.result().code == 1, str(outcome.result())


@pytest.mark.parametrize("stays", (True, False), ids=("stays", "has_left"))
def test_fails_after_another_has_come(node, plugin, stays):
    """The bridge that it made is the other's by then, and remains for the next when the other has left."""
    attachment, other = (Attachment(node, full(node), node.pod(), plugin=plugin) for _ in range(2))
    inside = snapshot(attachment.pod)
    with held_add(attachment):
        other.add()
        other.check()
        if not stays:
            other.delete()
    assert mentions(node, [attachment]) == [] and difference(inside, snapshot(attachment.pod)) == []
    assert node.link("cni-test")
    if stays:
        other.check()
        assert reaches(other.pod, other.gateway)
        other.delete()
    assert node.ports("cni-test") == {} and node.leases() == {}


@pytest.mark.parametrize("stdout", UNWRITABLE)
def test_result_cannot_be_printed(node, plugin, stdout):
    """The runtime takes ADD for failed, and so must ADD: it has been the last step."""
    node.attach(full(node), plugin=plugin).delete()
    pod = node.pod()
    before, inside = snapshot(node), snapshot(pod)
    outcome = Attachment(node, full(node), pod, plugin=plugin).run("ADD", prefix=UNWRITABLE[stdout])
    assert outcome.code == 1, str(outcome)
    assert "could not write the result to standard output: " in outcome.stderr
    assert difference(before, snapshot(node)) == [] and difference(inside, snapshot(pod)) == []


def killed_add(attachment: Attachment, request: int) -> bool:
    """Runs ADD and kills it as it is about to send its n-th netlink request; whether there was one."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    node = attachment.node
    process = subprocess.Popen(
        node.argv("strace", "-qq", "-o", "/dev/null", "-e", f"inject=sendmsg:signal=KILL:when={request}",
                  str(node.plugins.path(attachment.plugin))),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, env={
            "ASAN_OPTIONS": "detect_leaks=0",  # the leak check is a tracer itself, and fails under another
            "PATH": os.environ["PATH"], "CNI_COMMAND": "ADD", "CNI_CONTAINERID": attachment.pod.container,
            "CNI_NETNS": attachment.pod.path, "CNI_IFNAME": attachment.ifname, "CNI_PATH": str(node.plugins.directory)})
    stdout, stderr = process.communicate(json.dumps(attachment.config).encode())
    with contextlib.suppress(ProcessLookupError):  # a delegate or iptables may have outlived it
        os.killpg(process.pid, signal.SIGKILL)
    # As strace tells its tracee's end.
    assert process.returncode in (0, -signal.SIGKILL), (stdout, stderr)
    return process.returncode != 0


@pytest.mark.slow
def test_killed_in_the_middle(node, plugin):
    """kill -9 before each netlink request of ADD: DEL then leaves nothing, and ADD works again."""
    node.attach(full(node), plugin=plugin).delete()
    before = snapshot(node)
    for request in itertools.count(1):
        attachment = Attachment(node, full(node), node.pod(), plugin=plugin)
        killed = killed_add(attachment, request)
        attachment.run("DEL", netns=attachment.pod.path if request % 2 else "").success()
        assert difference(before, snapshot(node)) == [], f"killed before request {request}"
        assert attachment.pod.link("eth0") is None
        attachment.add()
        attachment.check()
        attachment.delete()
        if not killed:
            break
    assert request > 10, "an ADD with a gateway, masquerading and a spoof check asks more of the kernel"


def test_killed_is_collected(node, nat_plugin):
    """What a killed ADD left, and no DEL ever comes for: GC takes it."""
    config = full(node, cniVersion="1.1.0")
    node.attach(config, plugin=nat_plugin).delete()
    before = snapshot(node)
    for request in itertools.count(1):
        if not killed_add(Attachment(node, config, node.pod(), plugin=nat_plugin), request):
            break
    node.cni("GC", config | {"cni.dev/valid-attachments": []}, nat_plugin).success()
    assert difference(before, snapshot(node)) == []


@pytest.mark.parametrize("leftover", ("", "half\r", "somebody", "\0\0"))
def test_torn_lease_file(node, leftover):
    """What a crash or a full disk left of a lease: nobody's, so its address can be given again."""
    (node.data / "net").mkdir(parents=True)
    (node.data / "net" / "10.22.0.2").write_text(leftover)
    ipam = node.ipam(ranges=[[{"subnet": "10.22.0.0/24", "rangeStart": "10.22.0.2", "rangeEnd": "10.22.0.2"}]])
    attachment = Attachment(node, node.config(ipam=ipam), node.pod())
    if leftover in ("", "\0\0"):
        assert attachment.add()["ips"][0]["address"] == "10.22.0.2/24"
    else:  # an ID alone is the reference's old format: somebody's lease
        attachment.run("ADD").failure()
