"""An address daemon of each generation, with Python's own gRPC and messages encoded by hand: nothing of it is cnix's.

As a program:  python3 ipamd_stub.py [--generation v1_20] [--agent ENDPOINT] ENDPOINT POOL...
A POOL is the addresses of one network card, DEVICE:ADDRESS[,ADDRESS...], such as 1:10.0.2.0/24 (all hosts of the network) or
0:10.0.0.5,fd00::5. It prints `ready` when it listens and ends with its standard input.
"""

import argparse
import ipaddress
import json
import sys
import threading
from concurrent import futures

try:
    import grpc
except ImportError:  # the tests skip themselves (needs_grpc)
    grpc = None

GENERATIONS = ("v1_7", "v1_10", "v1_20")
# Request fields by number (upstream's rpc.proto).
ADD = {1: "K8S_POD_NAME", 2: "K8S_POD_NAMESPACE", 3: "K8S_POD_INFRA_CONTAINER_ID", 4: "Netns", 5: "IfName", 6: "NetworkName",
       7: "ContainerID", 8: "ClientVersion", 9: "RequiresMultiNICAttachment"}
DEL = {1: "K8S_POD_NAME", 2: "K8S_POD_NAMESPACE", 3: "K8S_POD_INFRA_CONTAINER_ID", 5: "Reason", 6: "IfName", 7: "NetworkName",
       8: "ContainerID", 9: "ClientVersion", 10: "K8S_POD_UID"}
ENFORCE = {1: "K8S_POD_NAME", 2: "K8S_POD_NAMESPACE", 3: "NETWORK_POLICY_MODE", 4: "InterfaceCount"}


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def encode(*fields: tuple[int, object]) -> bytes:
    """Proto3: what is the default is left out."""
    out = b""
    for number, value in fields:
        if not value:
            continue
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def decode(data: bytes, names: dict[int, str]) -> dict[str, object]:
    """Unknown fields by their number, as text."""
    found, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = number()
        if tag & 7 == 0:
            value = number()
        elif tag & 7 == 2:
            size = number()
            value = data[at:at + size].decode(errors="replace")
            at += size
        else:
            raise ValueError(f"wire type {tag & 7}")
        found[names.get(tag >> 3, str(tag >> 3))] = value
    return found


class Refusal(Exception):
    """A gRPC status: UNKNOWN unless said."""

    def __init__(self, text: str, code: str = "UNKNOWN"):
        super().__init__(text)
        self.code = code


