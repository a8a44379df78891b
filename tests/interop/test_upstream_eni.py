"""Upstream's plugin (support/upstream_eni.py builds it) and ours, one in place of the other: each with a daemon of its generation, the
stub of which is the same."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support import sandbox, upstream_eni
from support.cni import Attachment, Node, Outcome
from support.eni_lab import EniLab
from support.ipamd_stub import Refusal, Stub
from support.snapshot import difference, snapshot
from support.traffic import reaches

pytest.importorskip("grpc", reason="python3-grpcio is not installed")

pytestmark = [
    pytest.mark.xdist_group("upstream-eni"),  # one builds
    pytest.mark.timeout(1200),
    *([] if all(upstream_eni.path(version).exists() for version in upstream_eni.VERSIONS.values()) else [pytest.mark.slow]),
]
PORT = "127.0.0.1:50051"  # upstream's plugin knows no other
ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=nginx;K8S_POD_INFRA_CONTAINER_ID=c"
DIGEST = "c440f455693"  # of default.nginx


@dataclass
class Upstream:
    generation: str
    program: Path

    @property
    def cni_version(self) -> str:
        """Of its own configuration file."""
        return "0.3.1" if self.generation == "v1_7" else "0.4.0"


@pytest.fixture(scope="module", params=upstream_eni.VERSIONS, ids=upstream_eni.VERSIONS.values())
def upstream_plugin(request) -> Upstream:
    version = upstream_eni.VERSIONS[request.param]
    try:
        return Upstream(request.param, upstream_eni.build(version, prefix=("nsenter", f"--net={sandbox.MACHINE_NETWORK}", "--")))
    except upstream_eni.NotToBeHad as reason:
        pytest.skip(f"upstream's plugin {version} cannot be built: {reason}")


@dataclass
class Both:
    """A node with a daemon for each of the two plugins: upstream's at its port, ours at a socket. They hand out the same addresses."""

    node: Node
    lab: EniLab
    upstream: Upstream
    stubs: dict[str, Stub] = field(default_factory=dict)

    def serve(self, device: int = 1, family: int = 4) -> None:
        eni = self.lab.enis[device]
        addresses = [eni.address(host, family) for host in range(0x20, 0x28)]
        eni.assign(*addresses)
        for generation, endpoint in ((self.upstream.generation, PORT), ("v1_20", f"unix://{self.node.directory}/ipamd.sock")):
            self.stubs[endpoint] = self.node.inside(Stub, endpoint, [(device, list(addresses))], generation)

    @property
    def theirs(self) -> Stub:
        return self.stubs[PORT]

    @property
    def ours(self) -> Stub:
        return self.stubs[f"unix://{self.node.directory}/ipamd.sock"]

    def close(self) -> None:
        for stub in self.stubs.values():
            stub.stop()

    def config(self, **keys) -> dict:
        """One for both plugins."""
        ipam = {"endpoint": f"unix://{self.node.directory}/ipamd.sock", "spool": str(self.node.directory / "spool")}
        return {"cniVersion": self.upstream.cni_version, "name": "aws-cni", "type": "aws-cni", "vethPrefix": "eni", "mtu": "9001",
                "podSGEnforcingMode": "strict", "pluginLogFile": str(self.node.directory / "plugin.log"), "pluginLogLevel": "DEBUG",
                "ipam": ipam} | keys

    def pod(self, **keys) -> Attachment:
        return Attachment(self.node, self.config(**keys), self.node.pod(), plugin="eni", args=ARGS)

    def by_upstream(self, pod: Attachment, verb: str, **options) -> Outcome:
        ours, self.node.plugins = self.node.plugins, _One(self.upstream.program)
        try:
            return pod.run(verb, **options)
        finally:
            self.node.plugins = ours

    def holds(self, stub: Stub, pod: Attachment) -> None:
        """The daemon knows the pod, as the other one's does: in truth there is one."""
        other = self.ours if stub is self.theirs else self.theirs
        stub.held |= {key: held for key, held in other.held.items() if key[1] == pod.pod.container}


