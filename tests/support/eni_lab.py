"""A cloud network in namespaces: what the node of the ENI design is wired to.

    outside 192.0.2.2 ---+                            +--- eth0 of the node, 10.0.1.10, its primary ENI
    partner 10.1.0.9  ---+--- Vpc, the cloud's router -+--- eth1, the second ENI, and so on
    instance 10.0.9.9 ---+     10.0.0.0/16            |

Everything has an IPv6 address, too. Each ENI has a subnet of its own (10.0.N.0/24, fd00:0:0:N::/64, N = device number + 1), and
the router takes from it what has one of its addresses, as a cloud does (its source check): a reply that leaves by the wrong ENI
is lost. Addresses are given to an ENI with Eni.assign(), as with EC2's AssignPrivateIpAddresses.
"""

import itertools
import json
import threading
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network
from pathlib import Path
from subprocess import CompletedProcess

from .namespace import Namespace, Pod, run

VPC4, VPC6 = "10.0.0.0/16", "fd00::/48"
PARTNER4, PARTNER6 = "10.1.0.0/24", "fd01::/64"  # a private network beyond the VPC
GATEWAY6 = "fe80:ec2::1"  # of every subnet


def batch(namespace: Namespace, *commands: str) -> None:
    """Commands of ip in one process."""
    run("ip", "-n", namespace.name, "-batch", "-", input="\n".join(commands) + "\n")


def _no_waiting(namespace: Namespace) -> None:
    """IPv6 addresses are usable at once."""
    for name in ("all", "default"):
        namespace.sysctl(f"ipv6/conf/{name}/accept_dad", 0)


@dataclass
class Eni:
    """An elastic network interface, as the metadata tells of it."""

    vpc: "Vpc"
    device: int
    id: str = ""
    mac: str = ""
    interface: str = ""
    assigned: list[str] = field(default_factory=list)  # secondary addresses and prefixes

    def __post_init__(self):
        self.id = self.id or f"eni-{self.device:017x}"
        self.mac = self.mac or f"02:00:00:00:01:{self.device:02x}"
        self.interface = self.interface or f"eth{self.device}"

    @property
    def port(self) -> str:
        """The router's end."""
        return f"eni{self.device}"

    @property
    def subnet4(self) -> IPv4Network:
        return ip_network(f"10.0.{self.device + 1}.0/24")

    @property
    def subnet6(self) -> IPv6Network:
        return ip_network(f"fd00:0:0:{self.device + 1:x}::/64")

    @property
    def gateway4(self) -> str:
        return str(self.subnet4[1])

    @property
    def primary4(self) -> str:
        return str(self.subnet4[10])

    @property
    def primary6(self) -> str:
        return str(self.subnet6[10])

    @property
    def table(self) -> int:
        """Of what leaves by it."""
        return self.device + 1 if self.device else 254

    def address(self, host: int, family: int = 4) -> str:
        """An address of its subnet."""
        return str((self.subnet4 if family == 4 else self.subnet6)[host])

    def assign(self, *addresses: str) -> None:
        """Secondary addresses and prefixes: from now on the cloud brings them to this ENI."""
        batch(self.vpc, *(f"route replace {ip_interface(address).network} via {self.primary6 if ':' in address else self.primary4} "
                          f"dev {self.port}" for address in addresses))
        self.assigned += addresses

    def unassign(self, *addresses: str) -> None:
        for address in addresses:
            self.vpc.ip(f"route del {ip_interface(address).network} dev {self.port}", check=False)
            self.assigned.remove(address)


class Machine(Namespace):
    """A machine on the router's network; `address4` and `address6` are its."""

    def __init__(self, vpc: "Vpc", port: str, address4: str, address6: str):
        super().__init__(port)
        _no_waiting(self)
        four, six = ip_interface(address4), ip_interface(address6)
        self.address4, self.address6 = str(four.ip), str(six.ip)
        vpc.ip(f"link add {port} type veth peer name eth0 netns {self.name}")
        batch(vpc, f"addr add {four.network[1]}/{four.network.prefixlen} dev {port}",
              f"addr add {six.network[1]}/{six.network.prefixlen} dev {port} nodad", f"link set {port} up")
        batch(self, f"addr add {address4} dev eth0", f"addr add {address6} dev eth0 nodad", "link set eth0 up",
              f"route add default via {four.network[1]}", f"route add default via {six.network[1]}")


class Vpc(Namespace):
    """The cloud's router, and the machines on it."""

    def __init__(self):
        super().__init__("vpc")
        _no_waiting(self)
        self.sysctl("ipv4/ip_forward", 1)
        self.sysctl("ipv6/conf/all/forwarding", 1)
        self.run("nft", "-f", "-", input="""
            add table ip6 cloud
            add chain ip6 cloud sources { type filter hook prerouting priority raw; }
            add rule ip6 cloud sources iifname "eni*" fib saddr . iif oif missing drop
        """)  # IPv6 has no rp_filter
        self.instance = Machine(self, "instance", "10.0.9.9/24", "fd00:0:0:9::9/64")  # of the VPC
        self.partner = Machine(self, "partner", "10.1.0.9/24", "fd01::9/64")
        self.outside = Machine(self, "outside", "192.0.2.2/24", "2001:db8:ffff::2/64")

    def attach(self, node: Namespace, eni: Eni) -> None:
        """Plugs the ENI into the node, where it appears as a cloud's does: with its MAC, down, without addresses."""
        self.ip(f"link add {eni.port} type veth peer name {eni.interface} address {eni.mac} netns {node.name}")
        self.sysctl(f"ipv4/conf/{eni.port}/rp_filter", 1)
        batch(self, f"link set {eni.port} mtu 9001", f"addr add {eni.gateway4}/24 dev {eni.port}",
              f"addr add {eni.subnet6[1]}/64 dev {eni.port} nodad", f"addr add {GATEWAY6}/64 dev {eni.port} nodad",
              f"link set {eni.port} up",
              f"neigh replace {eni.primary4} lladdr {eni.mac} dev {eni.port} nud permanent",
              f"neigh replace {eni.primary6} lladdr {eni.mac} dev {eni.port} nud permanent")

    def detach(self, eni: Eni) -> None:
        self.ip(f"link del {eni.port}")

    def close(self) -> None:
        for machine in (self.instance, self.partner, self.outside):
            machine.close()
        super().close()


