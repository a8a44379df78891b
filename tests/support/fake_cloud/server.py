"""HTTP listeners, with the ways in which a connection may end."""

import http.server
import socket
import struct
import sys
import threading
from dataclasses import dataclass
from urllib.parse import parse_qsl

from .faults import Reply

MAX_BODY = 1 << 20


@dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str]  # lower-case names
    body: bytes

    def form(self) -> list[tuple[str, str]]:
        """The parameters of the query and of the body."""
        query = self.target.partition("?")[2]
        return [pair for text in (query, self.body.decode(errors="replace")) for pair in parse_qsl(text, keep_blank_values=True)]


def listen(address: str) -> socket.socket:
    """`HOST:PORT`, an IPv6 host in brackets; port 0 for any."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    six = ":" in host
    listener = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, int(port)))
    listener.listen(128)
    return listener


class Server(http.server.ThreadingHTTPServer):
    """Answers with what `application` makes of a Request; closes its connections when it ends."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, application):
        self.application = application
        self.ending = threading.Event()
        self._open: set[socket.socket] = set()
        super().__init__(listener.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        host, port = listener.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._thread = threading.Thread(target=self._run, name=f"cloud at {self.url}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self.ending.is_set():
            self.handle_request()

    def get_request(self):
        connection, peer = super().get_request()
        self._open.add(connection)
        return connection, peer

    def shutdown_request(self, request):
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        """Clients may go away; anything else is a defect of the fake."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        if self.ending.is_set():
            return
        self.ending.set()
        self.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self.server_close()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def version_string(self):
        return "fake-cloud"

    def log_message(self, *_):
        pass

    def _answer(self):
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdigit() or int(length) > MAX_BODY:
            self.close_connection = True
            return self._send(Reply(411 if "Transfer-Encoding" in self.headers else 413, ""))
        body = self.rfile.read(int(length))
        self._send(self.server.application(Request(self.command, self.path, {name.lower(): value for name, value in self.headers.items()},
                                                   body)))

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer

    def _send(self, reply: Reply):
        if reply.end == "hang":
            self.server.ending.wait()
        if reply.end == "garbage":
            self.wfile.write(b"\x16\x03\x01\x00\xff 200 is no HTTP\r\n\r\n")
            self.close_connection = True
            return
        if reply.end in ("hang", "close", "reset"):
            if reply.end == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.rfile.close()
                self.wfile.close()
                self.connection.close()
            self.close_connection = True
            return
        body = reply.body.encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in reply.headers:
            self.send_header(name, value)
        self.end_headers()
        partly = reply.end in ("truncate", "stall")
        if self.command != "HEAD":
            self.wfile.write(body[:len(body) // 2] if partly else body)
        self.wfile.flush()
        if reply.end == "stall":
            self.server.ending.wait()
        if partly:
            self.close_connection = True
