"""The cloud of a lab: its ENIs are there as ENIs of EC2, and what EC2 attaches appears in the lab."""

import itertools
from ipaddress import IPv4Network, IPv6Network

from ..eni_lab import VPC4, VPC6, Eni as LabEni, EniLab
from . import FakeCloud
from .model import Eni
from .server import listen


class CloudEni(LabEni):
    """An ENI in the subnet that EC2 says, with the primary address that it gave. Several may share a subnet."""

    def __init__(self, vpc, eni: Eni, cloud):
        self.of, self.subnet = eni, cloud.subnet(eni.subnet)
        super().__init__(vpc, eni.attachment.device, eni.id, eni.mac)

    @property
    def subnet4(self) -> IPv4Network:
        return self.subnet.network4

    @property
    def subnet6(self) -> IPv6Network:
        return self.subnet.network6

    @property
    def primary4(self) -> str:
        return self.of.addresses[0]

    @property
    def primary6(self) -> str:
        """Without an IPv6 address, one by which the router knows its MAC."""
        return self.of.addresses6[0] if self.of.addresses6 else str(self.subnet6[0xe000 + self.device])

    def plug(self, node) -> None:
        self.vpc.attach(node, self)
        for primary in (self.primary4, self.primary6):  # of its subnet's, others are at other ports
            self.vpc.ip(f"route replace {primary} dev {self.port}")


def lab_state(lab: EniLab, families: tuple[int, ...] = (4,), spare_subnets: int = 0, type: str = "m5.large") -> dict:
    """FakeCloud's state with the lab's ENIs, each in its subnet, and subnets that no ENI has."""
    subnets = [{"ipv4": str(eni.subnet4), "ipv6": str(eni.subnet6)} for eni in lab.enis]
    for number in itertools.islice(itertools.count(len(lab.enis) + 1), spare_subnets):
        subnets.append({"ipv4": f"10.0.{number}.0/24", "ipv6": f"fd00:0:0:{number:x}::/64"})
    enis = [{"id": eni.id, "mac": eni.mac, "subnet": place, "device": eni.device,
             "addresses": [eni.primary4, *(one for one in eni.assigned if ":" not in one and "/" not in one)],
             "prefixes": [one for one in eni.assigned if ":" not in one and "/" in one],
             "addresses6": [one for one in (eni.primary6, *eni.assigned) if ":" in one and "/" not in one] if 6 in families else [],
             "prefixes6": [one for one in eni.assigned if ":" in one and "/" in one]} for place, eni in enumerate(lab.enis)]
    return {"vpc": {"ipv4": [VPC4], "ipv6": [VPC6] if 6 in families else []}, "subnets": subnets, "instance": {"type": type}, "enis": enis}


class LabCloud(FakeCloud):
    """A FakeCloud with what the lab has. It listens in the node's namespace, also at the metadata service's own address."""

    IMDS = "169.254.169.254:80"

    def __init__(self, lab: EniLab, state: dict | None = None, imds: str = IMDS, ec2: str = "127.0.0.1:0", **options):
        self.lab = lab
        if imds == self.IMDS:
            lab.node.ip("addr replace 169.254.169.254/32 dev lo scope host")  # the source of no packet
        super().__init__(lab_state(lab) if state is None else state, imds, ec2, hook=self._wire,
                         listen=lambda address: lab.node.inside(listen, address), **options)

    def _wire(self, event: str, eni: Eni, addresses: list[str]) -> None:
        plugged = next((one for one in self.lab.enis if one.id == eni.id), None)
        if event == "attach":
            plugged = CloudEni(self.lab.vpc, eni, self.cloud)
            plugged.plug(self.lab.node)
            plugged.assign(*(one for one in eni.assigned if one != plugged.primary6))
            self.lab.enis.append(plugged)
        elif event == "detach":
            self.lab.vpc.detach(plugged)
            self.lab.enis.remove(plugged)
        elif event == "assign":
            plugged.assign(*addresses)
        elif event == "unassign":
            plugged.unassign(*addresses)
