"""packaging/systemd: the units of docs/eni-node.md and docs/ipamd.md, as systemd understands them."""

import configparser
import shutil
import subprocess

import pytest
from sources import ROOT

UNITS = sorted((ROOT / "packaging/systemd").iterdir())


def read(name: str) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(delimiters="=", interpolation=None, strict=True)
    unit.optionxform = str
    unit.read_string((ROOT / "packaging/systemd" / name).read_text())
    return unit


def test_the_node_is_set_up_before_kubelet_and_again():
    assert [unit.name for unit in UNITS] == ["cnix-eni-node.service", "cnix-eni-node.timer", "cnix-ipamd.service"]
    service, timer = read("cnix-eni-node.service"), read("cnix-eni-node.timer")
    assert service["Unit"]["Before"] == "kubelet.service"
    assert dict(service["Service"]) == {"Type": "oneshot", "ExecStart": "/usr/sbin/cnix-eni-node set-up"}, \
        "with RemainAfterExit the timer would start nothing"
    assert service["Install"]["WantedBy"] == "multi-user.target"
    assert timer["Timer"]["OnUnitInactiveSec"] and timer["Timer"]["OnBootSec"]
    assert timer["Install"]["WantedBy"] == "timers.target"


def test_the_manager_is_a_service_that_systemd_waits_for():
    service = read("cnix-ipamd.service")["Service"]
    assert (service["Type"], service["ExecStart"]) == ("notify", "/usr/sbin/%p"), "one unit for both programs"
    assert service["RestartPreventExitStatus"] == "2", "wrong settings"
    assert service["RuntimeDirectoryPreserve"] == "yes", "pods outlive it"


def test_the_manager_may_do_little_else(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing (Debian: systemd)")
    (tmp_path / "cnix-ipamd.service").write_text((ROOT / "packaging/systemd/cnix-ipamd.service").read_text())
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=30", "--no-pager",
                           str(tmp_path / "cnix-ipamd.service")], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if "unrecognized option" in done.stderr:
        pytest.skip("systemd-analyze has no --offline")
    assert done.returncode == 0, done.stdout[-500:] + done.stderr


def test_systemd_finds_nothing(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing (Debian: systemd)")
    for unit in UNITS:  # the program is not installed where tests run
        (tmp_path / unit.name).write_text(unit.read_text().replace("/usr/sbin/cnix-eni-node ", "/bin/true ").replace("/usr/sbin/%p", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *(str(tmp_path / unit.name) for unit in UNITS)],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