class _One:
    """In place of Plugins: whatever is asked for is this program."""

    reference = False

    def __init__(self, program: Path):
        self.program, self.directory = program, program.parent

    def path(self, _: str) -> Path:
        return self.program


@pytest.fixture
def both(node, upstream_plugin) -> Both:
    if "eni" not in node.plugins:
        pytest.skip("eni is not built: cnix was configured without nghttp2 or protobuf")
    lab = node.own(EniLab(node, 2))
    # What upstream's daemon gives the second ENI.
    second = lab.enis[1]
    node.ip(f"link set {second.interface} mtu 9001 up")
    node.ip(f"addr add {second.primary4}/24 dev {second.interface} noprefixroute")
    node.ip(f"route replace {second.gateway4} dev {second.interface} scope link table {second.table}")
    node.ip(f"route replace default via {second.gateway4} dev {second.interface} table {second.table}")
    node.sysctl("ipv4/conf/eth0/rp_filter", 2)
    return node.own(Both(node, lab, upstream_plugin))


# What a pod has, as far as the two mean the same.

def rules(node: Node, family: int) -> list[str]:
    """As text, without the protocol, by which ours tells its own."""
    return [line.partition(" proto ")[0].rstrip() for line in node.ip(f"-{family} rule").stdout.splitlines() if line.startswith(("512:", "1536:"))]


def routes(where, family: int) -> list[dict]:
    """Without the protocol, too, and the flags, which have the state of the link."""
    return [{key: value for key, value in route.items() if key not in ("protocol", "flags")}
            for route in where.routes(family) if route["dst"] not in ("fe80::/64",)]


def state(both: Both, pod: Attachment, family: int) -> dict:
    host = f"eni{DIGEST}"
    end, inside = both.node.link(host), pod.pod.link("eth0")
    gateway = [entry for entry in pod.pod.ip_json(f"-{family} neigh show nud permanent dev eth0")]
    return {
        "rules": rules(both.node, family),
        "routes": [route for route in routes(both.node, family) if route.get("dev") == host],
        "pod's routes": routes(pod.pod, family),
        "pod's addresses": [address for address in pod.pod.addresses("eth0", None) if not address.startswith("fe80:")],
        "gateway": [(entry["dst"], entry["lladdr"] == end["address"]) for entry in gateway],
        "ends": [(link["mtu"], link["linkinfo"]["info_kind"], "UP" in link["flags"]) for link in (end, inside)],
        "sysctls": [both.node.sysctl(f"ipv6/conf/{host}/{key}") for key in ("accept_ra", "forwarding")],
    }


def told(result: dict) -> dict:
    """Without the MAC address of the pod's end, which upstream's of these versions does not tell, and without an empty `dns`."""
    interfaces = [{key: value for key, value in interface.items() if (key, interface["name"]) != ("mac", "eth0")}
                  for interface in result["interfaces"]]
    return {key: value for key, value in result.items() if value or key != "dns"} | {"interfaces": interfaces}


@pytest.mark.parametrize("device, family", ((0, 4), (1, 4), (1, 6)))
def test_the_same_pod(both, device, family):
    """§13.3, §3.4. By design ours differs in: its routes' and rules' protocol, the pod as a permanent neighbour on the node, no link-local
    addresses, the true MAC address in the result; and it is no 0.3.1 result without interfaces."""
    if family == 6 and both.upstream.generation == "v1_7":
        pytest.skip("v1.9.3 knows no IPv6")
    both.serve(device, family)
    before = snapshot(both.node)
    first = both.pod()
    result = both.by_upstream(first, "ADD").success()
    theirs = state(both, first, family)
    both.by_upstream(first, "DEL").success()
    assert rules(both.node, family) == [] and both.theirs.held == {}
    first.pod.close()

    second = both.pod()
    second.add()
    ours = state(both, second, family)
    assert ours == theirs
    address = both.lab.enis[device].address(0x20, family)
    assert ours["rules"] == [f"512:\tfrom all to {address} lookup main"] + ([f"1536:\tfrom {address} lookup {device + 1}"] if device else [])
    mine = json.loads(json.dumps(second.result).replace(second.pod.path, first.pod.path))
    if both.upstream.generation == "v1_7":
        assert result["ips"] == [{"version": "4", "address": f"{address}/32"}] and "interfaces" not in result
        assert [(ip["version"], ip["address"]) for ip in mine["ips"]] == [("4", f"{address}/32")]
    else:
        assert told(mine) == told(result)
    second.delete()
    assert difference(before, snapshot(both.node)) == []


