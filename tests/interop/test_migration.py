"""docs/migration.md: a node with pods of the reference goes over to cnix and back, by the page's own commands."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.cni import Node
from support.namespace import Pod
from support.snapshot import concerning, difference, snapshot
from support.traffic import Echo, reaches, seen_source

PAGE = Path(__file__).resolve().parents[2] / "docs/migration.md"
BLOCKS = dict(re.findall(r"^<!-- run: (\S+) -->\n```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))

# Debian's /etc/cni/net.d/87-podman-bridge.conflist.
CONFLIST = """{
  "cniVersion": "0.4.0",
  "name": "podman",
  "plugins": [
    {
      "type": "bridge",
      "bridge": "cni-podman0",
      "isGateway": true,
      "ipMasq": true,
      "hairpinMode": true,
      "ipam": {
        "type": "host-local",
        "routes": [{ "dst": "0.0.0.0/0" }],
        "ranges": [
          [
            {
              "subnet": "10.88.0.0/16",
              "gateway": "10.88.0.1"
            }
          ]
        ]
      }
    },
    {
      "type": "portmap",
      "capabilities": {
        "portMappings": true
      }
    },
    {
      "type": "firewall"
    },
    {
      "type": "tuning"
    }
  ]
}
"""


class Live:
    """A node with directories of its own where the page's commands work, and a runtime that runs chains as libcni does."""

    def __init__(self, node: Node, reference, directory: Path, before: bool):
        self.node, self.results = node, {}
        (directory / "build/release").mkdir(parents=True)
        (directory / "build/release/bin").symlink_to(node.plugins.directory)
        self.directory = directory
        # Slave: namespaces of pods that are made later are seen.
        self.holder = subprocess.Popen(
            ("unshare", "--mount", "--propagation", "slave", "sh", "-c",
             "for d in /var/lib/cni /etc/cni /opt/cni /usr/local/lib; do mount -t tmpfs tmpfs $d || exit; done; echo; exec sleep 3600"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert self.holder.stdout.readline() == b"\n"
        # Its root as well: to enter a mount namespace would lead out of a chroot.
        self.inside = ("nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", f"--root=/proc/{self.holder.pid}/root")
        self.root = Path(f"/proc/{self.holder.pid}/root")
        self.networks = self.root / "etc/cni/net.d"
        self.networks.mkdir()
        self.data = self.root / "var/lib/cni/networks"
        self.backs_up = not before
        if before:
            # As podman's default: another directory comes first, and is empty.
            self.path, self.override = ("/usr/local/lib/cni", str(reference.directory)), "plugins=/usr/local/lib/cni\n"
        else:
            self.path, self.override = ("/opt/cni/bin",), ""
            shutil.copytree(reference.directory, self.root / "opt/cni/bin")

    def close(self) -> None:
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()

    def run(self, *blocks: str, check: bool = True) -> subprocess.CompletedProcess:
        """Blocks of the page, as they stand there."""
        script = BLOCKS["directories"] + self.override + "".join(BLOCKS[one] for one in blocks)
        return self.node.run(*self.inside, f"--wd={self.root}{self.directory}", "sh", "-eu", "-c", script, check=check)

    def plugin(self, name: str) -> str:
        return next(f"{one}/{name}" for one in self.path if (self.root / one[1:] / name).exists())

    def call(self, verb: str, entry: dict, pod: Pod, result: dict | None) -> subprocess.CompletedProcess:
        config = {"cniVersion": self.network["cniVersion"], "name": self.network["name"]} | entry
        if entry.get("capabilities", {}).get("portMappings"):
            config["runtimeConfig"] = {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]} if pod.mapped else {}
        if result:
            config["prevResult"] = result
        return self.node.run(*self.inside, self.plugin(entry["type"]), input=json.dumps(config),
                             check=False, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "CNI_COMMAND": verb, "CNI_IFNAME": "eth0",
                                               "CNI_CONTAINERID": pod.container, "CNI_NETNS": pod.path, "CNI_PATH": ":".join(self.path)})

    @property
    def network(self) -> dict:
        (file,) = self.networks.iterdir()
        return json.loads(file.read_text())

    def add(self, mapped: bool = False) -> Pod:
        pod, result = self.node.pod(), None
        pod.mapped = mapped
        for entry in self.network["plugins"]:
            done = self.call("ADD", entry, pod, result)
            assert done.returncode == 0, done.stdout
            result = json.loads(done.stdout)
        self.results[pod] = result
        return pod

    def delete(self, pod: Pod) -> None:
        for entry in reversed(self.network["plugins"]):
            done = self.call("DEL", entry, pod, self.results[pod])
            assert done.returncode == 0, done.stdout

    def address(self, pod: Pod) -> str:
        return self.results[pod]["ips"][0]["address"].partition("/")[0]

    def host_interface(self, pod: Pod) -> str:
        return self.results[pod]["interfaces"][1]["name"]

    def facts(self) -> set[str]:
        """Of the node and its leases. Rules that count packets are seen as iptables-save's."""
        leases = {f"lease {file.name}" for file in self.data.rglob("10.*")} if self.data.exists() else set()
        return leases | {fact for fact in snapshot(self.node) if '"counter"' not in fact}

    def of(self, pod: Pod) -> list[str]:
        return concerning(self.facts(), f"{self.address(pod)}/", f"lease {self.address(pod)}", pod.container, self.host_interface(pod))


