"""Pods of the ENI design in a lab: a VPC router, a node with ENIs, machines (support/eni_lab.py)."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from support.cni import Attachment, Node
from support.eni_lab import GATEWAY6, EniLab, batch
from support.ipamd import Managed, managed_of
from support.ipamd_stub import Stub
from support.namespace import Namespace


def set_up_by_hand(lab: EniLab) -> None:
    """What a node has of each ENI after the first, made with ip(8) as the driver of upstream's daemon makes it."""
    for eni in lab.enis[1:]:
        batch(lab.node, f"link set {eni.interface} mtu 9001 up", f"addr add {eni.primary4}/24 dev {eni.interface} noprefixroute",
              f"route replace {eni.gateway4} dev {eni.interface} scope link table {eni.table}",
              f"route replace default via {eni.gateway4} dev {eni.interface} table {eni.table}",
              f"rule add from {eni.primary4} priority 32765 table {eni.table}")
        batch(lab.node, f"route replace {GATEWAY6} dev {eni.interface} table {eni.table}",
              f"route replace default via {GATEWAY6} dev {eni.interface} table {eni.table}")
    lab.node.sysctl(f"ipv4/conf/{lab.enis[0].interface}/rp_filter", 2)
    lab.node.sysctl("ipv6/conf/all/forwarding", 1)


@dataclass
class Pool:
    """A node with `eni-pool`, whose inventory is that of the lab's ENIs with four addresses of each family each."""

    node: Node
    lab: EniLab

    def __post_init__(self):
        self.inventory = self.node.directory / "eni.json"
        self.checkpoint = self.node.directory / "ipam.json"
        for eni in self.lab.enis:
            eni.assign(*(eni.address(host, family) for family in (4, 6) for host in range(0x20, 0x24)))
        self.write()

    def write(self, *devices: int) -> None:
        self.inventory.write_text(json.dumps(self.lab.inventory(*devices)))

    def config(self, ipam: dict | None = None, **keys) -> dict:
        ipam = {"type": "pool", "inventory": str(self.inventory), "checkpoint": str(self.checkpoint), "families": "ipv4"} | (ipam or {})
        return {"cniVersion": "1.0.0", "name": "aws-cni", "type": "eni-pool", "ipam": ipam} | keys

    def only(self, device: int) -> None:
        """From now on pods get addresses of that ENI."""
        self.write(device)

    def attach(self, name: str = "", config: dict | None = None, **options) -> Attachment:
        """A pod that Kubernetes would call default/NAME."""
        args = f"IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={name}" if name else None
        return self.node.attach(config or self.config(), plugin="eni-pool", args=args, **options)

    def attach_all(self, count: int) -> list[Attachment]:
        pods = [Attachment(self.node, self.config(), self.node.pod(), plugin="eni-pool") for _ in range(count)]
        with ThreadPoolExecutor(count) as each:
            list(each.map(lambda pod: pod.add(), pods))
        return pods


@pytest.fixture
def bare_lab():
    """One whose node has no plugins: pods are wired by hand."""
    node = Namespace("node")
    lab = EniLab(node)
    yield lab
    lab.close()
    node.close()


@pytest.fixture
def lab(node) -> EniLab:
    return node.own(EniLab(node, 3))


@pytest.fixture
def set_up(lab) -> None:
    set_up_by_hand(lab)


@pytest.fixture
def pool(node, lab, set_up) -> Pool:
    return Pool(node, lab)


@dataclass
class Daemon:
    """A node with `eni`, and its address daemon, both of one generation of the protocol."""

    node: Node
    lab: EniLab
    generation: str = "v1_20"

    def __post_init__(self):
        self.plugin = "eni"
        if self.generation != "v1_20":
            self.plugin = self.node.directory / f"eni-{self.generation}"
            self.plugin.symlink_to(self.node.plugins.directory.parent / "tests/eni-older")
        if self.plugin not in self.node.plugins:
            pytest.skip("eni is not built: cnix was configured without nghttp2 or protobuf")
        self.socket = self.node.directory / "ipamd.sock"
        self.agent = self.node.directory / "npa.sock"
        self.spool = self.node.directory / "spool"
        self.stub: Stub | None = None
        for eni in self.lab.enis:
            eni.assign(*(eni.address(host, family) for family in (4, 6) for host in range(0x20, 0x48)))

    def serve(self, *devices: int, family: int = 4, **options) -> Stub:
        """Gives addresses of these ENIs, a card each."""
        pools = [(device, [one for one in self.lab.enis[device].assigned if (":" in one) == (family == 6)]) for device in devices or (1,)]
        self.stub = Stub(f"unix://{self.socket}", pools, **{"generation": self.generation} | options)
        return self.stub

    def stop(self) -> None:
        self.stub.stop()
        self.stub = None

    def close(self) -> None:
        if self.stub:
            self.stop()

    def config(self, **keys) -> dict:
        ipam = {"endpoint": f"unix://{self.socket}", "policyAgent": f"unix://{self.agent}", "spool": str(self.spool)} | keys.pop("ipam", {})
        return {"cniVersion": "1.0.0", "name": "aws-cni", "type": "eni", "ipam": ipam} | keys

    def pod(self, name: str = "nginx", config: dict | None = None) -> Attachment:
        args = f"IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={name};K8S_POD_INFRA_CONTAINER_ID=c;K8S_POD_UID=u"
        return Attachment(self.node, config or self.config(), self.node.pod(), plugin=self.plugin, args=args)

    def attach(self, *arguments, **options) -> Attachment:
        pod = self.pod(*arguments, **options)
        pod.add()
        return pod

    def spooled(self) -> list:
        return [file for file in self.spool.iterdir() if file.suffix == ".json"] if self.spool.is_dir() else []


@pytest.fixture
def daemon(request, node, lab, set_up) -> Daemon:
    """Of the latest generation, or as a test is parametrized."""
    return node.own(Daemon(node, lab, getattr(request, "param", "v1_20")))


@pytest.fixture
def bare_daemon(node) -> Daemon:
    """Where nothing is wired to the node."""
    return node.own(Daemon(node, SimpleNamespace(enis=[])))


@pytest.fixture
def bare(node) -> EniLab:
    """A lab whose node has its primary ENI only."""
    return node.own(EniLab(node, 1))


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
