"""podman starts, connects, disconnects and reloads containers over our plugins."""

import re
import shutil
from pathlib import Path

import pytest

from support.cni import Plugins
from support.namespace import run, unique
from support.sandbox import MARK

from .conftest import GATEWAY, Podman, clear, left, need

pytestmark = pytest.mark.xdist_group("runtime")


@pytest.fixture(params=(("bridge", "0.4.0"), ("bridge-iptables", "0.4.0"), ("bridge-delegate", "0.4.0"), ("bridge", "1.0.0")),
                ids=lambda value: f"{value[0]}-{value[1]}")
def network(podman, request) -> str:
    plugin, version = request.param
    podman.network("one", version, plugin)
    podman.network("two", version, plugin, subnet="10.88.78.0/24")
    yield "one"
    podman.remove_all()
    clear(podman.data, "p-one", "p-two")


@pytest.fixture
def nothing_left(podman):
    """To be called at a test's end: removes its containers and looks."""
    def look() -> None:
        podman.remove_all()
        assert left(podman.data) == []
    return look


def test_container_reaches_gateway_and_another(podman, network, nothing_left):
    server = podman.start(network)
    address = podman.address(server, network)
    assert address.startswith("10.88.77.")
    said = podman("run", "--rm", "--network", network, "localhost/bb", "/bin/sh", "-c",
                  f"ip route; ping -c1 -W2 {GATEWAY} && ping -c1 -W2 {address} && echo reached")
    assert f"default via {GATEWAY}" in said and said.endswith("reached")
    nothing_left()


def test_stop_and_start(podman, network, nothing_left):
    container = podman.start(network)
    podman("stop", "--time", "0", container)
    assert left(podman.data) == []
    podman("start", container)
    podman("exec", container, "/bin/ping", "-c1", "-W2", GATEWAY)
    nothing_left()


def test_static_address_and_mac(podman, network, nothing_left):
    """Through the capabilities ips and mac."""
    container = podman.start(network, "--ip", "10.88.77.99", "--mac-address", "02:00:00:00:00:42")
    shown = podman("exec", container, "/bin/ip", "addr", "show", "eth0")
    assert "10.88.77.99/24" in shown and "02:00:00:00:00:42" in shown
    nothing_left()


def test_connect_and_disconnect(podman, network, nothing_left):
    """A second network for a running container, and away again."""
    container = podman.start(network)
    podman("network", "connect", "two", container)
    assert podman.address(container, "two").startswith("10.88.78.")
    podman("exec", container, "/bin/ping", "-c1", "-W2", "10.88.78.1")
    podman("exec", container, "/bin/ping", "-c1", "-W2", GATEWAY)
    podman("network", "disconnect", "two", container)
    assert "10.88.78." not in podman("exec", container, "/bin/ip", "addr")
    podman("exec", container, "/bin/ping", "-c1", "-W2", GATEWAY)
    nothing_left()


def test_reload(podman, network, nothing_left):
    """`podman network reload`: DEL and ADD of a running container, which keeps its address."""
    container = podman.start(network)
    address = podman.address(container, network)
    podman("network", "reload", container)
    assert podman.address(container, network) == address
    podman("exec", container, "/bin/ping", "-c1", "-W2", GATEWAY)
    nothing_left()


def test_over_from_the_reference_and_back(plugins, reference, rootfs, tmp_path):
    """The commands of docs/migration.md, with containers running that the other side connected."""
    need("podman", "runc", "conmon")
    page = (Path(__file__).resolve().parents[2] / "docs/migration.md").read_text()
    blocks = dict(re.findall(r"^<!-- run: (\S+) -->\n```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    own = Podman(MARK / unique("podman"), Plugins(shutil.copytree(reference.directory, tmp_path / "plugins")), rootfs)
    own.network("one")

    def commands(*names: str) -> None:
        here = f"plugins={own.plugins} networks={own.configurations} new={tmp_path}/new old={tmp_path}/old built={plugins.directory}\n"
        run("sh", "-eu", "-c", here + "".join(blocks[name] for name in names), cwd=tmp_path)

    def reaches_gateway(*containers: str) -> None:
        for container in containers:
            own("exec", container, "/bin/ping", "-c1", "-W2", GATEWAY)

    try:
        theirs, reloaded = own.start("one"), own.start("one")
        address = own.address(reloaded, "one")
        commands("before", "over")
        ours, goes_back = own.start("one"), own.start("one")
        own("network", "reload", reloaded)
        assert own.address(reloaded, "one") == address
        reaches_gateway(theirs, reloaded, ours, goes_back)
        own("rm", "--force", "--time", "0", theirs, ours)
        commands("back")
        reaches_gateway(reloaded, goes_back, own.start("one"))
        own.remove_all()
        assert left(own.data) == []
    finally:
        own.close()
        clear(own.data, "p-one")
