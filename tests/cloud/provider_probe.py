"""The providers as a program (provider_probe.cpp), with the fake cloud behind them."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.fake_cloud import FakeCloud

INSTANCE, PRIMARY, SECOND = "i-00000000000000001", "eni-00000000000000001", "eni-00000000000000002"
OWN, OTHER, NEVER = "subnet-00000000000000001", "subnet-00000000000000002", "subnet-00000000000000003"
MADE_BY, CREATED, NO_MANAGE = (f"node.k8s.amazonaws.com/{name}" for name in ("instance_id", "createdAt", "no_manage"))
ROLE = "kubernetes.io/role/cni"
FIRST = {"id": PRIMARY, "mac": "02:00:00:00:01:00", "subnet": OWN, "device": 0, "addresses": ["10.0.1.10"]}
NEXT = {"id": SECOND, "mac": "02:00:00:00:01:01", "subnet": OTHER, "device": 1, "addresses": ["10.0.2.10", "10.0.2.11"]}


class CloudError(Exception):
    """What a provider's operation failed with."""

    def __init__(self, error: dict):
        self.kind, self.api, self.code, self.what = error["kind"], error["api"], error["code"], error["what"]
        super().__init__(f"{self.kind}: {self.what}")


class Probe:
    def __init__(self, program: Path, cloud, *options: str, environment: dict[str, str] | None = None, imds: str | None = None,
                 ec2: str | None = None):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_") and not name.lower().endswith("_proxy")}
        self.process = subprocess.Popen([program, "--imds", cloud.imds_url if imds is None else imds, "--ec2", cloud.ec2_url if ec2 is None else ec2,
                                         "--sts", cloud.ec2_url, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=clean | (environment or {}))
        self.calls, self.notes, self.seconds = [], [], 0.0

    def start(self, *words) -> None:
        self.began = time.monotonic()
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def finish(self):
        line = self.process.stdout.readline()
        self.seconds = time.monotonic() - self.began
        assert line, f"the probe ended with {self.process.wait()}"
        answer = json.loads(line)
        self.calls, self.notes = [tuple(one) for one in answer["calls"]], answer["notes"]
        if "error" in answer:
            raise CloudError(answer["error"])
        return answer["ok"]

    def __call__(self, *words):
        self.start(*words)
        return self.finish()

    def look(self, *words) -> dict[str, dict]:
        """The ENIs by ID."""
        return {eni["id"]: eni for eni in self("look", *words)["enis"]}

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """Once more does no harm."""
        if self.process.stdin.closed:
            return
        self.process.stdin.close()
        try:
            assert self.process.wait(timeout=20) == 0
        finally:
            self.process.kill()
            self.process.stdout.close()


def state(*enis: dict, tags: dict | None = None, **more) -> dict:
    """A node of m5.large (3 ENIs of 10 addresses) with these ENIs, or one."""
    return {"subnets": [{"id": OWN, "ipv4": "10.0.1.0/24", "ipv6": "fd00:0:0:1::/64"},
                        {"id": OTHER, "ipv4": "10.0.2.0/24", "ipv6": "fd00:0:0:2::/64", "tags": {ROLE: "1"} | (tags or {})},
                        {"id": NEVER, "ipv4": "10.0.3.0/24", "tags": {ROLE: "0"}}],
            "groups": [{"id": "sg-00000000000000001"}, {"id": "sg-00000000000000002"}],
            "instance": {"id": INSTANCE, "type": "m5.large"}, "enis": list(enis) or [FIRST]} | more


@pytest.fixture
def start(pytestconfig, request):
    """start(cloud's state or cloud, option...): a cloud and a probe, as long as the test."""
    program = Path(pytestconfig.option.plugins_dir).resolve().parent / "tests/ipamd_provider_probe"
    if not program.exists():
        pytest.skip(f"{program} was not built: the address manager's libraries are not there")

    def run(given=None, *options, **more):
        cloud = given
        if not isinstance(given, FakeCloud):
            cloud = FakeCloud(state() if given is None else given)
            request.addfinalizer(cloud.close)
        probe = Probe(program, cloud, *options, **more)
        request.addfinalizer(probe.close)
        return cloud, probe

    return run


def patience(how: dict) -> tuple[str, str]:
    """A short time-out where the fake never answers; else one that a busy machine does not reach."""
    return "--timeout", "500" if how.get("end") in ("hang", "stall") else "10000"


def refused(probe, *words) -> CloudError:
    with pytest.raises(CloudError) as caught:
        probe(*words)
    return caught.value


def ec2_calls(probe) -> list[str]:
    return [api for service, api, *_ in probe.calls if service == "ec2"]
