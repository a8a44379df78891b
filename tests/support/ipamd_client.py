"""A caller of an address daemon of each generation, with Python's own gRPC and messages encoded by hand: nothing of it is cnix's.

As a program it makes the calls that it reads, one JSON object a line, {"method", "fields": {name: value}} or {"method", "raw": hex}, and
writes what came of each as a line: {"reply": {name: value}, "raw": hex} or {"code", "text"}.

    python3 ipamd_client.py GENERATION ENDPOINT

Or it is many callers at once until the daemon ends, and writes one object of what they saw: Callers.

    python3 ipamd_client.py GENERATION ENDPOINT CALLERS [ENDPOINT]
"""

import json
import subprocess
import sys
import threading
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


class Callers:
    """Who calls until the daemon has gone. Each of `count` adds and deletes one pod after the other; the first four let their tenth be."""

    def __init__(self, namespace, generation: str, endpoint: str, count: int, other_endpoint: str):
        """At each endpoint there is also one who sends no request in its call; at the first, one who watches the health."""
        self._process = subprocess.Popen(namespace.argv(sys.executable, __file__, generation, endpoint, str(count), other_endpoint),
                                         text=True, stdout=subprocess.PIPE)
        assert self._process.stdout.readline() == "under way\n"

    def ended(self) -> dict:
        """{"given": [pods that have an address for all that they know], "unknown": [ones whose call was cut off], "watched": [...]}"""
        text, _ = self._process.communicate(timeout=60)
        return json.loads(text)


def call_until_it_ends(channels: list, generation: str, callers: int) -> dict:
    given, unknown, watched, answered = [], [], [], threading.Semaphore(0)
    over = threading.Event()

    def churn(caller: int) -> None:
        for number in range(1_000_000):
            pod = {"K8S_POD_NAME": "n", "K8S_POD_NAMESPACE": "d", "NetworkName": "aws-cni", "ContainerID": f"c{caller}-{number}", "IfName": "eth0"}
            added = call(channels[0], generation, {"method": "AddNetwork", "fields": pod})
            answered.release()
            if "code" in added:
                return unknown.append(pod["ContainerID"])
            if not added["reply"].get("Success"):
                continue
            if number == 9 and caller < 4:
                given.append(pod["ContainerID"])
            elif "code" in call(channels[0], generation, {"method": "DelNetwork", "fields": pod}):
                return unknown.append(pod["ContainerID"])

    def watch() -> None:
        stream = channels[0].unary_stream("/grpc.health.v1.Health/Watch")(b"")
        try:
            for reply in stream:
                watched.append(decode(reply, {1: "status"})["status"])
                answered.release()
        except grpc.RpcError as error:
            watched.append(error.code().name)

    def hang(channel) -> None:
        def nothing():
            answered.release()
            over.wait()
            yield from ()
        try:
            channel.stream_unary("/rpc.CNIBackend/AddNetwork")(nothing())
        except grpc.RpcError:
            pass

    threads = [threading.Thread(target=churn, args=(number,)) for number in range(callers)] + [threading.Thread(target=watch)]
    hanging = [threading.Thread(target=hang, args=(channel,)) for channel in channels]
    for thread in threads + hanging:
        thread.start()
    for _ in range(20 * callers):
        answered.acquire()
    print("under way", flush=True)
    for thread in threads + hanging:
        thread.join()
    over.set()
    return {"given": given, "unknown": unknown, "watched": watched}


def main():
    _, generation, endpoint, *load = sys.argv
    if endpoint.startswith("unix:///"):
        endpoint = "unix:" + endpoint.removeprefix("unix://")
    if load:
        channels = [grpc.insecure_channel(one) for one in (endpoint, load[1])]
        print(json.dumps(call_until_it_ends(channels, generation, int(load[0]))), flush=True)
        return
    with grpc.insecure_channel(endpoint) as channel:
        for line in sys.stdin:
            print(json.dumps(call(channel, generation, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