@pytest.fixture(params=("in place", "in a directory before it"))
def live(request, node, reference, tmp_path):
    live = Live(node, reference, tmp_path, request.param != "in place")
    yield live
    live.close()


def write(live: Live, **keys) -> None:
    conflist = json.loads(CONFLIST)
    conflist["plugins"][0] |= keys
    (live.networks / "87-podman-bridge.conflist").write_text(json.dumps(conflist) if keys else CONFLIST)


def works(live: Live, *pods: Pod) -> None:
    assert len({live.address(pod) for pod in pods}) == len(pods)
    for one, other in zip(pods, (*pods[1:], pods[0]), strict=True):
        assert reaches(one, live.address(other)) or one is other


@pytest.mark.parametrize("keys", ({}, {"macspoofchk": True}), ids=("podman's", "spoof check"))
def test_over_and_back(live, outside, keys):
    write(live, **keys)
    live.delete(live.add(mapped=True))
    empty = live.facts()
    theirs, stays = live.add(mapped=True), live.add()

    live.run("before", "over")
    ours, goes_back = live.add(mapped=False), live.add()
    works(live, theirs, ours, stays, goes_back)
    connected = live.run("whose").stdout.splitlines()
    assert len(connected) == 2
    for pod in (ours, goes_back):
        assert any(f" podman/{pod.container}/eth0" in line for line in connected)
    if not keys:
        done = live.call("CHECK", live.network["plugins"][0], theirs, live.results[theirs])
        assert done.returncode == 0, done.stdout
    with Echo(outside), Echo(theirs, 80):
        for pod in (theirs, ours):
            assert seen_source(pod, outside.address4) == "192.0.2.1"
        assert seen_source(outside, "192.0.2.1", 8080) == outside.address4
    for pod in (theirs, ours):
        assert len(live.of(pod)) > 3
        live.delete(pod)
        assert live.of(pod) == [] and pod.link("eth0") is None

    live.run("back")
    late = live.add()
    works(live, stays, goes_back, late)
    for pod in (goes_back, stays, late):
        live.delete(pod)
        assert pod.link("eth0") is None
    live.run("after")
    assert difference(empty, live.facts()) == []
    assert not (live.root / "opt/cni/cnix").exists() and not (live.root / "opt/cni/reference").exists()
    assert list(live.data.glob(".*")) == []


