"""cnix-ipamd, the node's address manager, in a node's namespace, and a node with it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from .cni import Attachment, Node
from .eni_lab import EniLab
from .fake_cloud.lab import LabCloud
from .namespace import unique
from .traffic import eventually

SPOOLED = uuid.UUID("6b1f0a3e-52c4-4d0b-9e7d-358ac190e247")  # what an attachment's digest is made of


class Ipamd:
    """The program, started and stopped. `settings` are flags without their dashes: {"warm-ip-target": 3}."""

    def __init__(self, node: Node, cloud: LabCloud, program: str = "cnix-ipamd", **settings):
        self.node, self.cloud, self.program = node, cloud, program
        self.directory = node.directory / unique("ipamd")
        self.directory.mkdir()
        self.socket = self.directory / "ipamd.sock"
        self.checkpoint = self.directory / "ipam.json"
        self.spool = self.directory / "spool"
        self.log_file = self.directory / "log"
        self.settings = {"socket": self.socket, "backing-store": self.checkpoint, "spool": self.spool, "log-level": "debug",
                         "disable-metrics": True, "disable-introspection": True}
        self.settings |= {name.replace("_", "-"): value for name, value in settings.items()}
        self.process: subprocess.Popen | None = None
        self.environment: dict[str, str] = {}
        self.ahead = 0  # seconds; pass_time()

    @property
    def argv(self) -> list[str]:
        flags = [f"--{name}={str(value).lower() if isinstance(value, bool) else value}"
                 for name, value in self.settings.items() if value is not None]
        return [str(self.node.plugins.path(self.program)), *flags]

    def start(self, ready: bool = True, prefix: tuple[str, ...] = ()) -> "Ipamd":
        """Until it says that it is ready."""
        self._notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = self.directory / "notify"
        path.unlink(missing_ok=True)
        self._notified.bind(str(path))
        environment = {"PATH": os.environ["PATH"], "NOTIFY_SOCKET": str(path), "AWS_REGION": self.cloud.cloud.region,
                       "AWS_ENDPOINT_URL_EC2": self.cloud.ec2_url, "AWS_ENDPOINT_URL_STS": self.cloud.ec2_url}
        environment |= {key: value for key, value in os.environ.items() if key.endswith("SAN_OPTIONS")}
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(self.node.argv(*prefix, *self.argv), env=environment | self.environment,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if ready:
            self.wait("READY=1")
        return self

    def wait(self, text: str, timeout: float = 60) -> str:
        """Until it tells systemd that; what it told."""
        self._notified.settimeout(timeout)
        while True:
            try:
                said = self._notified.recv(65536).decode()
            except TimeoutError:
                raise AssertionError(f"{self.program} did not say {text}:\n{self.log}") from None
            if text in said:
                return said

    def is_sanitized(self) -> bool:
        """By AddressSanitizer, which keeps what was freed for a while."""
        return b"__asan_init" in self.node.plugins.path(self.program).read_bytes()

    def with_a_clock(self) -> "Ipamd":
        """Whose time can pass_time(); called before the start."""
        library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
        if library is None:
            pytest.skip("libfaketime is missing (Debian: libfaketime)")
        if self.is_sanitized():
            pytest.skip("the sanitizer's library must be loaded before libfaketime")
        self._preload(library)
        self.environment |= {"FAKETIME_TIMESTAMP_FILE": str(self.directory / "clock"), "FAKETIME_NO_CACHE": "1"}
        self.pass_time(0)
        return self

    def with_fsync(self, body: str) -> "Ipamd":
        """Whose fsync(2) does that, in C; called before the start."""
        if self.is_sanitized():
            pytest.skip("the sanitizer's library must be loaded before another")
        library = self.directory / "fsync.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(library)], check=True, text=True,
                       input=f"#include <errno.h>\n#include <unistd.h>\nint fsync(int file) {{ (void)file; {body} }}\n")
        self._preload(library)
        return self

    def _preload(self, library: Path) -> None:
        self.environment["LD_PRELOAD"] = f"{self.environment.get('LD_PRELOAD', '')} {library}".strip()

    def pass_time(self, seconds: int) -> None:
        """All clocks of the daemon, and the cloud's, are so much later at once. It notices with the next thing that happens on the node."""
        self.ahead += seconds
        self.cloud.advance(seconds)
        self.cloud.set(skew=self.ahead)
        fresh = self.directory / "clock.new"
        fresh.write_text(f"+{self.ahead}s")
        fresh.rename(self.directory / "clock")  # it reads it each time
        self.look_around()

    def look_around(self) -> None:
        """It compares the node at once: something happens there."""
        self.node.ip("route replace blackhole 192.0.2.1")
        self.node.ip("route del blackhole 192.0.2.1")

    def stop(self, how: int = signal.SIGTERM, timeout: float = 30, status: int = 0) -> None:
        """With this status, unless it is killed."""
        self.process.send_signal(how)
        ended = self.process.wait(timeout)
        self.process = None
        self._notified.close()
        assert how == signal.SIGKILL or ended == status, f"{self.program} ended with {ended}:\n{self.log}"

    def restart(self, how: int = signal.SIGTERM) -> None:
        self.stop(how)
        self.start()

    def close(self) -> None:
        if self.process:
            self.stop(signal.SIGKILL)

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def stored(self) -> dict:
        """Address by container, of the checkpoint."""
        if not self.checkpoint.exists():
            return {}
        return {one["containerID"]: one.get("ipv4", one.get("ipv6")) for one in json.loads(self.checkpoint.read_text())["allocations"]}

    def leave_release(self, container: str) -> Path:
        """As the plugin leaves a pod's in the spool while the daemon is away."""
        network, interface = "aws-cni", "eth0"
        self.spool.mkdir(exist_ok=True)
        file = self.spool / f"{uuid.uuid5(SPOOLED, f'{network}/{container}/{interface}').hex}.json"
        file.write_text(json.dumps({"version": 1, "network": network, "container": container, "interface": interface, "podName": "nginx",
                                    "podNamespace": "default", "infraContainer": container, "podUID": "", "reason": "PodDeleted"}))
        return file

    def memory(self) -> int:
        """Bytes of it that are resident."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def metric(self, name: str) -> float:
        """Of one without labels, or with them as they stand there."""
        for line in self.get("/metrics", 61678).splitlines():
            if line.startswith(name + " "):
                return float(line.rpartition(" ")[2])
        return 0

    def status(self) -> dict:
        return json.loads(self.get("/v1/status", 61679))

    def took_to_end(self) -> float:
        """Seconds, by its own log, from a signal to its last line."""
        lines = self.log.splitlines()
        begun = next(at for at in range(len(lines) - 1, -1, -1) if " ends, by " in lines[at])
        first, last = (datetime.fromisoformat(lines[at].partition(" ")[0]) for at in (begun, -1))
        return (last - first).total_seconds()

    def get(self, path: str, port: int) -> str:
        """Of its HTTP servers."""
        def ask():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        return self.node.inside(ask)


@dataclass
class Managed:
    """A node whose addresses cnix-ipamd manages. The cloud is as it is made; the daemon is started by the test."""

    node: Node
    lab: EniLab
    cloud: LabCloud
    daemons: list = field(default_factory=list)

    def daemon(self, program: str = "cnix-ipamd", **settings) -> Ipamd:
        if program not in self.node.plugins:
            pytest.skip(f"{program} is not built: cnix was configured without its libraries")
        self.daemons.append(self.node.own(Ipamd(self.node, self.cloud, program, **settings)))
        return self.daemons[-1]

    def config(self, **keys) -> dict:
        daemon = self.daemons[-1]
        ipam = {"endpoint": f"unix://{daemon.socket}", "spool": str(daemon.spool)} | keys.pop("ipam", {})
        return {"cniVersion": "1.0.0", "name": "aws-cni", "type": "eni", "ipam": ipam} | keys

    def pod(self, name: str = "nginx", **keys) -> Attachment:
        args = f"IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={name};K8S_POD_INFRA_CONTAINER_ID=c;K8S_POD_UID=u"
        return Attachment(self.node, self.config(**keys), self.node.pod(), plugin="eni", args=args)

    def attach(self, name: str = "nginx", **keys) -> Attachment:
        pod = self.pod(name, **keys)
        pod.add()
        return pod

    def attach_all(self, count: int) -> list[Attachment]:
        pods = [self.pod(f"pod-{number}") for number in range(count)]
        with ThreadPoolExecutor(min(count, 64)) as each:
            list(each.map(lambda pod: pod.add(), pods))
        return pods


def managed_of(lab: EniLab, **options) -> Managed:
    cloud = lab.node.own(LabCloud(lab, **options))
    return Managed(lab.node, lab, cloud)


def wait_until(condition, daemon: Ipamd, seconds: float = 30) -> None:
    assert eventually(condition, seconds), "in vain:\n" + daemon.log


def fields(container: str = "c1", **more) -> dict:
    return {"K8S_POD_NAME": "nginx", "K8S_POD_NAMESPACE": "default", "NetworkName": "aws-cni", "ContainerID": container,
            "IfName": "eth0"} | more
