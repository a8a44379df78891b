"""Container runtimes of Debian, in a sandbox: storage, state and configuration are the test's own."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from support.cni import Plugins
from support.namespace import run, unique
from support.sandbox import MARK

SUBNET, GATEWAY = "10.88.77.0/24", "10.88.77.1"


def conflist(name: str, bridge: str, data: Path, version: str, plugin: str, subnet: str = SUBNET, **keys) -> dict:
    """As a runtime's user writes it."""
    return {"cniVersion": version, "name": name, "plugins": [{
        "type": plugin, "bridge": bridge, "isDefaultGateway": True, "ipMasq": True, "hairpinMode": True,
        "capabilities": {"ips": True, "mac": True},
        "ipam": {"type": "host-local", "dataDir": str(data), "ranges": [[{"subnet": subnet}]]}} | keys]}


@pytest.fixture(scope="session")
def rootfs(tmp_path_factory) -> Path:
    """A container image's content: busybox."""
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("busybox is missing (package busybox-static)")
    root = tmp_path_factory.mktemp("rootfs")
    (root / "bin").mkdir()
    shutil.copy(busybox, root / "bin/busybox")
    for name in ("sh", "ip", "ping", "sleep", "wget", "nc", "cat", "hostname"):
        (root / "bin" / name).symlink_to("busybox")
    return root


def left(data: Path) -> list[str]:
    """What containers left on the node: interfaces, leases, rules, namespaces."""
    links = [link["ifname"] for link in json.loads(run("ip", "-j", "link", "show", "type", "veth").stdout or "[]") if link]
    leases = [str(file) for file in data.rglob("*") if file.is_file() and file.name[0].isdigit()]
    rules = [line.strip() for line in run("nft", "list", "ruleset").stdout.splitlines() if "10.88." in line]
    spaces = [file.name for file in Path("/run/netns").iterdir() if file.name.startswith(("cni-", "netns-"))]
    return links + leases + rules + spaces


def clear(data: Path, *bridges: str) -> None:
    """For the next test, whatever this one left; bridges stay by design."""
    links = [link["ifname"] for link in json.loads(run("ip", "-j", "link", "show", "type", "veth").stdout or "[]") if link]
    for name in [*links, *bridges]:
        run("ip", "link", "delete", name, check=False)
    run("nft", "flush", "ruleset")
    shutil.rmtree(data, ignore_errors=True)


@pytest.fixture
def wait():
    def wait(condition, within: float = 15) -> bool:
        end = time.monotonic() + within
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True
    return wait


@pytest.fixture(scope="session")
def runtime_plugins(plugins, tmp_path_factory) -> Plugins:
    """The plugins under their names, in a directory that the runtime is pointed to."""
    directory = tmp_path_factory.mktemp("plugins")
    for name in ("bridge", "bridge-iptables", "bridge-delegate", "host-local", "eni-pool"):
        (directory / name).symlink_to(plugins.path(name).resolve())
    return Plugins(directory)


def need(*tools: str) -> None:
    missing = [tool for tool in tools if shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin:/bin") is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


class Podman:
    """podman with its CNI backend; everything of it lies below one directory."""

    def __init__(self, directory: Path, plugins: Plugins, rootfs: Path):
        self.directory, self.data, self.plugins = directory, directory / "networks", plugins.directory
        self.configurations = directory / "net.d"
        self.configurations.mkdir(parents=True)
        (directory / "containers.conf").write_text(f"""
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[network]
network_backend = "cni"
cni_plugin_dirs = ["{plugins.directory}"]
network_config_dir = "{self.configurations}"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
""")
        self._environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(directory),
                             "CONTAINERS_CONF": str(directory / "containers.conf")}
        archive = directory / "rootfs.tar"
        run("tar", "-C", str(rootfs), "-cf", str(archive), ".")
        self("import", str(archive), "localhost/bb")
        archive.unlink()

    def __call__(self, *arguments: str, check: bool = True) -> str:
        return self.run(*arguments, check=check).stdout.strip()

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        return run("podman", "--root", f"{self.directory}/storage", "--runroot", f"{self.directory}/run", "--tmpdir",
                   f"{self.directory}/tmp", "--storage-driver", "vfs", "--runtime", "runc", *arguments, check=check,
                   env=self._environment, timeout=120)

    def network(self, name: str, version: str = "0.4.0", plugin: str = "bridge", **keys) -> str:
        text = json.dumps(conflist(name, f"p-{name}", self.data, version, plugin, **keys))
        (self.configurations / f"{name}.conflist").write_text(text)
        return name

    def start(self, network: str, *options: str) -> str:
        return self("run", "--detach", "--network", network, *options, "localhost/bb", "/bin/sleep", "1000")

    def address(self, container: str, network: str) -> str:
        networks = json.loads(self("inspect", container))[0]["NetworkSettings"]["Networks"]
        return networks[network]["IPAddress"]

    def remove_all(self) -> None:
        self("rm", "--all", "--force", "--time", "0")

    def close(self) -> None:
        self("rm", "--all", "--force", "--time", "0", check=False)
        run("umount", "--all-targets", "--recursive", str(self.directory / "storage"), check=False)


@pytest.fixture(scope="session")
def podman(runtime_plugins, rootfs):
    need("podman", "runc", "conmon")
    directory = MARK / unique("podman")
    directory.mkdir()
    podman = Podman(directory, runtime_plugins, rootfs)
    yield podman
    podman.close()


@pytest.fixture(scope="session")
def containerd(runtime_plugins, podman):
    """containerd, with our plugins in /opt/cni/bin, where ctr looks. Gives a caller of ctr."""
    need("containerd", "ctr")
    directory = MARK / unique("containerd")
    directory.mkdir()
    archive = directory / "bb.tar"
    podman("save", "--format", "oci-archive", "-o", str(archive), "localhost/bb")
    Path("/opt/cni/bin").mkdir(exist_ok=True)
    for file in runtime_plugins.directory.iterdir():
        link = Path("/opt/cni/bin") / file.name
        if not link.exists():
            link.symlink_to(file.resolve())
    configuration = directory / "config.toml"
    configuration.write_text(f'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
                             f'[plugins."io.containerd.internal.v1.opt"]\n  path = "{directory}/opt"\n')
    with open(directory / "log", "w") as log:
        daemon = subprocess.Popen(["containerd", "--config", configuration, "--root", directory / "root", "--state",
                                   directory / "state", "-a", directory / "sock"], stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=log, env={"PATH": os.environ["PATH"] + ":/usr/sbin"})

    def ctr(*arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        return run("ctr", "-a", str(directory / "sock"), *arguments, check=check, timeout=120)

    for _ in range(100):
        if ctr("version", check=False).returncode == 0:
            break
        assert daemon.poll() is None, (directory / "log").read_text()
        time.sleep(0.1)
    ctr("image", "import", str(archive))
    yield ctr
    daemon.terminate()
    daemon.wait(20)