DUAL = {"ipam": {"type": "host-local", "ranges": [[{"subnet": "10.88.0.0/16"}], [{"subnet": "fd00:88::/64"}]],
                 "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}}


@pytest.mark.parametrize("keys", ({}, DUAL), ids=("podman's", "dual stack"))
def test_on_to_nftables(live, outside, keys):
    """And what the page says of the way back from there."""
    write(live, **keys)
    live.delete(live.add(mapped=True))
    empty = live.facts()
    theirs = live.add()
    live.run("before", "over")
    by_iptables = live.add()
    live.run("nftables")
    by_nftables = live.add(mapped=True)
    with Echo(outside):
        for pod in (theirs, by_iptables, by_nftables):
            assert seen_source(pod, outside.address4) == "192.0.2.1"
        assert live.address(by_nftables) in live.run("masqueraded").stdout
        for pod in (theirs, by_iptables):
            live.delete(pod)
            assert all("CNI-" in fact for fact in live.of(pod)) and live.of(pod) != []
        mapped = concerning(live.facts(), "CNI-DN-", "CNI-HOSTPORT")
        live.run("forget-iptables")
        assert concerning(live.facts(), "CNI-DN-", "CNI-HOSTPORT") == mapped != []
        assert live.of(theirs) == live.of(by_iptables) == []
        assert seen_source(by_nftables, outside.address4) == "192.0.2.1"
    live.run("forget-iptables")  # finds nothing, and that is no error

    live.run("back")
    done = live.call("DEL", live.network["plugins"][0], by_nftables, live.results[by_nftables])
    assert done.returncode != 0 and "does not exist" in done.stdout
    live.run("before", "over", "nftables")
    live.delete(by_nftables)
    live.run("back", "after")
    assert difference(empty, live.facts()) == []


MACVLAN = {"cniVersion": "0.4.0", "name": "lan", "type": "macvlan", "master": "eth1",
           "ipam": {"type": "host-local", "subnet": "10.99.0.0/24", "rangeStart": "10.98.0.5"}}
BRIDGE = {"cniVersion": "0.4.0", "name": "lan", "type": "bridge", "vlan": 5000, "ipam": {"type": "host-local", "subnet": "10.99.0.0/24"}}


@pytest.mark.parametrize("refused, file", (({"vlan": 5000}, "87-podman-bridge.conflist"), (MACVLAN, "10-lan.conf"), (MACVLAN, "10-lan.json"),
                                           (BRIDGE, "10-lan.json")),
                         ids=("bridge", "host-local of another plugin", "in a .json", "bridge in a .json"))
def test_what_cnix_would_refuse_stops_before_anything_is_changed(live, refused, file):
    """In each of the files that libcni reads."""
    write(live, **(refused if file.endswith("conflist") else {}))
    if not file.endswith("conflist"):
        (live.networks / file).write_text(json.dumps(refused, indent=1).replace('":', '" :'))
    before = live.plugin("bridge")
    done = live.run("before", check=False)
    assert done.returncode != 0 and f"/etc/cni/net.d/{file}:" in done.stderr
    assert live.plugin("bridge") == before


@pytest.mark.parametrize("file", ("87-podman-bridge.conflist.rpmsave", "10-lan.conf~", None))
def test_what_runtimes_do_not_read_is_not_checked(live, file):
    """Nor are there complaints where a kind of file, or any, is missing."""
    if file:
        (live.networks / file).write_text(json.dumps(BRIDGE))
    done = live.run("before")
    assert (done.stdout, done.stderr) == ("", "")


def test_interrupted_backup(live, tmp_path):
    """What it had copied until then is not what the way back installs."""
    write(live)
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut/cp").write_text('#!/bin/sh\nfor last; do :; done\n[ ! -d "$last" ] || last=$last/bridge\n'
                                     'echo half >"$last"\nkill -KILL $PPID\n')
    (tmp_path / "cut/cp").chmod(0o755)
    places = [live.root / one[1:] / name for one in live.path for name in ("bridge", "host-local")]
    former = {place: place.read_bytes() for place in places if place.exists()}
    usual, live.override = live.override, f"{live.override}PATH={tmp_path}/cut:$PATH\n"
    live.run("before")
    cut = live.run("over", check=False)
    assert (cut.returncode != 0) == live.backs_up
    live.override = usual
    live.run("over")
    assert (live.root / live.path[0][1:] / "bridge").read_bytes() not in former.values()
    live.run("over")
    live.run("back")
    assert {place: place.read_bytes() for place in places if place.exists()} == former


def test_every_block_is_run():
    """Each `sh` block of the page is one of the above."""
    assert PAGE.read_text().count("```sh") == len(BLOCKS)
    used = set(re.findall(r'"([\w-]+)"', " ".join(re.findall(r"live\.run\(([^)]*)\)", Path(__file__).read_text()))))
    assert used | {"directories"} == set(BLOCKS)
