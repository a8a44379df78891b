"""cnix-ipamd as others see it: Prometheus, whoever asks for its state, and systemd, which takes privileges away."""

import http.client
import json
import re
import shutil
import socket
import time
from pathlib import Path

import pytest

from support.ipamd import Ipamd

ROOT = Path(__file__).resolve().parents[3]
METRICS, INTROSPECTION = 61678, 61679


@pytest.fixture
def start(managed):
    """Starts a daemon that serves metrics and introspection."""
    def start(prefix: tuple[str, ...] = (), **settings) -> Ipamd:
        return managed.daemon(warm_ip_target=2, disable_metrics=None, disable_introspection=None, **settings).start(prefix=prefix)
    return start


def test_prometheus_reads_the_metrics(managed, start):
    """Its own parser, which is not ours: names, types and labels are those of the page."""
    parser = pytest.importorskip("prometheus_client.parser", reason="python3-prometheus-client is missing")
    daemon = start()
    pod = managed.attach()
    families = {one.name: one for one in parser.text_string_to_metric_families(daemon.get("/metrics", METRICS))}
    page = (ROOT / "docs/ipamd.md").read_text().partition("<!-- table metrics -->")[2].partition("<!-- end -->")[0]
    documented = {name: (kind, set(re.findall(r"\w+", labels)))
                  for name, kind, labels in re.findall(r"^\| `(\w+)` \| (\w+) \| `?([\w, ]*)`? \|", page, re.MULTILINE)}
    assert len(documented) > 40
    for name, family in families.items():
        full = name if name in documented else f"{name}_total"  # which the parser cuts off counters
        kind, labels = documented[full]
        assert family.type == kind and family.documentation
        for sample in family.samples:
            assert set(sample.labels) - {"le", "quantile"} == labels, sample
    samples = {(one.name, *sorted(one.labels.values())): one.value for family in families.values() for one in family.samples}
    assert samples["cnix_ipamd_ready",] == 1
    assert samples["awscni_assigned_ip_addresses",] == 1
    assert samples["awscni_assigned_ip_per_cidr", f"{pod.address}/32"] == 1
    assert samples["cnix_ipamd_add_duration_seconds_count", "ok"] == 1
    assert samples["awscni_ec2api_req_count_total" if ("awscni_ec2api_req_count_total", "AssignPrivateIpAddresses") in samples
                   else "awscni_ec2api_req_count", "AssignPrivateIpAddresses"] >= 1


def test_introspection_by_another_client(managed, start):
    daemon = start()
    pod = managed.attach()
    (card,) = json.loads(daemon.get("/v1/enis", INTROSPECTION)).values()
    owners = {address: info["IPAMMetadata"].get("k8sPodName") for eni in card["ENIs"].values()
              for cidr in eni["AvailableIPv4Cidrs"].values() for address, info in cidr["IPAddresses"].items()}
    assert owners[pod.address] == "nginx" and card["AssignedIPs"] == 1

    def ask():
        connection = http.client.HTTPConnection("127.0.0.1", INTROSPECTION, timeout=10)
        seen = []
        for method, path in (("GET", "/"), ("HEAD", "/v1/status"), ("POST", "/v1/status"), ("GET", "/v1/eni-configs")):
            connection.request(method, path)
            reply = connection.getresponse()
            seen.append((reply.status, reply.getheader("Content-Type"), len(reply.read()) > 0))
            connection.close()
        return seen
    assert daemon.node.inside(ask) == [(200, "application/json", True), (200, "application/json", False), (405, "text/plain", True),
                                       (404, "text/plain", True)]


def test_hostile_http(managed, start):
    """Pods are served, and metrics, whatever comes to the ports; nothing stays open."""
    daemon = start()
    descriptors = daemon.descriptors()

    def attack() -> int:
        idle = [socket.create_connection(("127.0.0.1", port)) for port in (METRICS, INTROSPECTION) for _ in range(300)]
        for data in (b"\0" * 100_000, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 100_000, b"GET /metrics HTTP/1.1\r\nHost",
                     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
            for port in (METRICS, INTROSPECTION):
                one = socket.create_connection(("127.0.0.1", port))
                try:
                    one.sendall(data)
                except OSError:
                    pass  # refused before it was all
                idle.append(one)
        connection = http.client.HTTPConnection("127.0.0.1", METRICS, timeout=4)
        connection.request("GET", "/metrics")
        status = connection.getresponse().status
        for one in idle:
            one.close()
        return status
    assert daemon.node.inside(attack) == 200
    managed.attach().delete()
    some = descriptors + 20  # what the pod and the cloud take is few, what came was 600
    deadline = time.monotonic() + 10
    while daemon.descriptors() > some and time.monotonic() < deadline:
        time.sleep(0.1)
    assert daemon.descriptors() <= some
    daemon.stop()


def test_with_the_privileges_of_its_unit(managed, start):
    """What CapabilityBoundingSet= and NoNewPrivileges= leave: it sets the node up, serves pods and puts right what is taken away."""
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is missing (Debian: util-linux)")
    unit = (ROOT / "packaging/systemd/cnix-ipamd.service").read_text()
    capabilities = [name.removeprefix("CAP_").lower() for name in re.search(r"^CapabilityBoundingSet=(.+)$", unit, re.MULTILINE)[1].split()]
    assert "NoNewPrivileges=yes" in unit
    allowed = ",".join(["-all", *(f"+{name}" for name in capabilities)])
    daemon = start(("setpriv", "--bounding-set", allowed, "--inh-caps", "-all", "--no-new-privs"))
    pods = [managed.attach(f"pod-{number}") for number in range(4)]  # the fourth needs an ENI that is set up now
    daemon.node.run("nft", "delete", "table", "inet", "cnix")
    deadline = time.monotonic() + 90
    while daemon.node.run("nft", "list", "table", "inet", "cnix", check=False).returncode != 0:
        assert time.monotonic() < deadline, daemon.log
        time.sleep(0.5)
    for pod in pods:
        pod.delete()
    daemon.stop()
    assert "ermission" not in daemon.log and "not permitted" not in daemon.log, daemon.log
