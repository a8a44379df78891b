"""What goes wrong in the fake on demand, as a plain client sees it."""

import functools
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path
from xml.etree import ElementTree

import pytest
from cloud_node import INSTANCE, PRIMARY, SECOND, STATE

from support.fake_cloud import FakeCloud, client
from support.fake_cloud.clock import Clock
from support.fake_cloud.errors import TEXTS, Refusal
from support.fake_cloud.faults import BODIES, HTML

TESTS = Path(__file__).resolve().parents[1]


def describe(cloud) -> str:
    """"ok" or the error's code."""
    try:
        client.call(cloud.ec2_url, "DescribeInstances")
        return "ok"
    except Refusal as refusal:
        return refusal.code


def assign(cloud) -> str:
    try:
        client.call(cloud.ec2_url, "AssignPrivateIpAddresses", NetworkInterfaceId=SECOND, SecondaryPrivateIpAddressCount=1)
        return "ok"
    except Refusal as refusal:
        return refusal.code


def raw(url: str, body: bytes = b"", path: str = "/", method: str = "POST", timeout: float = 30):
    """A status and body, whatever was sent: of a POST to EC2 no signature, so that it is refused unless a fault says otherwise."""
    where = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=timeout)
    try:
        connection.request(method, path, body)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    finally:
        connection.close()


def test_the_next_calls_of_an_action(cloud):
    cloud.throttle("DescribeInstances", times=2)
    assert [assign(cloud), describe(cloud), describe(cloud), describe(cloud)] == ["ok", "RequestLimitExceeded", "RequestLimitExceeded", "ok"]
    assert [(call.action, call.status, call.error) for call in cloud.of("DescribeInstances")] == \
        [("DescribeInstances", 503, "RequestLimitExceeded")] * 2 + [("DescribeInstances", 200, "")]


def test_after_some_calls_in_order_and_for_ever(cloud):
    cloud.fail("Describe*", "InternalError", skip=1)
    cloud.throttle("ec2:*", code="Throttling", times=None)
    assert [describe(cloud) for _ in range(4)] == ["Throttling", "InternalError", "Throttling", "Throttling"]
    cloud.clear()
    assert describe(cloud) == "ok"


def test_of_certain_parameters(cloud):
    fault = cloud.fail("AssignPrivateIpAddresses", "InsufficientFreeAddressesInSubnet", None, where={"NetworkInterfaceId": PRIMARY})
    assert (assign(cloud), fault.hit) == ("ok", 0)
    with pytest.raises(Refusal):
        client.call(cloud.ec2_url, "AssignPrivateIpAddresses", NetworkInterfaceId=PRIMARY, Ipv4PrefixCount=1)
    assert fault.hit == 1


@pytest.mark.parametrize("code", ("InsufficientFreeAddressesInSubnet", "InsufficientCidrBlocks", "PrivateIpAddressLimitExceeded",
                                  "InternalError", "Unavailable", "UnauthorizedOperation", "RequestExpired"))
def test_codes_have_their_status_and_text(cloud, code):
    cloud.fail("DescribeInstances", code)
    with pytest.raises(Refusal) as caught:
        client.call(cloud.ec2_url, "DescribeInstances")
    assert (caught.value.status, caught.value.text) == TEXTS[code]
    assert cloud.state()["enis"] == FakeCloud(STATE, imds="", ec2="").state()["enis"]


def test_permissions(cloud):
    cloud.deny("Assign*")
    assert [assign(cloud), assign(cloud), describe(cloud)] == ["UnauthorizedOperation", "UnauthorizedOperation", "ok"]


@pytest.mark.parametrize("body", BODIES)
def test_bodies(cloud, body):
    cloud.fail("*", body=body)
    assert raw(cloud.ec2_url, b"Action=x") == (200, BODIES[body])
    cloud.fail("imds:*", status=503, body=body)
    assert raw(cloud.imds_url, method="GET", path="/latest/meta-data/mac") == (503, BODIES[body])
    assert raw(cloud.imds_url, method="GET", path="/latest/meta-data/mac")[0] == 401


