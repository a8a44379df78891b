"""A fake AWS: the instance metadata service and EC2's (and STS's) query API on one state, with what goes wrong in a cloud.

In a test:

    with FakeCloud(state) as cloud:      # see FakeCloud.build() for the state
        cloud.imds_url, cloud.ec2_url    # the latter is also STS's
        cloud.throttle("AssignPrivateIpAddresses", times=3)
        ...
        assert cloud.count("ec2") <= 7

As a program: see __main__.py. Nothing is an SDK's: independent clients judge it (tests/cloud).
"""

import copy
import dataclasses
import json
import threading
from collections import Counter

from . import signature
from .ec2 import ACTIONS, Ec2, Sts
from .errors import Refusal
from .faults import Fault, Faults, Reply
from .imds import Imds
from .keys import Keyring
from .model import CHOICES, Cloud, Eni, Instance, InstanceType, Knobs, Subnet
from .server import Request, Server, listen

__all__ = ["ACTIONS", "Call", "Cloud", "Eni", "FakeCloud", "Fault", "Instance", "InstanceType", "Knobs", "Refusal", "Subnet"]

DEFAULT = {"subnets": [{"ipv4": "10.0.1.0/24", "ipv6": "fd00:0:0:1::/64"}], "instance": {"type": "m5.large"},
           "enis": [{"device": 0}]}


@dataclasses.dataclass
class Call:
    at: float  # the cloud's clock
    service: str  # ec2, sts, imds
    action: str  # of imds the path after latest/, after "PUT " and the like if it is no GET
    parameters: dict
    status: int = 0  # 0: no answer (yet)
    error: str = ""  # its code, of ec2 and sts
    key: str = ""  # the access key that it was signed with


