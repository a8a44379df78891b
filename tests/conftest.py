"""End-to-end tests of the plugin binaries against the real kernel.

pytest starts itself again in a sandbox (support/sandbox.py), so a run changes nothing on the machine. It needs root.
"""

import fnmatch
import os
import sys
from pathlib import Path

import pytest

from support import sandbox
from support.cni import BRIDGES, Node, Plugins
from support.namespace import Host

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = Path("/usr/lib/cni")


def pytest_addoption(parser):
    parser.addoption("--plugins-dir", type=Path, default=ROOT / "build/release/bin",
                     help="directory of the plugin binaries to test; with the reference's (/usr/lib/cni), "
                          "support/reference_failures.txt says what is known to fail")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    if sandbox.active() or config.option.help or config.option.version or config.option.collectonly:
        return None
    if os.geteuid() != 0:
        raise pytest.UsageError("these tests make network namespaces and need root: sudo scripts/test")
    config.pluginmanager.getplugin("capturemanager").stop_global_capturing()
    sys.stdout.flush(), sys.stderr.flush()
    arguments = list(config.invocation_params.args)
    if getattr(config.option, "numprocesses", None):
        # Tests of one xdist_group share what there is only once (/etc/cni/net.d, the sandbox's own network).
        arguments += ["--dist", "loadgroup"]
    argv = sandbox.command([sys.executable, "-m", "pytest", *map(str, arguments)])
    os.chdir(config.invocation_params.dir)
    os.execvp(argv[0], argv)


def _known_failures() -> list[tuple[str, str]]:
    table = Path(__file__).parent / "support/reference_failures.txt"
    lines = (line.strip() for line in table.read_text().splitlines())
    return [tuple(map(str.strip, line.split(" | ", 1))) for line in lines if line and not line.startswith("#")]


# xdist_group's of minutes. They are begun with: at the end one worker would be busy with them while the others have nothing to do.
LONG_GROUPS = ("vm", "golden", "ci", "package", "debian")


def _begin(item) -> int:
    group = item.get_closest_marker("xdist_group")
    return LONG_GROUPS.index(group.args[0]) if group and group.args[0] in LONG_GROUPS else len(LONG_GROUPS)


def pytest_collection_modifyitems(config, items):
    items.sort(key=_begin)
    for item in items:
        if "runtime/" in item.nodeid:
            item.add_marker(pytest.mark.slow)
    if not Plugins(config.option.plugins_dir).reference:
        return
    known = _known_failures()
    for item in items:
        for pattern, reason in known:
            if fnmatch.fnmatchcase(item.nodeid.partition("tests/")[2] or item.nodeid, pattern.replace("[", "[[]")):
                if reason != "-":
                    item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
                break


@pytest.fixture(scope="session")
def plugins(pytestconfig) -> Plugins:
    plugins = Plugins(pytestconfig.option.plugins_dir)
    missing = [name for name in (*BRIDGES, "host-local") if name not in plugins]
    if missing:
        pytest.exit(f"{plugins.directory} lacks {', '.join(missing)}: build first (scripts/test does), or name another "
                    "directory with --plugins-dir", returncode=2)
    return plugins


@pytest.fixture(scope="session")
def reference() -> Plugins:
    """The reference plugins, from Debian's package."""
    plugins = Plugins(REFERENCE)
    if "bridge" not in plugins or "host-local" not in plugins:
        pytest.skip(f"the reference plugins are not in {REFERENCE} (package containernetworking-plugins)")
    return plugins


@pytest.fixture
def node(plugins):
    node = Node(plugins)
    yield node
    node.close()


@pytest.fixture
def outside(node) -> Host:
    """A host outside the node's pods' network, and the node's default gateway; it knows no route to pods."""
    host = node.own(Host())
    host.connect(node)
    return host


@pytest.fixture(params=BRIDGES)
def plugin(request) -> str:
    """Each of the compositions in turn."""
    return request.param


@pytest.fixture(params=("bridge", "bridge-iptables"))
def nat_plugin(request) -> str:
    """One composition for each way to masquerade."""
    return request.param


FAMILIES = {"ipv4": ("10.22.0.0/24",), "ipv6": ("fd00:22::/64",), "dual": ("10.22.0.0/24", "fd00:22::/64")}


@pytest.fixture(params=FAMILIES)
def subnets(request) -> tuple[str, ...]:
    """Subnets of one range set each: IPv4, IPv6, both."""
    return FAMILIES[request.param]


@pytest.fixture
def vlan_filtering(node) -> None:
    """Skips where the kernel has no bridge VLAN filtering."""
    probe = node.run("ip", "link", "add", "probe", "type", "bridge", "vlan_filtering", "1", check=False)
    if probe.returncode != 0:
        pytest.skip("this kernel has no bridge VLAN filtering (CONFIG_BRIDGE_VLAN_FILTERING)")
    node.ip("link del probe")
