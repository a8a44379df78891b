"""podman starts, connects, disconnects and reloads containers over our plugins."""

import pytest

from .conftest import GATEWAY, clear, left

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
