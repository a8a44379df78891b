"""Network namespaces, and what stands in them."""

import contextlib
import ctypes
import fcntl
import itertools
import json
import os
import socket
import struct
import subprocess
import threading
from pathlib import Path

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
MS_BIND, MNT_DETACH = 4096, 2
_libc = ctypes.CDLL(None, use_errno=True)
_serial = itertools.count()


def unique(prefix: str) -> str:
    """A name that no other worker or test of this run uses."""
    return f"{prefix}-{os.getpid()}-{next(_serial)}"


def run(*command: str, check: bool = True, input: str | None = None, timeout: float = 60,
        **options) -> subprocess.CompletedProcess:
    """A command's outcome, text captured; with `check`, failing is an AssertionError that shows all it printed."""
    done = subprocess.run(command, input=input or "", capture_output=True, text=True, timeout=timeout, **options)
    if check:
        assert done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def _system_call(name: str, *arguments) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}{arguments}: {os.strerror(ctypes.get_errno())}")


def _in_thread(function):
    """The function's value, or its exception, from a thread of its own."""
    outcome = []

    def body():
        try:
            outcome.append((function(), None))
        except BaseException as error:  # carried to the caller's thread
            outcome.append((None, error))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    value, error = outcome[0]
    if error is not None:
        raise error
    return value


class Namespace:
    """A named network namespace (`ip netns`), removed by close()."""

    def __init__(self, prefix: str = "ns"):
        self.name = unique(prefix)
        self.path = f"/run/netns/{self.name}"
        os.close(os.open(self.path, os.O_CREAT | os.O_EXCL, 0o444))
        _in_thread(self._make)

    def _make(self) -> None:
        """As `ip netns add` does, in a thread that ends with it: two programs less for each of thousands."""
        _system_call("unshare", CLONE_NEWNET)
        with socket.socket() as any_socket:
            fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))
        _system_call("mount", b"/proc/thread-self/ns/net", self.path.encode(), None, MS_BIND, None)

    def close(self) -> None:
        """More than once does no harm."""
        with contextlib.suppress(OSError):
            _system_call("umount2", self.path.encode(), MNT_DETACH)
        Path(self.path).unlink(missing_ok=True)

    def exists(self) -> bool:
        return Path(self.path).exists()

    def argv(self, *command: str) -> list[str]:
        return ["nsenter", f"--net={self.path}", "--", *command]

    def run(self, *command: str, **options) -> subprocess.CompletedProcess:
        return run(*self.argv(*command), **options)

    def ip(self, arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        """`ip ARGUMENTS` in this namespace; arguments hold no blanks of their own."""
        return run("ip", "-n", self.name, *arguments.split(), check=check)

    def ip_json(self, arguments: str) -> list[dict]:
        return json.loads(run("ip", "-n", self.name, "-j", "-d", *arguments.split()).stdout or "[]")

    def ip_lists(self, *shows: str, options: tuple[str, ...] = ()) -> list[list[dict]]:
        """What ip_json gives for each, from one process."""
        lines = run("ip", "-n", self.name, "-j", "-d", *options, "-batch", "-", input="\n".join(shows)).stdout.splitlines()
        assert len(lines) == len(shows), lines
        return [json.loads(line) for line in lines]

    def inside(self, function, *arguments):
        """function(*arguments) in a thread that is in this namespace. Sockets it opens stay bound to it, and programs that it
        starts run there."""

        def body():
            with open(self.path) as handle:
                _system_call("setns", handle.fileno(), CLONE_NEWNET)
            return function(*arguments)

        return _in_thread(body)

    # What the kernel tells of it.

    def links(self) -> dict[str, dict]:
        return {link["ifname"]: link for link in self.ip_json("link show")}

    def link(self, name: str) -> dict | None:
        return self.links().get(name)

    def ports(self, bridge: str) -> dict[str, dict]:
        """The bridge's ports by name, each with its port attributes under `port`."""
        return {name: link | {"port": link["linkinfo"].get("info_slave_data", {})}
                for name, link in self.links().items() if link.get("master") == bridge}

    def addresses(self, device: str, scope: str | None = "global") -> list[str]:
        """Prefixes as "10.0.0.1/24"; by default without link-local ones."""
        return [f"{info['local']}/{info['prefixlen']}" for link in self.ip_json("addr show") if link.get("ifname") == device
                for info in link["addr_info"] if scope in (None, info["scope"])]

    def routes(self, family: int = 4, table: str = "main") -> list[dict]:
        done = run("ip", "-n", self.name, "-j", "-d", f"-{family}", "route", "show", "table", table, check=False)
        return json.loads(done.stdout or "[]")

    def default_gateways(self, family: int = 4) -> list[str]:
        return [route.get("gateway", "") for route in self.routes(family) if route["dst"] == "default"]

    def sysctl(self, name: str, value: object = None) -> str:
        """A value of /proc/sys/net, after writing it if one is given. `name` is a path: "ipv4/ip_forward"."""
        file = Path("/proc/sys/net") / name
        if value is not None:
            self.inside(file.write_text, str(value))
        return self.inside(file.read_text).strip()


class Pod(Namespace):
    """A container's network namespace, and the ID the runtime would give."""

    def __init__(self):
        super().__init__("pod")
        self.container = unique("container")


class Host(Namespace):
    """A machine beside the node, wired to it by a veth pair."""

    PREFIX4, PREFIX6 = "192.0.2", "2001:db8:ffff:"

    def __init__(self):
        super().__init__("host")
        self.address4, self.address6 = f"{self.PREFIX4}.2", f"{self.PREFIX6}:2"

    def wire(self, node: Namespace, device: str = "uplink", master: str | None = None) -> None:
        """A cable between the node's `device` (a port of `master` if given) and this host's eth0."""
        node.ip(f"link add {device} type veth peer name eth0 netns {self.name}")
        if master:
            node.ip(f"link set {device} master {master}")
        node.ip(f"link set {device} up")
        self.ip("link set eth0 up")

    def address(self, *prefixes: str) -> None:
        for prefix in prefixes:
            self.ip(f"addr add {prefix} dev eth0" + (" nodad" if ":" in prefix else ""))

    def connect(self, node: Namespace) -> None:
        """Wired on a network between the two: the node is .1 and the default route there, this host .2."""
        self.wire(node)
        self.address(f"{self.address4}/24", f"{self.address6}/64")
        node.ip(f"addr add {self.PREFIX4}.1/24 dev uplink")
        node.ip(f"addr add {self.PREFIX6}:1/64 dev uplink nodad")
        node.ip(f"route add default via {self.address4}")
        node.ip(f"-6 route add default via {self.address6}")

    def route_back(self, *prefixes: str) -> None:
        """Routes to the pods through the node: what is not masqueraded then gets its answers."""
        for prefix in prefixes:
            self.ip(f"route add {prefix} via {self.PREFIX6}:1" if ":" in prefix else
                    f"route add {prefix} via {self.PREFIX4}.1")
