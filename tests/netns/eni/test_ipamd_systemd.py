"""cnix-ipamd as a service: the unit of packaging/systemd, run by a systemd of its own. The plugin is outside, as runtimes start it."""

import re
from pathlib import Path

import pytest

from support.eni_lab import EniLab
from support.ipamd import Ipamd, Managed, managed_of
from support.systemd import Systemd
from support.traffic import reaches

ROOT = Path(__file__).resolve().parents[3]
UNIT = (ROOT / "packaging/systemd/cnix-ipamd.service").read_text()

NOT_EVERYWHERE = ("bin/kill", "bin/pkill", "bin/pgrep", "sbin/sysctl")  # of procps, which not every Debian has


class Service:
    """The daemon as systemd has it, in the part of support.ipamd.Ipamd."""

    def __init__(self, managed: Managed, program: str = "cnix-ipamd", more: str = "", **settings):
        node, cloud = managed.node, managed.cloud
        if program not in node.plugins:
            pytest.skip(f"{program} is not built: cnix was configured without its libraries")
        if Ipamd(node, cloud, program).is_sanitized():
            pytest.skip("a sanitizer needs more system calls than the unit allows")
        self.program = program
        variables = {"AWS_REGION": cloud.cloud.region, "AWS_ENDPOINT_URL": cloud.ec2_url}
        units = {f"{program}.service": UNIT + f"\n[Service]\n{more}\n"}
        files = {"default/cnix-ipamd": "".join(f"{name}={value}\n" for name, value in variables.items()), "cnix/ipamd.toml": self._toml(settings)}
        self.systemd = node.own(Systemd(node, node.directory / "systemd", units, {f"sbin/{program}": node.plugins.path(program)}, files,
                                        without=NOT_EVERYWHERE))
        self.directory = self.systemd.runtime / "aws-node"
        self.socket, self.checkpoint, self.spool = (self.directory / name for name in ("ipamd.sock", "ipam.json", "cnix-spool"))
        managed.daemons.append(self)

    stored = Ipamd.stored

    @staticmethod
    def _toml(settings: dict) -> str:
        return "".join(f"{name.replace('_', '-')} = {value}\n" for name, value in settings.items())

    def set(self, **settings) -> None:
        self.systemd.file("etc/cnix/ipamd.toml").write_text(self._toml(settings))

    def __call__(self, verb: str, *options: str, check: bool = True) -> int:
        return self.systemd.systemctl(verb, *options, self.program, check=check).returncode

    def show(self, *names: str) -> list[str]:
        return self.systemd.show(self.program, *names)

    def journal(self, *options: str) -> str:
        return self.systemd.journal("--unit", self.program, "--output", "cat", *options)

    def refused(self) -> list[str]:
        """What it says that the unit keeps it from."""
        return re.findall(r".*(?:not permitted|ermission denied|Read-only|inaccessible).*", self.journal())


def test_a_service(managed):
    """From start to stop: the node's set-up and growth, pods by the plugin, a reload, a release while it is away."""
    service = Service(managed, warm_ip_target=1, log_level='"debug"')
    service("enable", "--now")
    assert service.show("ActiveState", "SubState", "StatusText") == ["active", "running", "serves /var/run/aws-node/ipamd.sock"]
    assert (service.socket.stat().st_mode & 0o777, service.directory.stat().st_mode & 0o777) == (0o660, 0o755)
    pods = [managed.attach(f"pod-{number}") for number in range(4)]  # the fourth needs an ENI that is set up now
    for pod in pods:
        assert reaches(pod.pod, managed.lab.instance.address4)
    managed.node.run("nft", "delete", "table", "inet", "cnix")
    service.systemd.wait(lambda: managed.node.run("nft", "list", "table", "inet", "cnix", check=False).returncode == 0)
    service.systemd.wait(lambda: "is missing" in service.journal("--priority", "warning"))  # it says so afterwards
    assert "is ready" not in service.journal("--priority", "warning")
    assert "is ready" in service.journal("--priority", "info")

    service.set(warm_ip_target=3)
    service("reload")
    service.systemd.wait(lambda: "the settings are read anew" in service.journal())
    service.systemd.wait(lambda: service.show("SubState", "StatusText") == ["running", "serves /var/run/aws-node/ipamd.sock"])
    service.set(warm_ip_target='"many"')
    service("reload")
    service.systemd.wait(lambda: "the settings stay as they were" in service.journal())

    service("stop")
    assert service.show("ActiveState", "Result", "NRestarts") == ["inactive", "success", "0"]
    service.set(warm_ip_target=3)
    pods.pop().delete()
    assert len(list(service.spool.glob("*.json"))) == 1
    assert reaches(pods[0].pod, managed.lab.instance.address4), "pods outlive it"
    service("start")
    assert list(service.spool.glob("*.json")) == []
    assert service.stored() == {pod.pod.container: pod.address for pod in pods}
    for pod in pods:
        pod.check()
        pod.delete()
    service("stop")
    assert service.refused() == []


def test_what_does_not_work_is_its_status(managed):
    """Until it works again; also after a reload."""
    service = Service(managed, warm_ip_target=2)
    service("start")
    service.directory.chmod(0o555)  # which root may not pass over without CAP_DAC_OVERRIDE
    managed.pod("refused").run("ADD").failure()
    service("reload")
    service.systemd.wait(lambda: "the settings are read anew" in service.journal())
    (told,) = service.show("StatusText")
    assert told.startswith("checkpoint: ") and "ipam.json" in told
    service.directory.chmod(0o755)
    managed.attach().delete()
    assert service.show("StatusText") == ["serves /var/run/aws-node/ipamd.sock"]


def test_it_is_started_again_when_it_is_killed(managed):
    """However often; pods keep what they have."""
    service = Service(managed, more="RestartSec=50ms", warm_ip_target=2)
    service("start")
    assert service.show("StartLimitIntervalUSec") == ["0"]
    pod = managed.attach()
    for number in range(1, 7):  # by default systemd starts nothing six times in 10 s
        service("kill", "--signal=KILL")
        service.systemd.wait(lambda: service.show("NRestarts", "ActiveState") == [str(number), "active"])
    assert service.stored() == {pod.pod.container: pod.address} and reaches(pod.pod, managed.lab.instance.address4)
    pod.check()
    pod.delete()


def test_wrong_settings_are_not_tried_again(managed):
    service = Service(managed, more="RestartSec=0", warm_ip_target='"many"')
    assert service("start", check=False) != 0
    assert service.show("ActiveState", "Result", "ExecMainStatus", "NRestarts") == ["failed", "exit-code", "2", "0"]
    assert "warm-ip-target" in service.journal()
    service.set(warm_ip_target=1, log_file='"/var/log/cnix/ipamd.log"')
    service("start")
    assert service.show("SubState") == ["running"] and "is ready" in service.systemd.file("var/log/cnix/ipamd.log").read_text()


def test_what_is_missing_is_its_status_and_the_other_program(node):
    lab = node.own(EniLab(node, 2))
    lab.enis[1].assign("10.0.2.55")
    managed = managed_of(lab)
    service = Service(managed, "cnix-ipamd-imds")
    managed.cloud.away()
    service("start", "--no-block")
    service.systemd.wait(lambda: service.show("StatusText")[0].startswith("cloud: "))
    assert service.show("ActiveState") == ["activating"] and "metadata" in service.show("StatusText")[0]
    managed.cloud.back()
    service.systemd.wait(lambda: service.show("ActiveState") == ["active"])
    pod = managed.attach()
    assert reaches(pod.pod, lab.instance.address4)
    pod.delete()
    service("stop")
    assert service.refused() == []
