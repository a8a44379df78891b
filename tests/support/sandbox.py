"""Runs a command as root in namespaces of its own, so that a test run changes nothing on the machine.

    python3 sandbox.py COMMAND [ARG]...

The command gets its own network, mount, PID, IPC and UTS namespaces, and empty directories in place of /run and of what
CNI plugins and container runtimes share by convention. When it ends, whatever it left running is killed, and the
namespaces go with the last process. Several copies may run at once.

The machine's network is at MACHINE_NETWORK, for `nsenter --net` of what has to download.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

MARK = Path("/run/cnix-lab")  # exists only in a sandbox
MACHINE_NETWORK = MARK / "machine-network"
NETWORK_FD = "CNIX_LAB_NETWORK_FD"  # of that namespace, for the process that makes the sandbox
PRIVATE = ("/var/lib/cni", "/etc/cni", "/opt/cni")
UNSHARE = ("unshare", "--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc",
           "--propagation", "private")


def active() -> bool:
    return MARK.is_dir()


def command(argv: list[str]) -> list[str]:
    """The command line that runs argv in a new sandbox, for execvp."""
    network = os.open("/proc/self/ns/net", os.O_RDONLY)
    os.set_inheritable(network, True)
    os.environ[NETWORK_FD] = str(network)
    return [*UNSHARE, sys.executable, __file__, *argv]


def _mount(*arguments: str, pass_fds: tuple[int, ...] = ()) -> None:
    subprocess.run(["mount", *arguments], check=True, stdin=subprocess.DEVNULL, pass_fds=pass_fds)


def _prepare() -> None:
    _mount("-t", "tmpfs", "-o", "mode=755", "cnix-lab", "/run")
    for directory in ("netns", "lock", "user"):
        os.mkdir(f"/run/{directory}")
    MARK.mkdir()
    (MARK / "empty").touch(mode=0o644)
    network = int(os.environ.pop(NETWORK_FD))
    MACHINE_NETWORK.touch()
    _mount("--bind", f"/proc/self/fd/{network}", str(MACHINE_NETWORK), pass_fds=(network,))
    os.close(network)
    # `ip netns add` turns /run/netns into a mount of its own on first use; parallel first uses race.
    _mount("--bind", "/run/netns", "/run/netns")
    _mount("--make-shared", "/run/netns")
    for path in map(Path, PRIVATE):
        if not path.is_dir():
            # A mount point that the machine lacks is made in an overlay of its parent, not on the machine.
            name = path.parent.as_posix().strip("/").replace("/", "-")
            upper, work = MARK / f"{name}.upper", MARK / f"{name}.work"
            upper.mkdir(), work.mkdir()
            _mount("-t", "overlay", "-o", f"lowerdir={path.parent},upperdir={upper},workdir={work}", "overlay",
                   str(path.parent))
            path.mkdir()
        _mount("-t", "tmpfs", "-o", "mode=755", "cnix-lab", str(path))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, stdin=subprocess.DEVNULL)


def main(argv: list[str]) -> int:
    if os.getpid() != 1:
        os.execvp("unshare", command(argv))
    _prepare()
    # As the namespace's init this process must reap orphans; the command is its child, and the end of it all.
    child = subprocess.Popen(argv)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: child.send_signal(number) if number != signal.SIGINT else None)
    while True:
        pid, status = os.wait()
        if pid == child.pid:
            return os.waitstatus_to_exitcode(status) & 0xFF


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
