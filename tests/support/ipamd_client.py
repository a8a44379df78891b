"""A caller of an address daemon of each generation, with Python's own gRPC and messages encoded by hand: nothing of it is cnix's.

As a program it makes the calls that it reads, one JSON object a line, {"method", "fields": {name: value}} or {"method", "raw": hex}, and
writes what came of each as a line: {"reply": {name: value}, "raw": hex} or {"code", "text"}.

    python3 ipamd_client.py GENERATION ENDPOINT
"""

import json
import subprocess
import sys
from pathlib import Path

try:
    import grpc
except ImportError:  # the tests skip themselves
    grpc = None

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.ipamd_stub import ADD, DEL, decode, encode  # noqa: E402

ADD_REPLY = {1: "Success", 5: "UseExternalSNAT", 6: "VPCv4CIDRs", 7: "PodVlanId", 12: "VPCv6CIDRs", 13: "NetworkPolicyMode", 1000: "why"}
DEL_REPLY = {1: "Success", 4: "PodVlanId"}
OLD = {2: "IPv4Addr", 4: "DeviceNumber", 11: "IPv6Addr"}
METHODS = {"AddNetwork": ("/rpc.CNIBackend/AddNetwork", ADD, {"v1_20": ADD_REPLY, "v1_10": ADD_REPLY | OLD, "v1_7": ADD_REPLY | OLD}),
           "DelNetwork": ("/rpc.CNIBackend/DelNetwork", DEL, {"v1_20": DEL_REPLY, "v1_10": DEL_REPLY | {2: "IPv4Addr", 3: "DeviceNumber"},
                                                              "v1_7": DEL_REPLY | {2: "IPv4Addr", 3: "DeviceNumber"}}),
           "Check": ("/grpc.health.v1.Health/Check", {1: "service"}, dict.fromkeys(("v1_7", "v1_10", "v1_20"), {1: "status"}))}


def call(channel, generation: str, what: dict) -> dict:
    method, asked, answered = METHODS.get(what["method"], (what["method"], {}, {}))
    numbers = {name: number for number, name in asked.items()}
    raw = bytes.fromhex(what["raw"]) if "raw" in what else encode(*((numbers[name], value) for name, value in what["fields"].items()))
    try:
        reply = channel.unary_unary(method)(raw, timeout=what.get("timeout", 30))
    except grpc.RpcError as error:
        return {"code": error.code().name, "text": error.details()}
    return {"reply": decode(reply, answered.get(generation, {})), "raw": reply.hex()}


def calls(namespace, generation: str, endpoint: str, *which: dict) -> list[dict]:
    """From a network namespace."""
    done = subprocess.run(namespace.argv(sys.executable, __file__, generation, endpoint), text=True, capture_output=True, timeout=120,
                          input="".join(json.dumps(one) + "\n" for one in which))
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def main():
    _, generation, endpoint = sys.argv
    if endpoint.startswith("unix:///"):
        endpoint = "unix:" + endpoint.removeprefix("unix://")
    with grpc.insecure_channel(endpoint) as channel:
        for line in sys.stdin:
            print(json.dumps(call(channel, generation, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
