"""Packets between namespaces: who reaches whom, and under which source address."""

import socket
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
