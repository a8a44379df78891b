"""systemd as it runs on a node, as the first process of namespaces of its own."""

import contextlib
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from .namespace import Namespace, run, unique
from .sandbox import MARK
from .traffic import eventually

SCRIPT = Path(__file__).with_name("systemd_root.sh")
NAMESPACES = ("unshare", "--mount", "--pid", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child")


class Systemd:
    """In a node's network namespace, with this machine's programs, but only such units as are given or systemd needs itself. What it
    runs has a root, processes and control groups of its own. Its /run is `runtime` here."""

    def __init__(self, node: Namespace, directory: Path, units: dict[str, str], programs: dict[str, Path], settings: dict[str, str],
                 without: tuple[str, ...] = ()):
        """`programs` by their paths in /usr, as those of this machine that it is `without`; `settings` by theirs in /etc. Returns when it
        is up."""
        if not Path("/lib/systemd/systemd").exists():
            pytest.skip("systemd is missing (Debian: systemd)")
        self.directory, self.runtime, self._log = directory, directory / "run", directory / "log"
        for part in ("added/usr", "added/etc", "added/units", "root", "run"):
            (directory / part).mkdir(parents=True)
        for path, text in ({f"units/{name}": text for name, text in units.items()} | {f"etc/{name}": text for name, text in settings.items()}).items():
            self._added(path).write_text(text)
        for path, program in programs.items():
            shutil.copy2(program, self._added(f"usr/{path}"))
        for path in without:
            os.mknod(self._added(f"usr/{path}"), stat.S_IFCHR)  # what overlayfs takes for a file that was removed
        if run(*NAMESPACES, "true", check=False).returncode != 0:
            pytest.skip("systemd has no place to run in: no namespaces can be made")
        self._process: subprocess.Popen | None = None
        self._groups = MARK / unique("groups")  # not below what a test removes with all that is in it
        self._group = self._make_group()
        try:
            self._boot(node)
        except BaseException:
            self.close()
            raise

    def _boot(self, node: Namespace) -> None:
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                node.argv("sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(self._group), *NAMESPACES, "sh", str(SCRIPT), str(self.directory)),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        self._init = self._process.stdout.readline().strip()
        if not self._init:
            ended, why = self._process.wait(), self._log.read_text().strip()
            assert ended == 77, f"{SCRIPT.name} ended with {ended}: {why}"
            pytest.skip(f"systemd has no place to run in: {why}")
        self.wait(lambda: self.systemctl("is-system-running", check=False).stdout.strip() in ("running", "degraded"))

    def _added(self, path: str) -> Path:
        file = self.directory / "added" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        return file

    def _make_group(self) -> Path:
        """Below this process's own, so that systemd has nothing of others below it."""
        self._groups.mkdir()
        mounted = run("mount", "-t", "cgroup2", "cgroup2", str(self._groups), check=False)
        if mounted.returncode != 0:
            self._groups.rmdir()
            pytest.skip(f"there are no control groups for systemd: {mounted.stderr.strip()}")
        own = next(line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
        group = self._groups / own.lstrip("/") / unique("cnix")
        try:
            group.mkdir()
        except OSError as error:
            self._drop_groups()
            pytest.skip(f"no control group can be made for systemd: {error}")
        return group

    def close(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
        eventually(self._remove_group, 10)
        self._drop_groups()

    def _remove_group(self) -> bool:
        for group in (*sorted(self._group.rglob("*/"), reverse=True), self._group):
            if group.is_dir():
                with contextlib.suppress(OSError):  # processes that are ending are in it still
                    group.rmdir()
        return not self._group.exists()

    def _drop_groups(self) -> None:
        run("umount", str(self._groups))
        self._groups.rmdir()

    def systemctl(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        return self.command("systemctl", "--no-pager", *arguments, check=check)

    def command(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess:
        """Beside the services, in the machine's own namespaces."""
        return run("nsenter", f"--target={self._init}", "--all", "--root", "--wd", "--", *argv, check=check)  # its root, also in a chroot

    def file(self, path: str) -> Path:
        """Of its root."""
        return Path(f"/proc/{self._init}/root", path)

    def show(self, unit: str, *names: str) -> list[str]:
        """Properties of the unit."""
        said = self.systemctl("show", unit, *(f"--property={name}" for name in names)).stdout.splitlines()
        values = dict(line.split("=", 1) for line in said)
        return [values[name] for name in names]

    def journal(self, *arguments: str) -> str:
        return self.command("journalctl", "--no-pager", "--quiet", *arguments).stdout

    def wait(self, condition, seconds: float = 30) -> None:
        def ended() -> bool:
            return self._process.poll() is not None
        assert eventually(lambda: ended() or condition(), seconds) and not ended(), self._log.read_text() + self.journal()
