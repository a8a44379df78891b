"""Upstream's plugin with cnix-ipamd in the place of upstream's daemon, in each generation of the protocol."""

import json
from pathlib import Path

import pytest

from support import sandbox, upstream_eni
from support.cni import Node
from support.eni_lab import EniLab
from support.fake_cloud.lab import LabCloud
from support.ipamd import Ipamd
from support.traffic import reaches

pytest.importorskip("grpc", reason="python3-grpcio is not installed")

VERSIONS = upstream_eni.VERSIONS | {"v1_20": "v1.20.4"}
PORT = "127.0.0.1:50051"  # upstream's plugin of these versions knows no other
pytestmark = [
    pytest.mark.xdist_group("upstream-eni"),  # one builds
    pytest.mark.timeout(1200),
    *([] if all(upstream_eni.path(version).exists() for version in VERSIONS.values()) else [pytest.mark.slow]),
]


@pytest.fixture(scope="module", params=VERSIONS, ids=VERSIONS.values())
def upstream(request) -> tuple[str, Path]:
    version = VERSIONS[request.param]
    try:
        return request.param, upstream_eni.build(version, prefix=("nsenter", f"--net={sandbox.MACHINE_NETWORK}", "--"))
    except upstream_eni.NotToBeHad as reason:
        pytest.skip(f"upstream's plugin {version} cannot be built: {reason}")


@pytest.fixture
def lab(node) -> EniLab:
    lab = node.own(EniLab(node, 2))
    lab.enis[1].assign("10.0.2.55", "10.0.2.56", "10.0.2.57")
    return lab


def test_upstreams_plugin_is_served(node, lab, upstream):
    """ADD, again, traffic through the second ENI, DEL, DEL again; and the checkpoint is upstream's."""
    if "cnix-ipamd-imds" not in node.plugins:
        pytest.skip("cnix-ipamd-imds is not built: cnix was configured without its libraries")
    generation, program = upstream
    cloud = node.own(LabCloud(lab))
    daemon = node.own(Ipamd(node, cloud, "cnix-ipamd-imds", tcp=PORT, tcp_generation=generation.replace("_", ".")))
    daemon.start()
    pod = node.pod()
    config = {"cniVersion": "0.3.1" if generation == "v1_7" else "0.4.0", "name": "aws-cni", "type": "aws-cni", "vethPrefix": "eni",
              "mtu": "9001", "podSGEnforcingMode": "strict", "pluginLogFile": str(node.directory / "log"), "pluginLogLevel": "DEBUG"}

    def run(verb: str):
        return node.cni(verb, config, str(program), container=pod.container, netns=pod.path, ifname="eth0",
                        args=f"IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=nginx;K8S_POD_INFRA_CONTAINER_ID={pod.container}")

    address = run("ADD").success()["ips"][0]["address"].removesuffix("/32")
    assert address in lab.enis[1].assigned
    assert run("ADD").success()["ips"][0]["address"] == f"{address}/32", "the same again"
    assert reaches(pod, lab.instance.address4) and reaches(lab.instance, address)
    stored = json.loads(daemon.checkpoint.read_text())
    assert stored["version"] == "vpc-cni-ipam/1" and [one["ipv4"] for one in stored["allocations"]] == [address]
    assert run("DEL").code == 0
    assert daemon.stored() == {}
    assert run("DEL").code == 0, "unknown by now"
    daemon.stop()