NODE_VARIANTS = {"nftables": "cnix-eni-node", "iptables": "cnix-eni-node-iptables"}


class EniLab:
    """A node (any namespace) with `enis` ENIs on a Vpc. The node is as it boots: its primary ENI has its addresses and the default
    routes, the others are there and down; it forwards IPv4."""

    def __init__(self, node: Namespace, enis: int = 2):
        self.node = node
        self.vpc = Vpc()
        self.enis = [Eni(self.vpc, device) for device in range(enis)]
        self._pods: list[Pod] = []
        self._numbers = itertools.count()
        _no_waiting(node)
        node.sysctl("ipv4/ip_forward", 1)
        for eni in self.enis:
            self.vpc.attach(node, eni)
        primary = self.enis[0]
        batch(node, f"addr add {primary.primary4}/24 dev {primary.interface}",
              f"addr add {primary.primary6}/64 dev {primary.interface} nodad", f"link set {primary.interface} up",
              f"route add default via {primary.gateway4} dev {primary.interface}",
              f"route add default via {GATEWAY6} dev {primary.interface}")

    @property
    def instance(self) -> Machine:
        return self.vpc.instance

    @property
    def partner(self) -> Machine:
        return self.vpc.partner

    @property
    def outside(self) -> Machine:
        return self.vpc.outside

    def close(self) -> None:
        for pod in self._pods:
            pod.close()
        self.vpc.close()

    def pod(self, eni: Eni, *addresses: str, prefix: str = "eni") -> Pod:
        """A pod wired by hand as the eni plugin wires it; the addresses are assigned to the ENI."""
        pod, number = Pod(), next(self._numbers)
        self._pods.append(pod)
        _no_waiting(pod)
        eni.assign(*addresses)
        host, mac = f"{prefix}{number:011x}", f"06:00:00:00:02:{number:02x}"
        self.node.ip(f"link add {host} address {mac} type veth peer name eth0 netns {pod.name}")
        inside, outside = ["link set eth0 up"], [f"link set {host} up"]
        for address in addresses:
            six = ":" in address
            bits, gateway = (128, "fe80::1") if six else (32, "169.254.1.1")
            inside += [f"addr add {address}/{bits} dev eth0" + (" nodad" if six else ""),
                       f"route add {gateway}/{bits} dev eth0" + ("" if six else " scope link"),
                       f"route add default via {gateway} dev eth0",
                       f"neigh add {gateway} lladdr {mac} dev eth0 nud permanent"]
            outside.append(f"route add {address}/{bits} dev {host}" + ("" if six else " scope link"))
            family = "-6" if six else "-4"
            self.node.ip(f"{family} rule add to {address} priority 512 table main")
            if eni.table != 254:
                self.node.ip(f"{family} rule add from {address} priority 1536 table {eni.table}")
        batch(self.node, *outside)
        batch(pod, *inside)
        return pod

    def inventory(self, *devices: int) -> dict:
        """As a user would list the node's ENIs, all or those of these device numbers (docs/eni-pool.md)."""
        return {"enis": [{"id": eni.id, "mac": eni.mac, "deviceNumber": eni.device, "primaryAddress": eni.primary4,
                          "subnet": str(eni.subnet4), "gateway": eni.gateway4, "ipv6Subnet": str(eni.subnet6),
                          "addresses": [one for one in eni.assigned if "/" not in one],
                          "prefixes": [one for one in eni.assigned if "/" in one]}
                         for eni in self.enis if not devices or eni.device in devices]}

    def set_up_node(self, binaries: Path, directory: Path, verb: str = "set-up", variant: str = "nftables", check: bool = True,
                    **config) -> CompletedProcess:
        """cnix-eni-node with the lab's inventory, in files in the directory."""
        for name, content in (("eni.json", self.inventory()), ("node.json", {"vpcCIDRs": [VPC4]} | config)):
            new = directory / f"{name}.{threading.get_ident()}"
            new.write_text(json.dumps(content))
            new.replace(directory / name)  # for a test that runs several at once
        return self.node.run(str(binaries / NODE_VARIANTS[variant]), verb, "--inventory", str(directory / "eni.json"),
                             "--config", str(directory / "node.json"), check=check)

    def node_port(self, port: int, pod_address: str, pod_port: int) -> None:
        """What kube-proxy does for a NodePort service with externalTrafficPolicy Local: DNAT, no SNAT."""
        family = "ip6" if ":" in pod_address else "ip"
        target = f"[{pod_address}]:{pod_port}" if family == "ip6" else f"{pod_address}:{pod_port}"
        self.node.run("nft", "-f", "-", input=f"""
            add table {family} kube
            add chain {family} kube prerouting {{ type nat hook prerouting priority dstnat; }}
            add rule {family} kube prerouting fib daddr type local tcp dport {port} dnat to {target}
        """)
