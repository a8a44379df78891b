"""The VLAN tests under a kernel that has what they need, in a virtual machine (run): one for all, since most of its time goes into
starting it and Python in it."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"
BRANCH = "netns/eni/test_branch.py"
VLAN = ("netns/test_vlan.py", "netns/test_plan.py", "netns/test_reference_defects.py")
# The VLAN cases of tests that run on the machine's kernel otherwise.
PROGRAMS = {"netns_backends_netlink_laws": "VLANs", "netns_link_eni_routed": "branch ENI*"}
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("vm"), pytest.mark.timeout(700)]


class Report:
    """What the tests in the virtual machine said."""

    def __init__(self, status: int, text: str):
        self.status, self.text = status, text

    def program(self, name: str) -> tuple[int, str]:
        """Its exit status and output."""
        found = re.search(rf"^begin {name}\n(.*?)^end (\d+)$", self.text, re.MULTILINE | re.DOTALL)
        assert found, self.text
        return int(found[2]), found[1]

    def all_passed(self, file: str) -> bool:
        """pytest ran to its end, and something of the file."""
        outcomes = set(re.findall(rf"^([A-Z]+) (?:\[\d+\] )?{re.escape(file)}", self.text, re.MULTILINE))
        return self.status in (0, 1) and outcomes == {"PASSED"}


@pytest.fixture(scope="module")
def vlan_filtering_is_here() -> bool:
    probe = subprocess.run(["ip", "link", "add", "vlan-probe", "type", "bridge", "vlan_filtering", "1"], capture_output=True)
    if probe.returncode == 0:
        subprocess.run(["ip", "link", "del", "vlan-probe"], check=True)
    return probe.returncode == 0


@pytest.fixture(scope="module")
def machine(pytestconfig, vlan_filtering_is_here) -> Report:
    if missing := [tool for tool in ("qemu-system-x86_64", "busybox", "xz") if shutil.which(tool) is None]:
        pytest.skip(f"{', '.join(missing)} not installed (scripts/setup --vm)")
    plugins = pytestconfig.option.plugins_dir.resolve()
    script = [f"echo begin {name}; {shlex.quote(str(plugins.parent / 'tests' / name))} --test-case={shlex.quote(cases)} 2>&1; echo end $?"
              for name, cases in PROGRAMS.items()]
    # The VM sees this sandbox's files; its /run is its own, so that it takes a sandbox of its own in there.
    script.append(shlex.join((
        PYTHON, "support/sandbox.py", PYTHON, "-m", "pytest", "-q", "-rA", "-p", "no:xdist", "--tb=short", f"--plugins-dir={plugins}", BRANCH,
        *(() if vlan_filtering_is_here else VLAN), "-k", "vlan or branch")))
    done = subprocess.run([HERE / "run", "--timeout", "600", "--", "bash", "-c", "\n".join(script)], cwd=HERE.parent, capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, timeout=660)
    if done.returncode == 125 and "cannot unpack the kernel" in done.stderr:
        pytest.skip("Debian's kernel package cannot be fetched")
    return Report(done.returncode, done.stdout + done.stderr)


@pytest.mark.parametrize("program", PROGRAMS)
def test_branch_eni(machine, program):
    """The VLAN interfaces of netlink, and pods with a branch ENI."""
    status, said = machine.program(program)
    assert status == 0, said
    assert re.search(r"test cases: +[1-9]\d* \| +[1-9]\d* passed \| +0 failed", said), said
    assert "skipped: this kernel has no VLAN" not in said, said


def test_branch_eni_by_the_program(machine, pytestconfig):
    """netns/eni/test_branch.py."""
    pytest.importorskip("grpc", reason="python3-grpcio is not installed")
    if not (pytestconfig.option.plugins_dir / "eni").exists():
        pytest.skip("eni is not built: cnix was configured without nghttp2 or protobuf")
    assert machine.all_passed(BRANCH), machine.text


@pytest.mark.parametrize("file", VLAN)
def test_vlan(machine, vlan_filtering_is_here, file):
    if vlan_filtering_is_here:
        pytest.skip(f"this kernel has bridge VLAN filtering: {file} runs here")
    assert machine.all_passed(file), machine.text
