"""backends::grpc against daemons in gRPC for Python and for Go, and against peers that are none."""

import contextlib
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest

from support import upstream_eni
from support.ipamd_stub import GENERATIONS, Refusal, Stub, encode
from support.sandbox import MACHINE_NETWORK

grpc = pytest.importorskip("grpc", reason="python3-grpcio is not installed")


@pytest.fixture(scope="session")
def program(pytestconfig) -> Path:
    found = pytestconfig.option.plugins_dir.resolve().parent / "tests/cni-client"
    if not found.exists():
        pytest.skip(f"{found} is not built: cnix was configured without nghttp2 or protobuf")
    return found


@pytest.fixture(scope="session")
def client(program):
    def call(what: str, *endpoints: str, generation: str = "v1_20", within: int = 2000) -> str:
        done = subprocess.run([program, generation, str(within), what, *endpoints], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0 and done.stderr == ""
        return done.stdout.removesuffix("\n")

    return call


@pytest.fixture
def at(tmp_path) -> str:
    return f"unix://{tmp_path}/s"


POOLS = [(1, ["10.0.2.55", "fd00::55", "10.0.2.56"]), (2, ["10.0.3.55"])]


@pytest.mark.parametrize("generation, add, released", (
    ("v1_7", "[10.0.2.55 - 1 0]", "[10.0.2.55 - 1 0]"),
    ("v1_10", "[10.0.2.55 fd00::55 1 0]", "[10.0.2.55 fd00::55 1 0]"),
    ("v1_20", "[10.0.2.55 fd00::55 1 2] [10.0.3.55 - 2 3]", "[10.0.2.55 fd00::55 1 2] [10.0.3.55 - 2 3]"),
))
def test_add_and_delete(client, at, generation, add, released):
    mode = "" if generation == "v1_7" else "strict"
    with Stub(at, POOLS, generation, mode=mode) as daemon:
        assert client("add", at, generation=generation) == f"success=1 {add} vlan=0 mac=- gateway=- trunk=0 mode={mode}"
        assert client("del", at, generation=generation) == f"success=1 {released} vlan=0 mode={mode}"
        assert "datastore: unknown pod" in client("del", at, generation=generation)
    pod = {"K8S_POD_NAME": "nginx", "K8S_POD_NAMESPACE": "default", "K8S_POD_INFRA_CONTAINER_ID": "c1", "IfName": "eth0",
           "NetworkName": "net", "ContainerID": "c1"}
    new = generation == "v1_20"
    assert daemon.asked("AddNetwork") == [pod | {"Netns": "/var/run/netns/pod"} | ({"RequiresMultiNICAttachment": 1} if new else {})]
    assert daemon.asked("DelNetwork")[0] == pod | {"Reason": "PodDeleted"} | ({"K8S_POD_UID": "uid-1"} if new else {})


@pytest.mark.parametrize("generation", ("v1_10", "v1_20"))
def test_network_policy_agent(client, at, tmp_path, generation):
    agent = f"unix://{tmp_path}/npa"
    with Stub(at, POOLS, generation, agent=agent) as daemon:
        assert client("enforce", agent, generation=generation) == "success=1"
        assert client("delete", agent, generation=generation) == "success=1"
    pod = {"K8S_POD_NAME": "nginx", "K8S_POD_NAMESPACE": "default"}
    assert daemon.asked("EnforceNpToPod") == [pod | {"NETWORK_POLICY_MODE": "strict"} | ({"InterfaceCount": 2} if generation == "v1_20" else {})]
    assert daemon.asked("DeletePodNp") == [pod]


def test_no_agent_before_v1_10(client, at):
    for call in ("enforce", "delete"):
        assert client(call, at, generation="v1_7").endswith(": daemons of v1.7 to v1.9 have no network policy agent (not reached)")


def test_health(client, at):
    with Stub(at, POOLS) as daemon:
        assert client("health", at) == "health=1"
        daemon.health = 2
        assert client("health", at) == "health=2"


@pytest.mark.parametrize("endpoint", ("127.0.0.1:50051", "[::1]:50051", "ipv4:127.0.0.1:50051"))
def test_tcp(client, endpoint):
    with Stub(endpoint.removeprefix("ipv4:"), POOLS):
        assert client("add", endpoint).startswith("success=1 [10.0.2.55 ")


def test_several_calls_of_a_process(client, at):
    with Stub(at, POOLS) as daemon:
        assert client("add", *[at] * 5).count("success=1") == 5
    assert len(daemon.requests) == 5


def test_a_branch_eni(client, at):
    for generation in GENERATIONS:
        with Stub(at, POOLS, generation) as daemon:
            daemon.branches["nginx"] = {"vlan": 101, "mac": "02:42:ac:11:00:02", "gateway": "10.0.2.1", "trunk": 3}
            answer = client("add", at, generation=generation)
            assert answer.startswith("success=1 [10.0.2.55 ") and " -1 0]" in answer
            assert " vlan=101 mac=02:42:ac:11:00:02 gateway=10.0.2.1 trunk=3" in answer
            assert " vlan=101 " in client("del", at, generation=generation)


def test_no_address(client, at):
    for generation in GENERATIONS:
        with Stub(at, [(1, [])], generation):
            assert client("add", at, generation=generation).startswith("success=0 vlan=0")


@pytest.mark.parametrize("code, name", (("UNKNOWN", "Unknown"), ("FAILED_PRECONDITION", "FailedPrecondition"),
                                        ("RESOURCE_EXHAUSTED", "ResourceExhausted"), ("INTERNAL", "Internal"),
                                        ("UNAVAILABLE", "Unavailable"), ("UNAUTHENTICATED", "Unauthenticated")))
def test_refusals_keep_code_and_words(client, at, code, name):
    def refuse(_):
        raise Refusal('wrong client version "x" (!= "y")', code)

    with Stub(at, POOLS) as daemon:
        daemon.instead["AddNetwork"] = refuse
        assert client("add", at) == f'rpc error: code = {name} desc = {at}: wrong client version "x" (!= "y")'


@pytest.mark.slow
@pytest.mark.parametrize("generation, version", upstream_eni.VERSIONS.items())
def test_grpc_for_go(client, at, generation, version):
    """What upstream's daemon is made of."""
    try:
        source = Path(upstream_eni.__file__).with_name("upstream_server.go")
        program = upstream_eni.build(version, source, ("nsenter", f"--net={MACHINE_NETWORK}"), seconds=240)
    except upstream_eni.NotToBeHad as reason:
        pytest.skip(f"a server in gRPC for Go is not to be had: {reason}")
    with subprocess.Popen([program, at], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout.readline() == "ready\n"
            for _ in range(2):
                assert client("add", at, generation=generation) == "success=1 [10.0.2.55 - 1 0] vlan=0 mac=- gateway=- trunk=0 mode="
            assert client("del", at, generation=generation) == f"rpc error: code = NotFound desc = {at}: 100 % gone:\n\tä"
            assert client("health", at) == "health=1"
            if generation == "v1_10":  # its daemon has another service for it
                assert "code = Unimplemented" in client("enforce", at, generation=generation)
        finally:
            server.terminate()


# Peers of another generation, or with a message that is none.

@pytest.mark.parametrize("server, generation, answer", (
    ("v1_20", "v1_10", 'bad reply: rpc error: code = Internal desc = AT: the answer to /rpc.CNIBackend/AddNetwork has IPv4Addr "'),
    ("v1_20", "v1_7", 'bad reply: rpc error: code = Internal desc = AT: the answer to /rpc.CNIBackend/AddNetwork has IPv4Addr "'),
    ("v1_7", "v1_20", "success=1 [- - 0 0]"),  # ipam::remote sees that it has no address
    ("v1_10", "v1_7", "success=1 [10.0.2.55 - 1 0]"),  # nobody can tell
))
def test_another_generation(client, at, server, generation, answer):
    with Stub(at, POOLS, server):
        assert client("add", at, generation=generation).startswith(answer.replace("AT", at))


def reply(client, at, data: bytes, call: str = "add", **options) -> str:
    with Stub(at, POOLS) as daemon:
        daemon.instead = dict.fromkeys(("AddNetwork", "DelNetwork"), lambda _: data)
        return client(call, at, **options)


@pytest.mark.parametrize("data, answer", (
    (b"\xff\xff\xff\xff", "is no such message"),
    (b"\x08", "is no such message"),
    (b"\x12\xff\x01", "is no such message"),
    (encode((1, True), (2, encode((1, b"\xff\xfe")))), "is no such message"),  # not UTF-8
    (encode((1, True), (2, encode((1, "10.0.2.300")))), 'has IPv4Addr "10.0.2.300", which is not an IP address'),
    (encode((1, True), (2, encode((1, "10.0.2.5/32")))), 'has IPv4Addr "10.0.2.5/32", which'),
    (encode((1, True), (2, encode((2, "fd00::x")))), 'has IPv6Addr "fd00::x", which'),
    (encode((1, True), (8, "none")), 'has PodENIMAC "none", which is not a MAC address'),
    (encode((1, True), (9, "eth0")), 'has PodENISubnetGW "eth0", which'),
    (encode((1, True), (2, encode((1, "A" * 5000)))), 'has IPv4Addr "' + "A" * 64 + '", which'),
    (encode((1, True), (2, encode((1, "\x1b[2J\n")))), r'has IPv4Addr "\x1b[2J\n", which'),
))
def test_nonsense(client, at, data, answer):
    got = reply(client, at, data)
    assert got.startswith("bad reply: rpc error: code = Internal desc = ") and answer in got


def test_an_empty_answer_is_no_success(client, at):
    assert reply(client, at, b"").startswith("success=0")
    assert reply(client, at, b"", "del").startswith("success=0")


def test_unknown_fields_are_passed_over(client, at):
    assert reply(client, at, encode((1, True), (99, "x"), (100, 7), (2, encode((1, "10.0.2.5"), (9, "y"))))) == \
        "success=1 [10.0.2.5 - 0 0] vlan=0 mac=- gateway=- trunk=0 mode="


def test_numbers_at_their_bounds(client, at):
    data = encode((1, True), (2, encode((1, "10.0.2.5"), (3, -2**31), (4, 2**31 - 1))), (7, -1), (10, -5))
    assert reply(client, at, data) == f"success=1 [10.0.2.5 - {-2**31} {2**31 - 1}] vlan=-1 mac=- gateway=- trunk=-5 mode="


def test_thousands_of_allocations_are_read_and_more_are_not(client, at):
    one = encode((2, encode((1, "10.0.2.5"), (3, 1), (4, 2))))
    assert reply(client, at, encode((1, True)) + one * 3000).count("[10.0.2.5 - 1 2]") == 3000
    got = reply(client, at, encode((1, True)) + one * 100_000)
    assert got.startswith("rpc error: code = ResourceExhausted desc = ") and "larger than max" in got


def test_what_is_packed_is_not_unpacked(client, at):
    """Which could take any amount of memory, and which a peer does only if it is told that it may."""
    with Stub(at, POOLS) as daemon:
        daemon.gzip = True
        for size in (30, 100_000):
            daemon.instead["AddNetwork"] = lambda _: encode((1, True)) + encode((2, encode((1, "10.0.2.5"), (3, 1), (4, 2)))) * size
            got = client("add", at)
            assert "rpc error: code = " in got and "larger than max" not in got, "it was unpacked"


# Peers that are no gRPC servers.

@contextlib.contextmanager
def peer(path, behave, backlog: int = 8):
    """Calls behave(connection) in a thread for each one that is accepted."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(backlog)
        listener.settimeout(0.1)
        connections, ended = [], threading.Event()

        def accept():
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    connections.append(listener.accept()[0])
                    with contextlib.suppress(OSError):
                        behave(connections[-1])

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            for one in connections:
                one.close()


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def garbage(connection):
    connection.sendall(b"\x00garbage\xff" * 1000)


def http1(connection):
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def goaway(connection):
    connection.sendall(frame(4, 0, 0, b"") + frame(7, 0, 0, struct.pack(">II", 0, 11)))


def huge_frame(connection):
    connection.sendall(frame(4, 0, 0, b"") + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + bytes(100_000))


def reset_stream(connection):
    connection.recv(4096)
    connection.sendall(frame(4, 0, 0, b"") + frame(3, 0, 1, struct.pack(">I", 7)))


@pytest.mark.parametrize("behave", (lambda connection: connection.close(), garbage, http1, goaway, huge_frame, reset_stream),
                         ids=("closes", "garbage", "http1", "goaway", "huge_frame", "reset_stream"))
def test_a_peer_that_is_no_daemon(client, at, tmp_path, behave):
    with peer(tmp_path / "s", behave):
        begin = time.monotonic()
        got = client("add", at)
    assert got.startswith("rpc error: code = "), got
    assert got.split()[4] in ("Unavailable", "Internal", "Unknown"), got
    assert "(not reached)" not in got
    assert time.monotonic() - begin < 1.5


def headers(flags: int, *pairs: tuple[str, str]) -> bytes:
    """Of stream 1, each a literal of HPACK (RFC 7541, section 6.2.2)."""
    return frame(1, 4 | flags, 1, b"".join(
        b"\0" + b"".join(bytes([len(text)]) + text.encode() for text in pair) for pair in pairs))


HEAD, END = headers(0, (":status", "200")), headers(1, ("grpc-status", "0"))


def data(payload: bytes) -> bytes:
    return frame(0, 0, 1, payload)


def reset(error: int) -> bytes:
    return frame(3, 0, 1, struct.pack(">I", error))


@pytest.mark.parametrize("frames, answer", (
    ([headers(1, (":status", "404"))], "Unimplemented: no gRPC server listens there: it answers with HTTP status 404"),
    ([headers(1, (":status", "503"))], "Unavailable: no gRPC server listens there: it answers with HTTP status 503"),
    ([headers(1, (":status", "403"))], "PermissionDenied: no gRPC server listens there: it answers with HTTP status 403"),
    ([headers(1, (":status", "500"))], "Unknown: no gRPC server listens there: it answers with HTTP status 500"),
    ([headers(1, (":status", "200"))], "Unknown: there is no status in the answer"),
    ([HEAD, headers(1, ("grpc-status", "99"), ("grpc-message", "new"))], "Unknown: new"),
    ([HEAD, headers(1, ("grpc-status", "five"))], "Unknown: "),
    ([headers(1, (":status", "200"), ("grpc-status", "5"), ("grpc-message", "a%20b%zz%4%"))], "NotFound: a b%zz%4%"),
    ([HEAD, headers(1, ("grpc-status", "2"), ("grpc-message", " datastore: unknown pod: "))], "Unknown:  datastore: unknown pod: "),
    ([HEAD, END], "Internal: there is no message in the answer"),
    ([HEAD, data(b"\0\0\0\0"), END], "Internal: there is no message in the answer"),
    ([HEAD, data(b"\0\0\0\0\5\x08\1"), END], "Internal: the answer is not one message"),
    ([HEAD, data(b"\0\0\0\0\2\x08\1" * 2), END], "Internal: the answer is not one message"),
    ([HEAD, data(b"\1\0\0\0\2\x08\1"), END], "Internal: the answer is compressed"),
    ([reset(7)], "Unavailable: the call was reset: REFUSED_STREAM"),
    ([HEAD, reset(8)], "Canceled: the call was reset: CANCEL"),
    ([HEAD, data(b"\0\0\0\0\2\x08\1"), reset(11)], "ResourceExhausted: the call was reset: ENHANCE_YOUR_CALM"),
    ([headers(0, (":status", "200"), ("grpc-status", "0")), data(b"\0\0\0\0\2\x08\1"), reset(2)],
     "Internal: the call was reset: INTERNAL_ERROR"),
    ([HEAD, data(b"\0\0\0\0\2\x08\1"), headers(0, ("grpc-status", "0"))], "Internal: the call was reset: PROTOCOL_ERROR"),
    ([HEAD, data(b"\0\0\0\0\2\x08\1"), END], None),
    ([headers(0, (":status", "103"), ("grpc-status", "7")), HEAD, data(b"\0\0\0\0\2\x08\1"), END, b"\xff" * 100], None),
    ([HEAD, data(b"\0\0\0"), data(b"\0\2"), data(b"\x08"), data(b"\1"), END, reset(0)], None),
))
def test_answers_as_they_are_on_the_wire(client, at, tmp_path, frames, answer):
    def behave(connection):
        connection.recv(4096)
        connection.sendall(frame(4, 0, 0, b"") + b"".join(frames))

    with peer(tmp_path / "s", behave):
        got = client("add", at)
    if answer is None:
        assert got.startswith("success=1 ")
    else:
        code, _, words = answer.partition(": ")
        assert got == f"rpc error: code = {code} desc = {at}: {words}"


def silent(connection):
    pass


def pings(connection):
    connection.sendall(frame(4, 0, 0, b""))
    for _ in range(50):
        connection.sendall(frame(6, 0, 0, bytes(8)))


@pytest.mark.parametrize("behave", (silent, pings), ids=("silent", "pings"))
def test_a_peer_that_never_answers(client, at, tmp_path, behave):
    with peer(tmp_path / "s", behave):
        begin = time.monotonic()
        got = client("add", at, within=300)
    assert got == f"rpc error: code = DeadlineExceeded desc = {at}: Deadline Exceeded"
    assert 0.3 <= time.monotonic() - begin < 1


def test_a_peer_that_only_asks(program, at, tmp_path):
    """What it asks for must be answered, and it reads no answer: that takes no memory."""
    if b"__asan_init" in program.read_bytes():
        pytest.skip("the sanitizer takes more addresses than the limit leaves")

    def asks(connection):
        connection.sendall(frame(4, 0, 0, b""))
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(frame(6, 0, 0, bytes(8)) * 1000)

    with peer(tmp_path / "s", asks):
        done = subprocess.run(["/bin/sh", "-c", 'ulimit -v 50000; exec "$@"', "sh", program, "v1_20", "1000", "add", at],
                              capture_output=True, text=True, timeout=30)
    assert done.stdout.startswith("rpc error: code = Unavailable desc = "), done


def test_a_daemon_that_is_slow(client, at):
    with Stub(at, POOLS) as daemon:
        daemon.instead["AddNetwork"] = lambda _: time.sleep(0.5) or encode((1, True))
        assert "DeadlineExceeded" in client("add", at, within=200)
        assert client("add", at, within=5000).startswith("success=1")


@pytest.fixture
def full(at, tmp_path):
    """Whom nobody can connect to: what a call of such a one comes to."""
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(str(tmp_path / "s"))
        listener.listen(0)
        first.connect(str(tmp_path / "s"))
        yield f"rpc error: code = DeadlineExceeded desc = {at}: connect: nobody accepts (not reached)"


def test_a_backlog_that_is_full(client, at, full):
    begin = time.monotonic()
    assert client("add", at, within=300) == full
    assert 0.3 <= time.monotonic() - begin < 1


def test_no_time_left_is_not_for_ever(client, at, full):
    assert client("add", at, within=0) == full


def test_a_call_that_is_stopped_for_a_while(program, at, full):
    begin = time.monotonic()
    with subprocess.Popen([program, "v1_20", "500", "add", at], stdout=subprocess.PIPE, text=True) as call:
        time.sleep(0.1)
        for number in (signal.SIGSTOP, signal.SIGCONT):
            call.send_signal(number)
            time.sleep(0.05)
        assert call.stdout.read() == full + "\n"
    assert 0.5 <= time.monotonic() - begin < 1.5


def test_nobody_there(client, at, tmp_path):
    away = "rpc error: code = Unavailable desc = {}: connect: {} (not reached)"
    assert client("add", at) == away.format(at, "No such file or directory")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))  # and nobody serves it
    assert client("add", at) == away.format(at, "Connection refused")
    (tmp_path / "file").touch()
    assert client("add", f"unix://{tmp_path}/file") == away.format(f"unix://{tmp_path}/file", "Connection refused")
    assert client("add", f"unix://{tmp_path}/file/s") == away.format(f"unix://{tmp_path}/file/s", "Not a directory")
    assert client("add", "127.0.0.1:50051") == away.format("127.0.0.1:50051", "Connection refused")
    assert client("add", "192.0.2.1:50051") == away.format("192.0.2.1:50051", "Network is unreachable")


def test_a_path_that_is_too_long(client, tmp_path):
    assert client("add", f"unix://{tmp_path}/{'a' * 107}").startswith("not where a daemon listens, such as unix:///")
