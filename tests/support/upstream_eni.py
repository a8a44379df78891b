"""Builds aws/amazon-vpc-cni-k8s' plugin, routed-eni-cni-plugin, of a released version with Go, once: it stays in a cache outside of
the project ($CNIX_TEST_CACHE, else ~/.cache/cnix-tests). Or another program of its packages.

As a program:  python3 upstream_eni.py [FILE.go] [VERSION]...
It prints where each is.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

MODULE = "github.com/aws/amazon-vpc-cni-k8s"
# By the generation of the protocol that they speak.
VERSIONS = {"v1_7": "v1.9.3", "v1_10": "v1.15.5"}


class NotToBeHad(Exception):
    """There is no Go, or nothing to download from; the text says which."""


def cache() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("CNIX_TEST_CACHE") or home / "cnix-tests") / "upstream-eni"


def path(version: str, source: Path | None = None) -> Path:
    """Where the plugin of that version is if it was built; or the program of a file."""
    return cache() / version / (source.stem if source else "aws-cni")


def build(version: str, source: Path | None = None, prefix: tuple[str, ...] = (), seconds: float = 600) -> Path:
    """Takes minutes when Go's own cache is empty, too. `prefix` is a command before Go's: what leads to a network."""
    made = path(version, source)
    if made.exists() and (source is None or source.stat().st_mtime < made.stat().st_mtime):
        return made
    if not (go := shutil.which("go")):
        raise NotToBeHad("there is no Go toolchain (Debian: golang-go)")
    # Not a newer toolchain from the network, and no version control.
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false", "CGO_ENABLED": "0"}
    made.parent.mkdir(parents=True, exist_ok=True)

    def step(what: str, *arguments: str, where: Path) -> str:
        try:
            done = subprocess.run((*prefix, go, *arguments), cwd=where, env=environment, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise NotToBeHad(f"{what} took more than {seconds:.0f} s") from None
        if done.returncode != 0:
            said = (done.stderr + done.stdout).strip().splitlines()
            raise NotToBeHad(f"{what} failed: {said[-1] if said else done.returncode}")
        return done.stdout

    # As a main module, so that its own replacements and checksums count.
    told = step(f"the download of {MODULE}@{version}", "mod", "download", "-json", f"{MODULE}@{version}", where=made.parent)
    new = made.with_suffix(f".{os.getpid()}")
    step(f"building {MODULE}@{version}", "build", "-o", str(new), str(source.resolve() if source else "./cmd/routed-eni-cni-plugin"),
         where=Path(json.loads(told)["Dir"]))
    new.rename(made)
    return made


if __name__ == "__main__":
    file = Path(sys.argv.pop(1)) if sys.argv[1:] and sys.argv[1].endswith(".go") else None
    for wanted in sys.argv[1:] or VERSIONS.values():
        try:
            print(build(wanted, file))
        except NotToBeHad as reason:
            sys.exit(f"upstream_eni.py: {reason}")
