"""`ctr run --cni` over our plugins: configurations of /etc/cni/net.d, binaries of /opt/cni/bin (both the sandbox's)."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from support.namespace import unique
from support.sandbox import MARK

from .conftest import GATEWAY, clear, conflist, left

pytestmark = pytest.mark.xdist_group("runtime")


@pytest.fixture(params=("bridge", "bridge-iptables", "bridge-delegate"))
def data(request) -> Path:
    """The network of ctr's containers; gives its data directory."""
    directory = MARK / unique("ctr-networks")
    file = Path("/etc/cni/net.d/10-cnix.conflist")
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(conflist("ctr", "ctr0", directory, "1.0.0", request.param)))
    yield directory
    file.unlink()
    clear(directory, "ctr0")


def test_container_reaches_the_gateway(containerd, data):
    done = containerd("run", "--rm", "--cni", "localhost/bb:latest", unique("c"), "/bin/sh", "-c",
                      f"ip addr show eth0; ping -c1 -W2 {GATEWAY} && echo reached")
    assert "inet 10.88.77." in done.stdout and done.stdout.strip().endswith("reached")
    assert left(data) == []


def test_container_reaches_another(containerd, data, wait):
    """ctr deletes with an empty CNI_NETNS: nothing of the server may be left either."""
    server = unique("server")
    containerd("run", "--detach", "--cni", "localhost/bb:latest", server, "/bin/sleep", "1000")
    try:
        (address,) = {file.name for file in (data / "ctr").iterdir() if file.name.startswith("10.88.77.")}
        done = containerd("run", "--rm", "--cni", "localhost/bb:latest", unique("c"), "/bin/sh", "-c",
                          f"ping -c1 -W2 {address} && echo reached")
        assert done.stdout.strip().endswith("reached")
    finally:
        containerd("task", "kill", "--signal", "SIGKILL", server)
        assert wait(lambda: "STOPPED" in containerd("task", "list").stdout)
        containerd("task", "delete", server)
        containerd("container", "delete", server)
        # ctr runs DEL only for containers it has not detached from: this is that DEL, with what a runtime knows then.
        _delete(server)
    assert left(data) == []


def _delete(container: str) -> None:
    configuration = json.loads(Path("/etc/cni/net.d/10-cnix.conflist").read_text())
    plugin = configuration["plugins"][0] | {"cniVersion": configuration["cniVersion"], "name": configuration["name"]}
    cached = list(Path("/var/lib/cni/results").glob(f"ctr-*{container}-eth0"))
    identity = json.loads(cached[0].read_text())["containerId"] if cached else f"default-{container}"
    done = subprocess.run([f"/opt/cni/bin/{plugin['type']}"], input=json.dumps(plugin), text=True, capture_output=True, env={
        "PATH": os.environ["PATH"], "CNI_COMMAND": "DEL", "CNI_CONTAINERID": identity, "CNI_NETNS": "", "CNI_IFNAME": "eth0",
        "CNI_PATH": "/opt/cni/bin"})
    assert done.returncode == 0, done.stdout
