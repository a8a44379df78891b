import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ("bridge", "bridge-iptables", "bridge-delegate", "host-local", "eni", "eni-pool")
PROGRAMS = ("cnix-eni-node", "cnix-eni-node-iptables")
MANAGERS = ("cnix-ipamd", "cnix-ipamd-imds")  # dynamic; in a package of their own


def run(*arguments, check: bool = True, **keywords) -> subprocess.CompletedProcess:
    done = subprocess.run([str(one) for one in arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, **keywords)
    assert not check or done.returncode == 0, f"{' '.join(map(str, arguments))}:\n{done.stdout}{done.stderr}"
    return done


def configure(source: Path, build: Path, *options: str, check: bool = True) -> subprocess.CompletedProcess:
    launcher = ("-DCMAKE_CXX_COMPILER_LAUNCHER=ccache",) if shutil.which("ccache") else ()
    return run("cmake", "-G", "Ninja", "-S", source, "-B", build, *launcher, *options, check=check)


def build(tree: Path, target: str = "all") -> None:
    # Relative paths are the same in every run, and ccache knows the objects again.
    run("cmake", "--build", tree, "--target", target, "--parallel", "1", env={**os.environ, "CCACHE_BASEDIR": tempfile.gettempdir()})


@pytest.fixture(scope="session")
def built(tmp_path_factory, plugins):
    """Makes a build tree of cnix with the plugins and the library that were built already, to install from."""

    def make(*options: str) -> Path:
        tree = tmp_path_factory.mktemp("cnix")
        configure(ROOT, tree, "-DBUILD_TESTING=OFF", *options)
        for name in (*PLUGINS, *PROGRAMS, *MANAGERS):
            shutil.copy2(plugins.directory / name, tree / "bin" / name)
        shutil.copy2(plugins.directory.parent / "prebuilt/libcnix.a", tree / "prebuilt")
        return tree

    return make


@pytest.fixture(scope="session")
def staged(built, tmp_path_factory) -> Path:
    """A staging directory (DESTDIR) with everything installed where it goes by default."""
    root = tmp_path_factory.mktemp("staged")
    run("cmake", "--install", built(), "--prefix", "/usr", env={"PATH": "/usr/bin:/bin", "DESTDIR": str(root)})
    return root


@pytest.fixture(scope="session")
def consumer(staged, tmp_path_factory):
    """Configures the consumer project, from the installed package if nothing else is said, and returns its build tree."""

    def make(*options: str, source: str = "package") -> Path:
        tree = tmp_path_factory.mktemp("consumer")
        configure(ROOT / "tests/package/consumer", tree, f"-DCNIX_FROM={source}", f"-DCNIX_SOURCE={ROOT}",
                  f"-DCMAKE_PREFIX_PATH={staged}/usr", *options)
        return tree

    return make