class FakeCloud:
    """All that a test asks of the cloud. Functions whose name a test may give the program's control are in CONTROLS."""

    CONTROLS = ("fail", "throttle", "deny", "set", "clear", "release", "waiting", "advance", "away", "back", "occupy", "exhaust", "vacate",
                "add_eni", "remove_eni", "assign", "unassign", "override", "expire_credentials", "expire_tokens", "web_token", "recorded",
                "count", "counts", "forget", "state")

    def __init__(self, state: dict | None = None, imds: str = "127.0.0.1:0", ec2: str = "127.0.0.1:0", frozen_clock: bool = False,
                 hook=None, listen=listen):
        """`listen` makes the listeners: `lambda address: node.inside(server.listen, address)` for another network namespace.
        `hook(event, eni, addresses)`: see Cloud.changed(); "attach" and "detach" make and remove the ENI's link. An empty
        address has no listener."""
        self.cloud = Cloud(frozen_clock)
        self.lock = self.cloud.lock
        self.faults = Faults()
        self.calls: list[Call] = []
        self._answered = threading.Condition(self.lock)
        self.keyring = Keyring(self.cloud)
        self.imds = Imds(self.cloud, self.keyring)
        self.ec2, self.sts = Ec2(self.cloud, self.keyring), Sts(self.keyring)
        if hook:
            self.cloud.on_change.append(hook)
        self.cloud.on_change.append(lambda *_: self._answered.notify_all())
        with self.lock:
            self.build(DEFAULT if state is None else state)
        self._listen, self._ending = listen, False
        self._servers = {name: Server(listen(address), application) for name, address, application in
                         (("imds", imds, self._imds), ("ec2", ec2, self._ec2)) if address}
        self.imds_url, self.ec2_url = (self._servers[name].url if name in self._servers else "" for name in ("imds", "ec2"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        self._ending = True
        self.release()
        for server in self._servers.values():
            server.close()
        self.cloud.clock.close()

    # The state.

    def build(self, state: dict) -> None:
        """What there is; every part may be left out. An ENI without `device` is on no instance, one without addresses gets a primary one.

            {"region", "vpc": {"id", "ipv4": [], "ipv6": []}, "groups": [{"id", "name"}],
             "subnets": [{"id", "ipv4", "ipv6", "zone", "tags": {}, "others": [IPv4 addresses that are in use]}],
             "types": [{"name", "ipv4": addresses of an ENI, "cards": [ENIs of each network card]}],
             "instance": {"id", "type", "zone"}, "others": [more instances],
             "enis": [{"id", "mac", "subnet": its id or place in `subnets`, "device", "card", "addresses", "prefixes", "addresses6",
                       "prefixes6", "tags", "groups", "description", "type", "instance": the id of another than `instance`}],
             "web_tokens": {token: subject}, "keys": {access key: secret}}
        """
        state = copy.deepcopy(state)
        cloud, vpc = self.cloud, state.get("vpc", {})
        cloud.region = state.get("region", cloud.region)
        cloud.vpc, cloud.vpc4, cloud.vpc6 = vpc.get("id", cloud.vpc), vpc.get("ipv4", cloud.vpc4), vpc.get("ipv6", cloud.vpc6)
        for type in state.get("types", []):
            cloud.types[type["name"]] = InstanceType(**type | {"cards": tuple(type["cards"])})
        zone = state.get("instance", {}).get("zone", f"{cloud.region}a")
        subnets = [cloud.add_subnet(one["ipv4"], one.get("ipv6", ""), one.get("id", ""), one.get("zone", zone), one.get("tags"))
                   for one in state.get("subnets", [])]
        for subnet, one in zip(subnets, state.get("subnets", [])):
            subnet.others |= set(one.get("others", []))
        groups = [cloud.add_group(**one) for one in state.get("groups", [{}])]
        instance = cloud.add_instance(**{"zone": zone} | state.get("instance", {}))
        for one in state.get("others", []):
            cloud.add_instance(**{"zone": zone} | one)
        for given in state.get("enis", []):
            given = {"subnet": 0, "groups": [one.id for one in groups[:1]], "instance": instance.id if "device" in given else None} | given
            cloud.add_eni(self.subnet(given.pop("subnet")), **given)
        self.keyring.web_tokens |= state.get("web_tokens", {})
        self.keyring.keys |= {key: [secret, "", None] for key, secret in state.get("keys", {}).items()}

    def subnet(self, which: str | int) -> Subnet:
        """By id or place."""
        return list(self.cloud.subnets.values())[which] if isinstance(which, int) else self.cloud.subnet(which)

    def add_eni(self, subnet: str | int = 0, instance: str | None = None, **fields) -> dict:
        """By other means than a call, as an operator does in the console; on the instance if one is given."""
        with self.lock:
            return _plain(self.cloud.add_eni(self.subnet(subnet), instance, event="attach", **fields))

    def remove_eni(self, id: str) -> None:
        """By other means, at once, whether it is in use or not."""
        with self.lock:
            eni = self.cloud.enis.pop(id)
            if eni.attachment:
                eni.attachment = None
                self.cloud.changed("detach", eni)

    def assign(self, eni: str, *addresses: str) -> None:
        """By other means: addresses and prefixes."""
        with self.lock:
            self.cloud.assign(self.cloud.enis[eni], exactly=addresses)

    def unassign(self, eni: str, *addresses: str) -> None:
        with self.lock:
            self.cloud.unassign(self.cloud.enis[eni], list(addresses))

    def occupy(self, subnet: str | int, *addresses: str) -> None:
        """Others use these IPv4 addresses."""
        with self.lock:
            self.subnet(subnet).others |= set(addresses)

    def exhaust(self, subnet: str | int, left: int = 0) -> None:
        """Others use all of the subnet but for so many IPv4 addresses."""
        with self.lock:
            where = self.subnet(subnet)
            where.others |= set(self.cloud.free_addresses(where, max(self.cloud.available(where) - left, 0)))

    def vacate(self, subnet: str | int) -> None:
        with self.lock:
            self.subnet(subnet).others.clear()

    @property
    def enis(self) -> dict[str, Eni]:
        return self.cloud.enis

    def state(self) -> dict:
        with self.lock:
            return {"now": self.cloud.clock.now(), "enis": [_plain(eni) for eni in self.cloud.enis.values()], "subnets": [
                    {"id": one.id, "ipv4": one.ipv4, "ipv6": one.ipv6, "available": self.cloud.available(one)}
                    for one in self.cloud.subnets.values()], "instance": dataclasses.asdict(self.cloud.instances[self.cloud.self_id])}

    # What goes wrong.

    def fail(self, target: str, code: str = "", times: int | None = 1, **how) -> Fault:
        """Of the next `times` calls (None: all, until clear()) of an action, after the first `skip`. `target` is a pattern as of a shell:
        "AssignPrivateIpAddresses", "Describe*", "ec2:*", "imds:meta-data/mac", "imds:PUT api/token", "sts:*"; `where`
        are parameters it must have. One of, or several:
        code (and text, status)  an error reply as EC2 words it; of imds an HTTP status alone
        status                   this HTTP status
        body                     this text, or one of empty, html, broken (XML), bomb (of entities), huge; half: of the true one
        delay                    seconds of the cloud's clock before all else
        hold                     wait for release() before all else
        end                      hang (never answer), reset, close (without an answer), truncate (half of the body, then close), stall (half
                                 of the body, then nothing), garbage (what is no HTTP)
        after                    the action is carried out, only its answer is spoiled; without it, only delay, hold, truncate and stall
                                 (and the body half) carry on
        """
        with self.lock:
            return self.faults.add(Fault(target, times, code=code, **how))

    def throttle(self, target: str = "ec2:*", times: int | None = 1, code: str = "RequestLimitExceeded", **how) -> Fault:
        return self.fail(target, code, times, **how)

    def deny(self, action: str) -> Fault:
        """The role has no permission, from now on."""
        return self.fail(f"ec2:{action}", "UnauthorizedOperation", None)

    def clear(self) -> None:
        """No fault is left, and those that wait go on."""
        with self.lock:
            self.faults.clear()
        self.release()

    def release(self) -> None:
        """Calls that are held or delayed now go on."""
        with self.lock:
            for held in self.faults.waiting:
                held.set()

    def waiting(self) -> int:
        """Calls that are held or delayed."""
        with self.lock:
            return len(self.faults.waiting)

    def set(self, **knobs) -> None:
        """See model.Knobs."""
        with self.lock:
            for name, value in knobs.items():
                if name not in Knobs.__dataclass_fields__:
                    raise ValueError(f"there is no knob {name}")
                if value not in CHOICES.get(name, (value,)):
                    raise ValueError(f"{name}: {value!r} is none of {', '.join(CHOICES[name])}")
                setattr(self.cloud.knobs, name, tuple(value) if isinstance(value, list) else value)
            self.imds.refresh()
            self.ec2.stale = self.ec2.frozen() if self.cloud.knobs.ec2_stale else None

    def advance(self, seconds: float) -> None:
        """Moves the cloud's clock; what becomes due has happened when this returns."""
        self.cloud.clock.advance(seconds)
        with self.lock:
            self.imds.refresh()

    def away(self, *services: str) -> None:
        """imds and ec2, or one of them: connections are cut, new ones refused."""
        for name in services or self._servers:
            self._servers[name].close()

    def back(self) -> None:
        """What was away is at its old address."""
        for name, server in self._servers.items():
            if server.ending.is_set():
                self._servers[name] = Server(self._listen(server.url.removeprefix("http://")), server.application)

    def override(self, path: str, text: str | None) -> None:
        """What the metadata says at a path ("meta-data/mac"), None: 404."""
        with self.lock:
            self.imds.overrides[path] = text

    def expire_credentials(self) -> None:
        with self.lock:
            self.keyring.expire()

    def expire_tokens(self) -> None:
        """Of the metadata service: all there are."""
        with self.lock:
            self.imds.tokens.clear()

    def web_token(self, token: str, subject: str) -> None:
        with self.lock:
            self.keyring.web_tokens[token] = subject

    # What was asked.

    def recorded(self, service: str = "") -> list[dict]:
        with self.lock:
            return [dataclasses.asdict(call) for call in self.calls if service in ("", call.service)]

    def of(self, *names: str) -> list[Call]:
        """Those of a service ("ec2") or of an action."""
        with self.lock:
            return [call for call in self.calls if not names or call.service in names or call.action in names]

    def count(self, *names: str) -> int:
        return len(self.of(*names))

    def counts(self, service: str = "ec2") -> dict[str, int]:
        """By action."""
        return dict(Counter(call.action for call in self.of(service)))

    def forget(self) -> None:
        with self.lock:
            self.calls.clear()

    def wait_for(self, condition, timeout: float = 30) -> None:
        """Until condition() holds; it is asked again after each call's start and end."""
        with self._answered:
            assert self._answered.wait_for(condition, timeout), "the cloud waited in vain"

    # Serving.

    def _imds(self, request: Request) -> Reply:
        return self._control(request) if request.target == "/control" else self._serve_call(self.imds, request)

    def _ec2(self, request: Request) -> Reply:
        if request.target == "/control":
            return self._control(request)
        return self._serve_call(self.sts if ("Version", "2011-06-15") in request.form() else self.ec2, request)

    def _serve_call(self, service, request: Request) -> Reply:
        action, parameters = service.parse(request)
        with self._answered:
            call = Call(self.cloud.clock.now(), service.name, action, dict(parameters), key=signature.key_of(request))
            self.calls.append(call)
            fault = self.faults.take(service.name, action, parameters)
            self._answered.notify_all()
        if fault and not fault.after:
            self._wait(fault)
        with self._answered:
            if fault and fault.answers:
                reply = Reply(200, "")
            else:
                try:
                    reply = service.answer(request, action, parameters)
                except Refusal as refusal:
                    reply, call.error = service.refused(refusal), refusal.code
        if fault and fault.after:
            self._wait(fault)
        with self._answered:
            if fault and self._ending:
                return Reply(503, "", end="close")
            if fault:
                reply = fault.spoil(reply, service.refused)
                call.error = fault.code or call.error
            call.status = 0 if reply.end in ("hang", "reset", "close") else reply.status
            self._answered.notify_all()
        return reply

    def _wait(self, fault: Fault) -> None:
        if not fault.hold and not fault.delay:
            return
        ready = threading.Event()
        with self._answered:
            if self._ending:
                return
            self.faults.waiting.append(ready)
            if fault.delay and not fault.hold:
                self.cloud.clock.after(fault.delay, ready.set)
            self._answered.notify_all()
        ready.wait()
        with self._answered:
            self.faults.waiting.remove(ready)

    def _control(self, request: Request) -> Reply:
        if request.method == "GET":
            return Reply(200, json.dumps(self.state() | {"calls": self.recorded()}), "application/json")
        status, text = self.control(request.body.decode())
        return Reply(status, text, "application/json")

    def control(self, text: str) -> tuple[int, str]:
        """{"call": one of CONTROLS, "args": [...], "kwargs": {...}}: an HTTP status, and what it returned or {"error"} as JSON."""
        try:
            asked = json.loads(text)
            if asked["call"] not in self.CONTROLS:
                raise ValueError(f"call: {asked['call']!r} is none of {', '.join(self.CONTROLS)}")
            found = getattr(self, asked["call"])(*asked.get("args", []), **asked.get("kwargs", {}))
            return 200, json.dumps(None if isinstance(found, Fault) else found)
        except (ValueError, TypeError, KeyError, IndexError, Refusal) as error:
            return 400, json.dumps({"error": f"{type(error).__name__}: {error}"})


def _plain(eni: Eni) -> dict:
    return dataclasses.asdict(eni) | {"status": eni.status}
