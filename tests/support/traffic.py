"""Packets between namespaces: who reaches whom, and under which source address."""

import socket
import struct
import threading
import time

from .namespace import Namespace

PORT = 8080


def ping(source: Namespace, address: str, *options: str) -> bool:
    return source.run("ping", "-n", "-c1", "-W1", *options, address, check=False).returncode == 0


def eventually(condition, within: float = 6.0) -> bool:
    """Whether the condition comes true; a fresh port or address may take the kernel a moment."""
    end = time.monotonic() + within
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def reaches(source: Namespace, address: str, *options: str) -> bool:
    return eventually(lambda: ping(source, address, *options))


class Echo:
    """A TCP server in a namespace that tells each client the source address it sees; a context manager."""

    def __init__(self, namespace: Namespace, port: int = PORT):
        self._socket = namespace.inside(self._listen, port)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @staticmethod
    def _listen(port: int) -> socket.socket:
        return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)

    def _serve(self) -> None:
        while True:
            try:
                client, peer = self._socket.accept()
            except OSError:
                return
            with client:
                client.sendall(peer[0].removeprefix("::ffff:").encode())

    def __enter__(self) -> "Echo":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


def seen_source(client: Namespace, server: str, port: int = PORT, within: float = 6.0) -> str | None:
    """The source address an Echo at `server` sees of a connection from `client`; None if none comes about."""
    def connect() -> str | None:
        with socket.create_connection((server, port), timeout=1) as connection:
            return connection.makefile().read() or None

    end = time.monotonic() + within
    while True:
        try:
            return client.inside(connect)
        except OSError:
            if time.monotonic() > end:
                return None
            time.sleep(0.05)


class MulticastRouter:
    """What a node needs to route a group's packets from one of its interfaces to another; a context manager.

    Raises OSError (ENOPROTOOPT) if the kernel has no multicast routing (CONFIG_IP_MROUTE, CONFIG_IPV6_MROUTE)."""

    INIT, ADD_INTERFACE, ADD_ROUTE = 200, 202, 204  # linux/mroute.h, linux/mroute6.h

    def __init__(self, node: Namespace, source: str, group: str, incoming: str, outgoing: str):
        self._socket = node.inside(self._open, source, group, incoming, outgoing)

    @classmethod
    def _open(cls, source: str, group: str, incoming: str, outgoing: str) -> socket.socket:
        v6 = ":" in group
        family, level, protocol = ((socket.AF_INET6, socket.IPPROTO_IPV6, socket.IPPROTO_ICMPV6) if v6 else
                                   (socket.AF_INET, socket.IPPROTO_IP, socket.IPPROTO_IGMP))
        addresses = [socket.inet_pton(family, address) for address in (source, group)]
        router = socket.socket(family, socket.SOCK_RAW, protocol)
        try:
            router.setsockopt(level, cls.INIT, 1)
            for number, device in enumerate((incoming, outgoing)):
                index = socket.if_nametoindex(device)
                interface = (struct.pack("HBBHI", number, 0, 1, index, 0) if v6 else  # mif6ctl
                             struct.pack("HBBIi4x", number, 8, 1, 0, index))  # vifctl, VIFF_USE_IFINDEX
                router.setsockopt(level, cls.ADD_INTERFACE, interface)
            if v6:  # mf6cctl: from 0, to the set {1}
                ends = b"".join(struct.pack("HHI16sI", socket.AF_INET6, 0, 0, address, 0) for address in addresses)
                route = ends + struct.pack("H2x8I", 0, 1 << 1, *[0] * 7)
            else:  # mfcctl: from 0, to 1 if the TTL is above 1
                route = struct.pack("4s4sH32s2x3Ii", *addresses, 0, bytes((0, 1)), 0, 0, 0, 0)
            router.setsockopt(level, cls.ADD_ROUTE, route)
        except BaseException:
            router.close()
            raise
        return router

    def __enter__(self) -> "MulticastRouter":
        return self

    def __exit__(self, *_) -> None:
        self._socket.close()


class Member:
    """A member of a multicast group in a namespace; a context manager."""

    PORT = 5000

    def __init__(self, namespace: Namespace, group: str, device: str = "eth0"):
        self.group = group
        self._family = socket.AF_INET6 if ":" in group else socket.AF_INET
        self._socket = namespace.inside(self._join, device)

    def _join(self, device: str) -> socket.socket:
        member, index = socket.socket(self._family, socket.SOCK_DGRAM), socket.if_nametoindex(device)
        member.bind((self.group, self.PORT))
        group = socket.inet_pton(self._family, self.group)
        if self._family == socket.AF_INET6:
            member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group + struct.pack("I", index))
        else:
            member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group + struct.pack("4xi", index))
        member.settimeout(0.2)
        return member

    def _send(self, device: str) -> None:
        with socket.socket(self._family, socket.SOCK_DGRAM) as sender:
            if self._family == socket.AF_INET6:
                sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 8)
                sender.sendto(b"x", (self.group, self.PORT, 0, socket.if_nametoindex(device)))
            else:
                sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 8)
                sender.sendto(b"x", (self.group, self.PORT))

    def source_of(self, sender: Namespace, device: str = "eth0", within: float = 6.0) -> str | None:
        """The source address of what `sender` sends to the group; None if nothing arrives."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            sender.inside(self._send, device)
            try:
                return self._socket.recvfrom(1)[1][0]
            except TimeoutError:
                pass
        return None

    def __enter__(self) -> "Member":
        return self

    def __exit__(self, *_) -> None:
        self._socket.close()