def test_html_is_said_to_be_html(cloud):
    cloud.fail("*", status=503, body="html")
    where = urllib.parse.urlsplit(cloud.ec2_url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
    connection.request("POST", "/")
    reply = connection.getresponse()
    assert (reply.status, reply.headers["Content-Type"], reply.read().decode()) == (503, "text/html", HTML)
    connection.close()


@pytest.mark.parametrize("end, error", (
    ("reset", ConnectionResetError), ("close", http.client.RemoteDisconnected), ("truncate", http.client.IncompleteRead),
    ("garbage", http.client.BadStatusLine), ("hang", TimeoutError), ("stall", TimeoutError)))
def test_ends_of_a_connection(cloud, end, error):
    waits = error is TimeoutError
    for url, method in ((cloud.ec2_url, "POST"), (cloud.imds_url, "GET")):
        cloud.fail("*", end=end)
        with pytest.raises(error):
            raw(url, method=method, path="/" if method == "POST" else "/latest/meta-data/mac", timeout=0.05 if waits else 30)
    assert describe(cloud) == "ok"


def test_the_reply_is_lost_but_the_call_was_carried_out(cloud):
    cloud.fail("CreateNetworkInterface", end="reset", after=True)
    given = {"SubnetId": STATE["subnets"][0]["id"], "ClientToken": "once"}
    with pytest.raises(ConnectionResetError):
        client.call(cloud.ec2_url, "CreateNetworkInterface", **given)
    assert len(cloud.enis) == 4
    again = client.call(cloud.ec2_url, "CreateNetworkInterface", **given)
    assert again.findtext("networkInterface/networkInterfaceId") == list(cloud.enis)[-1] and len(cloud.enis) == 4
    assert [call.status for call in cloud.of("ec2")] == [0, 200]


def test_without_it_the_call_was_not_carried_out(cloud):
    cloud.fail("AssignPrivateIpAddresses", end="reset")
    with pytest.raises(ConnectionResetError):
        assign(cloud)
    assert cloud.enis[SECOND].addresses == ["10.0.2.10"]


def test_half_a_body_that_says_it_is_whole(cloud):
    cloud.fail("*", body="half", times=2)
    cloud.set(imds_tokens="optional")
    assert raw(cloud.imds_url, method="GET", path="/latest/meta-data/instance-id") == (200, INSTANCE[:len(INSTANCE) // 2])
    with pytest.raises(ElementTree.ParseError):
        assign(cloud)
    assert len(cloud.enis[SECOND].addresses) == 2, "it was carried out"


@pytest.mark.parametrize("services", ((), ("imds",), ("ec2",)))
def test_the_cloud_is_away(cloud, services):
    cloud.set(imds_tokens="optional")
    urls = {"imds": cloud.imds_url, "ec2": cloud.ec2_url}
    idle = socket.create_connection(("127.0.0.1", urllib.parse.urlsplit(cloud.ec2_url).port))
    idle.sendall(b"GET /control HTTP/1.1\r\n\r\n")
    assert idle.recv(1) == b"H"
    cloud.away(*services), cloud.away(*services)
    for service, url in urls.items():
        if service in (services or urls):
            with pytest.raises(ConnectionRefusedError):
                raw(url, path="/control", method="GET")
        else:
            assert raw(url, path="/control", method="GET")[0] == 200
    if "ec2" in (services or urls):
        while idle.recv(1 << 16):
            pass  # the rest, and its end
    idle.close()
    cloud.advance(3600)
    cloud.back()
    assert describe(cloud) == "ok" and raw(cloud.imds_url, path="/latest/meta-data/mac", method="GET")[0] == 200
    assert urls == {"imds": cloud.imds_url, "ec2": cloud.ec2_url}
    cloud.away()


def in_thread(function, *arguments) -> tuple[threading.Thread, list]:
    outcome = []
    thread = threading.Thread(target=lambda: outcome.append(function(*arguments)))
    thread.start()
    return thread, outcome


@pytest.mark.parametrize("how, go", (({"hold": True}, lambda cloud: cloud.release()), ({"delay": 60}, lambda cloud: cloud.advance(60)),
                                     ({"hold": True}, lambda cloud: cloud.clear()), ({"delay": 60}, lambda cloud: cloud.release())))
def test_late_answers(cloud, how, go):
    """Others are not held up."""
    cloud.fail("AssignPrivateIpAddresses", **how)
    thread, outcome = in_thread(assign, cloud)
    cloud.wait_for(lambda: cloud.waiting() == 1)
    assert describe(cloud) == "ok" and cloud.enis[SECOND].addresses == ["10.0.2.10"] and not outcome
    cloud.advance(59)
    assert cloud.waiting() == 1 and not outcome
    go(cloud)
    thread.join()
    assert outcome == ["ok"] and len(cloud.enis[SECOND].addresses) == 2


def test_a_late_reply_of_what_was_carried_out(cloud):
    cloud.fail("AssignPrivateIpAddresses", hold=True, after=True)
    thread, outcome = in_thread(assign, cloud)
    cloud.wait_for(lambda: cloud.waiting() == 1)
    assert len(cloud.enis[SECOND].addresses) == 2 and not outcome
    cloud.release()
    thread.join()
    assert outcome == ["ok"]


def test_late_and_then_an_error(cloud):
    cloud.fail("DescribeInstances", "Unavailable", hold=True)
    thread, outcome = in_thread(describe, cloud)
    cloud.wait_for(lambda: cloud.waiting() == 1)
    cloud.release()
    thread.join()
    assert outcome == ["Unavailable"]


def test_the_end_of_the_cloud_frees_all_that_wait():
    cloud = FakeCloud(STATE, frozen_clock=True)
    cloud.fail("DescribeInstances", hold=True)
    cloud.fail("DescribeInstances", end="hang")
    held, outcome = in_thread(lambda: pytest.raises((OSError, http.client.HTTPException), raw, cloud.ec2_url, b"Action=DescribeInstances"))
    cloud.wait_for(lambda: cloud.waiting() == 1)
    hanging = socket.create_connection(urllib.parse.urlsplit(cloud.ec2_url).netloc.split(":"))
    hanging.sendall(b"POST /?Action=DescribeInstances HTTP/1.1\r\n\r\n")
    cloud.wait_for(lambda: cloud.count("ec2") == 2)
    cloud.close()
    assert hanging.recv(1) == b""
    hanging.close()
    held.join()
    assert outcome


def test_a_clock_that_runs():
    heard = threading.Event()
    with FakeCloud(STATE, hook=lambda event, *_: heard.set() if event == "attach" else None) as cloud:
        cloud.set(attach_delay=0.05)
        eni = client.call(cloud.ec2_url, "CreateNetworkInterface",
                          SubnetId=STATE["subnets"][0]["id"]).findtext("networkInterface/networkInterfaceId")
        before = time.monotonic()
        client.call(cloud.ec2_url, "AttachNetworkInterface", DeviceIndex=2, InstanceId=INSTANCE, NetworkInterfaceId=eni)
        assert heard.wait(30) and time.monotonic() - before >= 0.05
        cloud.set(attach_delay=3600)
        client.call(cloud.ec2_url, "DetachNetworkInterface", AttachmentId=cloud.enis[eni].attachment.id)
        heard.clear()
        client.call(cloud.ec2_url, "AttachNetworkInterface", DeviceIndex=2, InstanceId=INSTANCE, NetworkInterfaceId=eni)
        assert not heard.is_set()
        cloud.advance(3600)
        assert heard.is_set()


def test_what_advancing_makes_due_happens_at_its_own_time():
    clock, heard = Clock(threading.RLock(), frozen=True), []
    start = clock.now()

    def happen(name, then=()):
        heard.append((name, round(clock.now() - start)))
        for seconds, other in then:
            clock.after(seconds, functools.partial(happen, other))

    clock.after(20, lambda: happen("b"))
    clock.after(10, lambda: happen("a", [(5, "a+5"), (30, "a+30")]))
    clock.after(0, lambda: happen("now"))
    clock.advance(9)
    assert heard == [("now", 0)]
    clock.advance(21)
    assert heard[1:] == [("a", 10), ("a+5", 15), ("b", 20)] and round(clock.now() - start) == 30
    clock.advance(10)
    assert heard[4:] == [("a+30", 40)]


def test_what_cannot_be_planned(cloud):
    for wrong in ({}, {"end": "explode"}, {"colour": "red"}):
        with pytest.raises((ValueError, TypeError)):
            cloud.fail("*", **wrong)
    for knob in ({"colour": "red"}, {"imds_tokens": "maybe"}):
        with pytest.raises(ValueError):
            cloud.set(**knob)


def test_counting(cloud):
    describe(cloud), describe(cloud), assign(cloud)
    raw(cloud.imds_url, method="GET", path="/latest/meta-data/mac")
    raw(cloud.imds_url, method="PUT", path="/latest/api/token")
    assert cloud.counts() == {"DescribeInstances": 2, "AssignPrivateIpAddresses": 1}
    assert cloud.counts("imds") == {"meta-data/mac": 1, "PUT api/token": 1}
    assert (cloud.count(), cloud.count("ec2"), cloud.count("DescribeInstances")) == (5, 3, 2)
    assert cloud.of("AssignPrivateIpAddresses")[0].parameters["NetworkInterfaceId"] == SECOND
    cloud.forget()
    assert cloud.count() == 0


class Program:
    def __init__(self, *arguments: str):
        self.process = subprocess.Popen([sys.executable, "-m", "support.fake_cloud", *arguments], cwd=TESTS, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == "ready\n"
        self.urls = json.loads(self.process.stdout.readline())

    def control(self, call: str, *args, **kwargs):
        self.process.stdin.write(json.dumps({"call": call, "args": args, "kwargs": kwargs}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def test_the_program(tmp_path):
    (tmp_path / "state.json").write_text(json.dumps(STATE))
    program = Program("--state", str(tmp_path / "state.json"), "--frozen-clock", "--hook", f"tee -a {tmp_path}/eni >/dev/null; echo >>{tmp_path}/heard")
    try:
        url = program.urls["ec2"]
        program.control("set", attach_delay=2)
        eni = client.call(url, "CreateNetworkInterface", SubnetId=STATE["subnets"][0]["id"]).findtext("networkInterface/networkInterfaceId")
        client.call(url, "AttachNetworkInterface", DeviceIndex=2, InstanceId=INSTANCE, NetworkInterfaceId=eni)
        assert not (tmp_path / "heard").exists()
        program.control("advance", 2)
        mac = json.loads((tmp_path / "eni").read_text())["mac"]
        assert (tmp_path / "heard").read_text() == f"attach {mac}\n"
        program.control("assign", eni, "10.0.1.99", "10.0.1.100")
        assert (tmp_path / "heard").read_text().splitlines()[1:] == [f"assign {mac} 10.0.1.99 10.0.1.100"]
        assert program.control("counts") == {"CreateNetworkInterface": 1, "AttachNetworkInterface": 1}
        # The same by HTTP.
        assert raw(url, json.dumps({"call": "throttle", "args": ["Describe*"]}).encode(), "/control") == (200, "null")
        with pytest.raises(Refusal):
            client.call(url, "DescribeInstances")
        assert len(json.loads(raw(program.urls["imds"], path="/control", method="GET")[1])["calls"]) == 3
        for wrong in ({"call": "close"}, {"call": "fail"}, {"call": "occupy", "args": [9, "10.0.1.1"]}, {}):
            assert raw(url, json.dumps(wrong).encode(), "/control")[0] == 400
    finally:
        program.process.stdin.close()
        program.process.stdout.close()
        assert program.process.wait(30) == 0