class Stub:
    """Addresses by (network, container, interface). `requests` has what was asked, as (method, fields). A function put into
    `instead` under a method's name answers in its place: it gets the fields, and returns the bytes or raises Refusal."""

    def __init__(self, endpoint: str, pools: list[tuple[int, list[str]]], generation: str = "v1_20", agent: str = "", mode: str = ""):
        self.generation, self.mode = generation, mode
        self.pools = [(device, list(addresses)) for device, addresses in pools]
        self.held: dict[tuple, list] = {}
        self.branches: dict[str, dict] = {}  # by pod: vlan, mac, gateway, trunk
        self.requests: list[tuple[str, dict]] = []
        self.health = 1
        self.tells_free = False  # as cnix's daemon does
        self.instead = {}
        self.gzip = False
        self.lock = threading.Lock()
        self.servers = [self._serve(where) for where in (endpoint, agent) if where]

    def _serve(self, endpoint: str):
        server = grpc.server(futures.ThreadPoolExecutor(16))
        server.add_generic_rpc_handlers((_Handlers(self),))
        if endpoint.startswith("unix:"):
            endpoint = "unix:" + endpoint.removeprefix("unix:").removeprefix("//")
        if not server.add_insecure_port(endpoint):
            raise OSError(f"cannot listen at {endpoint}")
        server.start()
        return server

    def stop(self):
        for server in self.servers:
            server.stop(0).wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def asked(self, method: str) -> list[dict]:
        return [fields for name, fields in self.requests if name == method]

    # The methods. Called under the lock, but for what is in `instead`.

    def allocations(self, held: list) -> list[tuple[int, object]]:
        """The fields of a reply; `held` is a list of (device, IPv4, IPv6)."""
        if self.generation == "v1_20":
            return [(2, encode((1, v4), (2, v6), (3, device), (4, device + 1 if device > 0 else 254 if device == 0 else 0)))
                    for device, v4, v6 in held]
        return [(2, held[0][1])] if held else []

    def AddNetwork(self, raw: bytes) -> bytes:
        asked = decode(raw, ADD)
        key = tuple(asked.get(name, "") for name in ("NetworkName", "ContainerID", "IfName"))
        if asked.get("ClientVersion"):
            raise Refusal(f'wrong client version "{asked["ClientVersion"]}" (!= "")', "FAILED_PRECONDITION")
        if not all(key):
            return b""
        branch = self.branches.get(asked.get("K8S_POD_NAME"))
        cards = self.pools if asked.get("RequiresMultiNICAttachment") else self.pools[:1]
        if key not in self.held:
            if not all(addresses for _, addresses in cards):
                return b""  # Success=false
            taken = []
            for device, addresses in cards:
                one = addresses.pop(0)
                other = addresses.pop(0) if addresses and (":" in one) != (":" in addresses[0]) else ""
                v4, v6 = (other, one) if ":" in one else (one, other)
                taken.append((-1 if branch else device, v4, v6))
            self.held[key] = taken
        held = self.held[key]
        fields = [(1, True), *self.allocations(held), (6, "10.0.0.0/16")]
        if self.generation != "v1_20":
            fields.append((4, held[0][0]))
        if self.generation == "v1_10":
            fields.append((11, held[0][2]))
        if branch:
            fields += [(7, branch["vlan"]), (8, branch["mac"]), (9, branch["gateway"]), (10, branch["trunk"])]
        if self.generation != "v1_7":
            fields.append((13, self.mode))
        return encode(*fields)

    def DelNetwork(self, raw: bytes) -> bytes:
        asked = decode(raw, DEL)
        key = tuple(asked.get(name, "") for name in ("NetworkName", "ContainerID", "IfName"))
        if key not in self.held:
            raise Refusal("datastore: unknown pod" if self.generation == "v1_7" else "1 error occurred:\n\t* datastore: unknown pod\n\n")
        held = self.held.pop(key)
        for (_, addresses), (_, *released) in zip(self.pools, held):
            addresses += [address for address in released if address]
        fields = [(1, True), *self.allocations(held)]
        if branch := self.branches.get(asked.get("K8S_POD_NAME")):
            fields.append((4, branch["vlan"]))
        if self.generation != "v1_20":
            fields.append((3, held[0][0]))
        if self.generation == "v1_10":
            fields.append((5, held[0][2]))
        if self.generation != "v1_7":
            fields.append((6, self.mode))
        return encode(*fields)

    def EnforceNpToPod(self, _: bytes) -> bytes:
        return encode((1, True))

    DeletePodNp = EnforceNpToPod

    def Check(self, raw: bytes) -> bytes:
        service = decode(raw, {1: "service"}).get("service", "")
        if service == "cnix.free-addresses" and self.tells_free:
            return encode((1, 1 if self.pools[0][1] else 2))
        if service not in ("", "grpc.health.v1.aws-node"):
            raise Refusal("unknown service", "NOT_FOUND")
        return encode((1, self.health))


METHODS = {
    "/rpc.CNIBackend/AddNetwork": ("AddNetwork", ADD),
    "/rpc.CNIBackend/DelNetwork": ("DelNetwork", DEL),
    "/rpc.NPBackend/EnforceNpToPod": ("EnforceNpToPod", ENFORCE),
    "/rpc.NPBackend/DeletePodNp": ("DeletePodNp", ENFORCE),
    "/grpc.health.v1.Health/Check": ("Check", {1: "service"}),
}

if grpc:
    class _Handlers(grpc.GenericRpcHandler):
        def __init__(self, stub: Stub):
            self.stub = stub

        def service(self, details):
            if details.method not in METHODS:
                return None  # UNIMPLEMENTED
            name, names = METHODS[details.method]

            def answer(raw, context):
                with self.stub.lock:
                    self.stub.requests.append((name, decode(raw, names)))
                if self.stub.gzip:
                    context.set_compression(grpc.Compression.Gzip)
                try:
                    if name in self.stub.instead:
                        return self.stub.instead[name](decode(raw, names))
                    with self.stub.lock:
                        return getattr(self.stub, name)(raw)
                except Refusal as refusal:
                    context.abort(getattr(grpc.StatusCode, refusal.code), str(refusal))

            return grpc.unary_unary_rpc_method_handler(answer)


def pool(text: str) -> tuple[int, list[str]]:
    device, _, addresses = text.partition(":")
    if "/" in addresses:
        return int(device), [str(host) for host in ipaddress.ip_network(addresses).hosts()]
    return int(device), addresses.split(",")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generation", choices=GENERATIONS, default="v1_20")
    parser.add_argument("--agent", default="", help="where the network policy agent listens; it does nothing")
    parser.add_argument("--mode", default="", help="NetworkPolicyMode of the replies")
    parser.add_argument("endpoint")
    parser.add_argument("pools", nargs="+", type=pool)
    options = parser.parse_args()
    with Stub(options.endpoint, options.pools, options.generation, options.agent, options.mode) as stub:
        print("ready", flush=True)
        sys.stdin.read()
        json.dump([[name, fields] for name, fields in stub.requests], sys.stdout)


if __name__ == "__main__":
    main()
