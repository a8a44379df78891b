"""The VLAN tests under a kernel that has what they need, in a virtual machine (run)."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


def missing_tools():
    return [tool for tool in ("qemu-system-x86_64", "busybox", "xz") if shutil.which(tool) is None]


@pytest.mark.slow
def test_branch_eni(request):
    """The VLAN interfaces of netlink, and pods with a branch ENI."""
    if missing := missing_tools():
        pytest.skip(f"{', '.join(missing)} not installed (scripts/setup --vm)")
    tests = request.config.option.plugins_dir.resolve().parent / "tests"
    command = " && ".join(str(tests / name) for name in ("netns_backends_netlink_laws", "netns_link_eni_routed"))
    done = subprocess.run([HERE / "run", "--timeout", "300", "--", "bash", "-c", command], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=400)
    if done.returncode == 125 and "cannot unpack the kernel" in done.stderr:
        pytest.skip("Debian's kernel package cannot be fetched")
    report = done.stdout + done.stderr
    assert done.returncode == 0, report
    assert "skipped: this kernel has no VLAN" not in report, report


@pytest.mark.slow
def test_branch_eni_by_the_program(request):
    """netns/eni/test_branch.py."""
    if missing := missing_tools():
        pytest.skip(f"{', '.join(missing)} not installed (scripts/setup --vm)")
    pytest.importorskip("grpc", reason="python3-grpcio is not installed")
    plugins = request.config.option.plugins_dir.resolve()
    if not (plugins / "eni").exists():
        pytest.skip("eni is not built: cnix was configured without nghttp2 or protobuf")
    done = subprocess.run(
        [HERE / "run", "--timeout", "280", "--", sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "--tb=short",
         f"--plugins-dir={plugins}", "netns/eni/test_branch.py"],
        cwd=HERE.parent, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=350)
    if done.returncode == 125 and "cannot unpack the kernel" in done.stderr:
        pytest.skip("Debian's kernel package cannot be fetched")
    report = done.stdout + done.stderr
    assert done.returncode == 0, report
    assert " passed" in report and " skipped" not in report, report


@pytest.mark.slow
def test_vlan(request, tmp_path):
    if missing := missing_tools():
        pytest.skip(f"{', '.join(missing)} not installed (scripts/setup --vm)")
    probe = subprocess.run(["ip", "link", "add", "vlan-probe", "type", "bridge", "vlan_filtering", "1"], capture_output=True)
    if probe.returncode == 0:
        subprocess.run(["ip", "link", "del", "vlan-probe"], check=True)
        pytest.skip("this kernel has bridge VLAN filtering: netns/test_vlan.py runs here")
    # The VM sees this sandbox's files; its /run is its own, so that pytest makes a sandbox of its own in there.
    plugins = request.config.option.plugins_dir.resolve()
    done = subprocess.run(
        [HERE / "run", "--timeout", "540", "--", sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "--tb=short",
         f"--plugins-dir={plugins}", "netns/test_vlan.py", "netns/test_plan.py", "netns/test_reference_defects.py", "-k", "vlan"],
        cwd=HERE.parent, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600)
    if done.returncode == 125 and "cannot unpack the kernel" in done.stderr:
        pytest.skip("Debian's kernel package cannot be fetched")
    report = done.stdout + done.stderr
    assert done.returncode == 0, report
    assert " passed" in report and " skipped" not in report, report
