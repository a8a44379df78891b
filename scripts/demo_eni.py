"""What `scripts/demo eni` shows, inside its sandbox (tests/support/sandbox.py): a cloud in namespaces, pods of two ENIs."""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests"))
sys.dont_write_bytecode = True

from support.eni_lab import EniLab  # noqa: E402
from support.namespace import Namespace, Pod  # noqa: E402
from support.sandbox import active  # noqa: E402
from support.traffic import Echo, seen_source  # noqa: E402

BINARIES = TOP / "build/release/bin"
BOLD, DIM, PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")


def part(text: str) -> None:
    print(f"\n{BOLD}{text}{PLAIN}\n", flush=True)


class Demo:
    def __init__(self):
        self.directory = Path("/run/cnix-demo-eni")
        self.directory.mkdir()
        self.node = Namespace("node")
        self.lab = EniLab(self.node)
        self.names = {self.node.name: "node"}
        self.results: dict[str, dict] = {}
        self.pods: dict[str, Pod] = {}
        self.config = {"cniVersion": "1.0.0", "name": "pods", "type": "eni-pool",
                       "ipam": {"type": "pool", "inventory": str(self.directory / "eni.json"), "checkpoint": str(self.directory / "ipam.json")}}

    def show(self, where: Namespace, *command: str, check: bool = True) -> str:
        """The command and what it prints, with names that are read more easily."""
        name = self.names.get(where.name, where.name)
        done = where.run(*command, check=False)
        shown = f"[{name}]$ {' '.join(command)}"
        text = done.stdout + done.stderr
        for long, short in self.names.items():
            shown, text = shown.replace(long, short), text.replace(long, short)
        print(f"{DIM}{shown.replace(f'{BINARIES}/', '').replace(f'{self.directory}/', '')}{PLAIN}")
        for line in text.rstrip().splitlines() or ["(nothing)"]:
            print(f"    {line}")
        sys.stdout.flush()
        if check and done.returncode != 0:
            raise SystemExit(f"scripts/demo: {shown} failed")
        return done.stdout

    def cni(self, verb: str, name: str, quiet: bool = False) -> float:
        """What a container runtime does; seconds."""
        pod = self.pods.setdefault(name, Pod())
        self.names[pod.name] = name
        config = self.config | ({"prevResult": self.results[name]} if verb != "ADD" and name in self.results else {})
        environment = {"CNI_COMMAND": verb, "CNI_CONTAINERID": pod.container, "CNI_NETNS": pod.path, "CNI_IFNAME": "eth0",
                       "CNI_PATH": str(BINARIES), "CNI_ARGS": f"IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={name}"}
        begin = time.monotonic()
        done = subprocess.run(self.node.argv(str(BINARIES / "eni-pool")), input=json.dumps(config), capture_output=True, text=True,
                              env=os.environ | environment)
        took = time.monotonic() - begin
        if done.returncode:
            raise SystemExit(f"scripts/demo: {verb} of {name} failed: {done.stdout}{done.stderr}")
        if verb == "ADD":
            self.results[name] = json.loads(done.stdout)
        if not quiet:
            ips = self.results[name]["ips"] if verb == "ADD" else []
            told = f": {ips[0]['address']}, on the node {self.results[name]['interfaces'][0]['name']}" if ips else ""
            print(f"    {verb} of default/{name}{told}", flush=True)
        return took

    def give(self, *devices: int) -> None:
        """From now on pods get addresses of these ENIs."""
        (self.directory / "eni.json").write_text(json.dumps(self.lab.inventory(*devices), indent=2))

    def run(self) -> None:
        lab, node = self.lab, self.node
        primary, second = lab.enis
        for eni in lab.enis:
            eni.assign(*(eni.address(host) for host in range(0x20, 0x24)))

        part("1. A node with two network interfaces of the cloud (ENIs), as it boots")
        print(f"""    host outside           VPC router, 10.0.0.0/16                     node
    {lab.outside.address4} ---------- 10.0.1.1 --------------- eth0 {primary.primary4}   primary ENI
    machine of the VPC     10.0.2.1 --------------- eth1            second ENI, down
    {lab.instance.address4} ---------
""")
        self.show(node, "ip", "-br", "link")

        part("2. Its inventory, and the node's set-up")
        self.give(0, 1)
        print("\n".join("    " + line for line in (self.directory / "eni.json").read_text().splitlines()))
        (self.directory / "node.json").write_text(json.dumps({"vpcCIDRs": ["10.0.0.0/16"]}))
        self.show(node, str(BINARIES / "cnix-eni-node"), "set-up", "--inventory", str(self.directory / "eni.json"),
                  "--config", str(self.directory / "node.json"))

        part("3. ADD of two pods of the primary and two of the second ENI, as a container runtime runs it")
        self.give(0)
        for name in ("red", "blue"):
            self.cni("ADD", name)
        self.give(1)
        for name in ("green", "white"):
            self.cni("ADD", name)
        self.give(0, 1)
        address = {name: result["ips"][0]["address"].partition("/")[0] for name, result in self.results.items()}

        part("4. What that made")
        self.show(node, "ip", "rule")
        self.show(node, "ip", "route")
        self.show(node, "ip", "route", "show", "table", "2")
        self.show(self.pods["green"], "ip", "route")
        self.show(self.pods["green"], "ip", "neigh")
        self.show(node, "nft", "list", "ruleset", "inet")

        part("5. Traffic: green, of the second ENI, to a pod of the primary, to the VPC through eth1, and outside")
        self.show(self.pods["green"], "ping", "-n", "-c", "2", "-i", "0.2", "-W", "2", address["red"])
        self.show(self.pods["green"], "ping", "-n", "-c", "2", "-i", "0.2", "-W", "2", lab.instance.address4)
        for where, machine in (("the machine of the VPC", lab.instance), ("the host outside", lab.outside)):
            with Echo(machine):
                source = seen_source(self.pods["green"], machine.address4)
            print(f"    {where} sees a connection from {source}"
                  + (", the pod's own address" if source == address["green"] else ", the node's address (SNAT)"))
        if not lab.instance.run("ping", "-n", "-c", "1", "-W", "2", address["green"], check=False).returncode == 0:
            raise SystemExit("scripts/demo: the VPC does not reach the pod")
        print(f"    the machine of the VPC reaches the pod at {address['green']}, without a bridge, an overlay or a translation")

        part("6. CHECK; then with a rule that somebody deleted")
        self.cni("CHECK", "green")
        node.ip(f"rule del to {address['green']} priority 512")
        try:
            self.cni("CHECK", "green")
        except SystemExit as failure:
            print("    " + json.loads(str(failure).partition("failed: ")[2])["msg"])

        part("7. DEL of all")
        for name in list(self.pods):
            self.cni("DEL", name)
        self.show(node, "ip", "rule")
        self.show(node, "ip", "-br", "link", "show", "type", "veth")

        part("8. How long ADD takes")
        self.config["ipam"]["cooldown"] = 0
        times = []
        for _ in range(30):
            times.append(self.cni("ADD", "pod", quiet=True))
            self.cni("DEL", "pod", quiet=True)
        print(f"    {statistics.median(times) * 1000:.1f} ms, the median of 30, process start and a durable checkpoint included")

        part("9. Everything goes")
        self.show(node, str(BINARIES / "cnix-eni-node"), "remove", "--inventory", str(self.directory / "eni.json"),
                  "--config", str(self.directory / "node.json"))
        self.show(node, "ip", "rule")
        for pod in self.pods.values():
            pod.close()
        lab.close()
        node.close()
        print("That was in namespaces of the demo's own. The machine's network was never touched.")


if __name__ == "__main__":
    if not active():
        raise SystemExit("scripts/demo_eni.py: run it with sudo scripts/demo eni")
    Demo().run()