def test_version(both):
    pod = both.pod()
    theirs = both.by_upstream(pod, "VERSION").success()["supportedVersions"]
    assert set(theirs) <= set(pod.run("VERSION").success()["supportedVersions"])


def test_what_upstream_asks(both):
    """Ours tells a daemon what upstream's does."""
    both.serve()
    pod = both.pod()
    for verb in ("ADD", "DEL"):
        both.by_upstream(pod, verb).success()
    pod.pod.ip("link del eth0")
    pod.add()
    pod.delete()
    for method in ("AddNetwork", "DelNetwork"):
        assert both.ours.asked(method) == both.theirs.asked(method), method


@pytest.mark.parametrize("namespace", ("there", "gone"))
@pytest.mark.parametrize("device", (0, 1))
def test_ours_deletes_upstreams_pod(both, device, namespace):
    """Migration: nothing is left."""
    both.serve(device)
    before = snapshot(both.node)
    pod = both.pod()
    pod.result = both.by_upstream(pod, "ADD").success()
    assert len(rules(both.node, 4)) == device + 1
    both.holds(both.ours, pod)
    if namespace == "gone":
        pod.pod.close()
    pod.delete(**({"netns": ""} if namespace == "gone" else {}))
    assert difference(before, snapshot(both.node)) == []
    assert both.ours.held == {} and both.ours.asked("DelNetwork")


def test_ours_deletes_upstreams_pod_without_the_daemon(both):
    """By prevResult, or by what the kernel knows."""
    both.serve()
    before = snapshot(both.node)
    pod = both.pod()
    pod.result = both.by_upstream(pod, "ADD").success()
    both.ours.stop()
    pod.delete()
    assert difference(before, snapshot(both.node)) == []


def test_upstream_deletes_our_pod(both):
    """Going back: routes and rules go at once, the pair with the pod's namespace, as with a pod that upstream made."""
    both.serve()
    before = snapshot(both.node)
    pod = both.pod()
    pod.add()
    both.holds(both.theirs, pod)
    both.by_upstream(pod, "DEL").success()
    assert rules(both.node, 4) == []
    pod.pod.close()
    both.node.run("timeout", "5", "sh", "-c", f"while ip link show eni{DIGEST}; do sleep 0.05; done")
    assert difference(before, snapshot(both.node)) == []


def test_ours_takes_over_a_living_pod(both):
    """A pod of upstream's keeps its traffic while pods of ours come and go, and one of the same address comes after it."""
    both.serve()
    old = both.pod()
    both.by_upstream(old, "ADD").success()
    other = Attachment(both.node, both.config(), both.node.pod(), plugin="eni", args=ARGS.replace("nginx", "other"))
    both.ours.pools[0][1].pop(0)  # the old pod has it
    other.add()
    assert reaches(old.pod, both.lab.instance.address4) and reaches(other.pod, both.lab.instance.address4)
    other.delete()
    assert reaches(old.pod, both.lab.instance.address4) and len(rules(both.node, 4)) == 2


@pytest.mark.parametrize("refusal, text", (
    (None, "add cmd: failed to assign an IP address to container"),
    (Refusal("no", "FAILED_PRECONDITION"), "add cmd: Error received from AddNetwork gRPC call: rpc error: code = FailedPrecondition desc = "),
), ids=("no address", "refused"))
def test_the_same_words(both, refusal, text):
    """What other programs search for in the errors of ADD."""
    both.serve()

    def refuse(_):
        raise refusal

    for stub in both.stubs.values():
        stub.pools[0][1].clear()
        if refusal:
            stub.instead["AddNetwork"] = refuse
    before = snapshot(both.node)
    assert text in both.by_upstream(both.pod(), "ADD").failure()["msg"]
    both.pod().run("ADD").failure(11, text)
    assert difference(before, snapshot(both.node)) == []
