"""The Debian packages: what lintian says, and both in a fresh Debian."""

import json
import re
import shutil
from pathlib import Path

import pytest

from package.conftest import MANAGERS, PLUGINS, PROGRAMS, ROOT, run
from support import namespace
from support.namespace import Host, Namespace, Pod
from support.sandbox import MACHINE_NETWORK

pytestmark = pytest.mark.xdist_group("debian")


@pytest.fixture(scope="session")
def packages(built) -> dict[str, Path]:
    """The packages' files by name."""
    for tool in ("cpack", "dpkg-deb"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is missing")
    tree = built()
    run("cpack", cwd=tree)
    return {path.name.partition("_")[0]: path for path in tree.glob("*.deb")}


def field(package: Path, name: str) -> str:
    return run("dpkg-deb", "--field", package, name).stdout.strip()


def files(package: Path) -> dict[str, tuple[str, str]]:
    """Mode, and what a link points to, by path."""
    found = {}
    for line in run("dpkg-deb", "--contents", package).stdout.splitlines():
        mode, owner, _, _, _, path, *link = line.split()
        assert owner == "root/root", line
        found[path.removeprefix(".")] = (mode, link[1] if link else "")
    return found


def test_lintian_finds_nothing(packages):
    if shutil.which("lintian") is None:
        pytest.skip("lintian is missing")
    done = run("lintian", "--allow-root", "--fail-on", "error,warning", *packages.values(), check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_fields(packages):
    assert set(packages) == {"cnix-plugins", "cnix-ipamd", "cnix-dev"}
    plugins, dev = packages["cnix-plugins"], packages["cnix-dev"]
    assert field(dev, "Architecture") == field(plugins, "Architecture") != "all"
    assert field(plugins, "Depends") == "", "static"
    assert field(plugins, "Recommends") == "nftables"
    manager = field(packages["cnix-ipamd"], "Depends")
    for name in ("nftables", "libc6", "libcurl4", "libprometheus-cpp-core1.0", "libnghttp2-14"):
        assert re.search(rf"(^|, ){re.escape(name)}\b", manager), f"{name}: {manager}"
    for package in packages.values():
        assert re.fullmatch(r"\d+\.\d+\.\d+-1", field(package, "Version"))
        assert "<" in field(package, "Maintainer") and field(package, "Section")
        assert field(package, "Description").count("\n") > 4
        assert run("dpkg-deb", "--ctrl-tarfile", package, check=True, errors="replace").stdout.count("/postinst") == 0


def test_contents(packages):
    plugins, manager, dev = (files(packages[f"cnix-{name}"]) for name in ("plugins", "ipamd", "dev"))
    for name in PLUGINS:
        assert plugins[f"/usr/libexec/cnix/{name}"][0] == "-rwxr-xr-x"
        assert plugins[f"/usr/lib/cni/cnix-{name}"] == ("lrwxrwxrwx", f"../../libexec/cnix/{name}")
    for name in PROGRAMS:
        assert plugins[f"/usr/sbin/{name}"][0] == "-rwxr-xr-x"
    # containernetworking-plugins has these.
    assert not {f"/usr/lib/cni/{name}" for name in ("bridge", "host-local")} & set(plugins)
    for name in MANAGERS:
        assert manager[f"/usr/sbin/{name}"][0] == "-rwxr-xr-x"
        assert manager[f"/usr/lib/systemd/system/{name}.service"][0] == "-rw-r--r--"
    assert not [path for path in (*plugins, *manager, *dev) if path.startswith(("/opt", "/usr/local"))]
    every = [path for package in (plugins, manager, dev) for path in package if not path.endswith("/")]
    assert len(every) == len(set(every)), "in two packages"
    assert plugins["/usr/share/man/man8/cnix-bridge.8.gz"][0] == "-rw-r--r--"
    assert "/usr/bin/cnix-new" in dev and "/usr/share/cmake/cnix/cnixConfig.cmake" in dev
    for package, name in ((plugins, "cnix-plugins"), (manager, "cnix-ipamd"), (dev, "cnix-dev")):
        assert {f"/usr/share/doc/{name}/copyright", f"/usr/share/doc/{name}/changelog.Debian.gz"} <= set(package)


def test_programs_are_stripped(packages, tmp_path):
    run("dpkg-deb", "--extract", packages["cnix-plugins"], tmp_path)
    for name in PLUGINS:
        program = tmp_path / "usr/libexec/cnix" / name
        assert ".symtab" not in run("readelf", "--sections", "--wide", program).stdout
        assert run(tmp_path / "usr/lib/cni" / f"cnix-{name}", "--version").stdout.startswith(f"CNI cnix-{name} plugin ")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_manager_has_all_that_it_needs(debian):
    """Its libraries, and settings that it tells; no service was enabled or started."""
    for name in MANAGERS:
        assert debian(f"/usr/sbin/{name}", "--version").startswith(f"{name} ")
        assert "warm-eni-target = 1" in debian(f"/usr/sbin/{name}", "--print-config")
    assert not list((debian.root / "etc/systemd").rglob("*cnix*"))


# In a fresh Debian

SHARED = ("proc", "sys", "dev", "run")

def mirror() -> tuple[str, str]:
    """Where apt on this machine has the distribution from, and its name."""
    codename = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines())["VERSION_CODENAME"]
    for line in run("apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Created-By: Packages",
                    check=False).stdout.splitlines():
        address, name, component = line.split()
        if (name, component) == (codename, "main"):
            return address, name
    pytest.skip(f"apt has no mirror of {codename}")


@pytest.fixture(scope="session")
def debian(packages, tmp_path_factory):
    """A minimal Debian with what the packages depend on and recommend, and both installed. Runs commands there."""
    if shutil.which("debootstrap") is None:
        pytest.skip("debootstrap is missing")
    address, codename = mirror()
    wanted = {"containernetworking-plugins"}
    for package in packages.values():
        for alternatives in filter(None, (field(package, "Depends") + "," + field(package, "Recommends")).split(",")):
            wanted.add(alternatives.split()[0])
    root = tmp_path_factory.mktemp("debian")
    # In memory, if there is some to spare: dpkg waits for the disk with each file, which takes most of the time.
    available = int(re.search(r"^MemAvailable: +(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)[1])
    if available > 4 << 20:
        run("mount", "-t", "tmpfs", "-o", "size=2g", "debian", root)
    done = run("nsenter", f"--net={MACHINE_NETWORK}", "debootstrap", "--variant=minbase", f"--include={','.join(sorted(wanted))}",
               codename, root, address, check=False)
    if done.returncode != 0 and not (root / "debootstrap/base").exists():
        pytest.skip(f"debootstrap has no packages from {address}: {done.stderr.strip()}")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    for shared in SHARED:
        run("mount", "--rbind", f"/{shared}", root / shared)
        run("mount", "--make-rslave", root / shared)

    def inside(*command: str, netns: Namespace | None = None, environment: dict[str, str] = {}, **keywords) -> str:
        variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"} | environment
        argv = ("chroot", str(root), "env", "-i", *(f"{name}={value}" for name, value in variables.items()), *command)
        return namespace.run(*(netns.argv(*argv) if netns else argv), timeout=240, **keywords).stdout

    inside.root = root
    for package in packages.values():
        shutil.copy(package, root / "root")
    inside("sh", "-c", "dpkg --install /root/*.deb")
    yield inside
    for shared in SHARED:
        run("umount", "--recursive", "--lazy", root / shared)
    run("umount", "--lazy", root, check=False)
    shutil.rmtree(root)


BLOCKS = dict(re.findall(r"^<!-- run: (\S+) -->\n```sh\n(.*?)^```$", (ROOT / "docs/install.md").read_text(),
                         re.MULTILINE | re.DOTALL))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_installed_plugin_connects_pods(debian):
    """As scripts/demo does: two pods reach each other and a host outside that knows no route to them; nothing is left."""
    node, outside = Namespace("node"), Host()
    pods = [Pod(), Pod()]
    outside.connect(node)
    entry = {"cniVersion": "1.0.0", "name": "demo", "type": "cnix-bridge", "bridge": "demo0", "isDefaultGateway": True,
             "ipMasq": True, "ipam": {"type": "host-local", "subnet": "10.22.0.0/24"}}

    def cni(verb: str, pod: Pod) -> str:
        environment = {"CNI_COMMAND": verb, "CNI_CONTAINERID": pod.container, "CNI_NETNS": pod.path, "CNI_IFNAME": "eth0",
                       "CNI_PATH": "/usr/lib/cni"}
        return debian("/usr/lib/cni/cnix-bridge", netns=node, environment=environment, input=json.dumps(entry))

    results = [json.loads(cni("ADD", pod)) for pod in pods]
    leases = debian.root / "var/lib/cni/networks/demo"
    addresses = [result["ips"][0]["address"].partition("/")[0] for result in results]
    for address in addresses:
        assert (leases / address).exists()
    for target in (addresses[1], outside.address4):
        pods[0].run("ping", "-n", "-c1", "-W2", target)
    for pod in pods:
        assert cni("DEL", pod) == ""
    assert {path.name for path in leases.iterdir() if path.name[0].isdigit()} == set()
    assert not node.ports("demo0") and node.run("nft", "list", "ruleset").stdout == ""
    for one in (*pods, outside, node):
        one.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_consumer_is_built_with_what_the_package_pulls_in(debian):
    shutil.copytree(ROOT / "tests/package/consumer", debian.root / "root/consumer")
    debian("cmake", "-G", "Ninja", "-S", "/root/consumer", "-B", "/root/build", "-DCNIX_FROM=package", "-DCMAKE_CXX_FLAGS=-O0")
    debian("cmake", "--build", "/root/build", "--parallel", "2")
    assert debian("/root/build/my-bridge", "--version").startswith("CNI my-bridge plugin ")
    assert debian("/root/build/site-ipam") == "well formed\n"


@pytest.mark.slow
def test_in_place_of_containernetworkings_and_back(debian):
    """The commands of docs/install.md; whatever else is in the directory stays."""
    directory = debian.root / "usr/lib/cni"
    own = {path.name: path.read_bytes() for path in directory.iterdir() if not path.is_symlink()}
    assert {"bridge", "host-local", "loopback", "portmap"} <= set(own)
    debian("bash", "-euc", BLOCKS["in-place"])
    for name in ("bridge", "host-local"):
        assert debian(f"/usr/lib/cni/{name}", "--version").startswith(f"CNI {name} plugin 0.")
        assert (directory / f"{name}.containernetworking").read_bytes() == own[name]
    assert debian("dpkg", "--verify", "containernetworking-plugins", "cnix-plugins") == ""
    debian("bash", "-euc", BLOCKS["back"])
    assert {path.name: path.read_bytes() for path in directory.iterdir() if not path.is_symlink()} == own


@pytest.mark.slow
def test_removal_leaves_nothing(debian):
    debian("dpkg", "--purge", "cnix-plugins", "cnix-ipamd", "cnix-dev")
    left = [path for place in ("usr", "opt", "etc") for path in (debian.root / place).rglob("*cnix*")]
    assert left == []
    assert (debian.root / "usr/lib/cni/bridge").exists(), "containernetworking's"
