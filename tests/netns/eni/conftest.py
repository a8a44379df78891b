"""Pods of the ENI design in a lab: a VPC router, a node with ENIs, machines (support/eni_lab.py)."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from support.cni import Attachment, Node
from support.eni_lab import GATEWAY6, Eni, EniLab, batch


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

    def write(self, enis: list[Eni] | None = None) -> None:
        self.inventory.write_text(json.dumps({"enis": [self._told(eni) for eni in (self.lab.enis if enis is None else enis)]}))

    @staticmethod
    def _told(eni: Eni) -> dict:
        return {"id": eni.id, "mac": eni.mac, "deviceNumber": eni.device, "primaryAddress": eni.primary4, "subnet": str(eni.subnet4),
                "ipv6Subnet": str(eni.subnet6), "ipv6Gateway": GATEWAY6,
                "addresses": [address for address in eni.assigned if "/" not in address],
                "prefixes": [address for address in eni.assigned if "/" in address]}

    def config(self, ipam: dict | None = None, **keys) -> dict:
        ipam = {"type": "pool", "inventory": str(self.inventory), "checkpoint": str(self.checkpoint), "families": "ipv4"} | (ipam or {})
        return {"cniVersion": "1.0.0", "name": "aws-cni", "type": "eni-pool", "ipam": ipam} | keys

    def only(self, device: int) -> None:
        """From now on pods get addresses of that ENI."""
        self.write([self.lab.enis[device]])

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
def lab(node) -> EniLab:
    return node.own(EniLab(node, 3))


@pytest.fixture
def set_up(lab) -> None:
    set_up_by_hand(lab)


@pytest.fixture
def pool(node, lab, set_up) -> Pool:
    return Pool(node, lab)
