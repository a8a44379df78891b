"""cnix_check_config: configurations that the compiler checks against a plugin."""

import json
import os
import re
import shutil
import socket
from pathlib import Path

import pytest
from package.conftest import configure, run

GOOD = {"cniVersion": "1.0.0", "name": "pods", "plugins": [
    {"type": "my-bridge", "isGateway": True, "ipMasq": True,
     "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.1.0.0/16"}]]}},
    {"type": "portmap", "capabilities": {"portMappings": True}}]}
PROJECT = """cmake_minimum_required(VERSION 3.25)
project(site LANGUAGES CXX)
find_package(cnix CONFIG REQUIRED)
cnix_add_plugin(my-bridge SOURCES main.cpp HEADER composition.hpp PLUGIN site::bridge)
cnix_check_config(my-bridge FILES {files})
"""
# As a user's composition, without the backends, whose headers cost more than the check.
COMPOSITION = """#pragma once
#include <cnix/concepts/nft_backend.hpp>
#include <cnix/ipam/host_local.hpp>
#include <cnix/link/bridge.hpp>
#include <cnix/nat/nftables.hpp>
#include <cnix/plugin.hpp>
namespace site {
using bridge = cnix::plugin<cnix::link::bridge<cnix::archetypes::netlink>, cnix::ipam::host_local,
                            cnix::nat::nftables<cnix::archetypes::nft>, cnix::archetypes::ns>;
}
"""
CHECK = "my-bridge-configurations-1"


class Project:
    def __init__(self, staged: Path, directory: Path, compiler: str):
        self.staged, self.directory, self.compiler = staged, directory, compiler
        (directory / "main.cpp").write_text("int main() {}\n")
        (directory / "composition.hpp").write_text(COMPOSITION)
        (directory / "net.d").mkdir()

    def configure(self, *files: str, call: str = "", check: bool = True):
        text = PROJECT.format(files=" ".join(f'"{file}"' for file in files))
        if call:
            text = re.sub(r"cnix_check_config\(.*\)", lambda _: call, text)
        (self.directory / "CMakeLists.txt").write_text(text)
        return configure(self.directory, self.directory / "build", f"-DCMAKE_PREFIX_PATH={self.staged}/usr",
                         f"-DCMAKE_CXX_COMPILER={self.compiler}", "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Werror", check=check)

    def build(self) -> tuple[int, str]:
        done = run("cmake", "--build", self.directory / "build", "--target", CHECK, "--", "-k0", check=False, env={**os.environ, "LC_ALL": "C"})
        return done.returncode, done.stdout + done.stderr

    def write(self, name: str, content) -> str:
        path = self.directory / name
        path.write_bytes(content if isinstance(content, bytes) else (content if isinstance(content, str) else json.dumps(content)).encode())
        return name


@pytest.fixture(params=("g++", "clang++-19"))
def compiler(request):
    return request.param if shutil.which(request.param) else pytest.skip(f"{request.param} is not installed")


@pytest.fixture
def project(staged, tmp_path, compiler):
    return Project(staged, tmp_path, compiler)


def long_list(size: int) -> str:
    """A list of about that many bytes."""
    ranges = [[{"subnet": f"10.{i}.0.0/16", "rangeStart": f"10.{i}.0.10", "rangeEnd": f"10.{i}.0.250"}] for i in range(1, 200)]
    config = GOOD | {"plugins": [GOOD["plugins"][0] | {"ipam": {"type": "host-local", "ranges": ranges}}]}
    while len(json.dumps(config, indent=2)) > size:
        ranges.pop()
    return json.dumps(config, indent=2)


def told(output: str) -> list[str]:
    """What the compiler says of configurations, once each."""
    return re.findall(r'cnix: (net\.d/[^\n]*?)["\'\\]*[>)}]', output)


def test_files_are_checked_by_the_compiler(project):
    """All faults of all files, and nothing of those that fit: one of 20 KB, one of a name with what build files quote."""
    wrong = json.dumps(GOOD, indent=1).replace("isGateway", "isGatway").replace('"pods"', '"p p"')
    files = {"10-good.conflist": GOOD, "20 $good#@x@.conflist": GOOD, "30-long.conflist": long_list(20_000), "40-wrong.conflist": wrong,
             "empty": "", "binary": bytes(range(256)), "quote": '{"name": "a)cnix\\"??/", }\n#error no', "trigraph": "{??/\n}"}
    project.configure(*(project.write(f"net.d/{name}", content) for name, content in files.items()))
    status, output = project.build()
    assert status != 0
    faults = told(output)
    assert any(one.startswith("net.d/40-wrong.conflist:3:10: $.name: `p p` is not a name") for one in faults), output
    assert any(one.startswith("net.d/40-wrong.conflist:7:4: $.plugins[0]: unknown key `isGatway`, did you mean `isGateway`?")
               for one in faults), output
    assert {one.split(":")[0] for one in faults} == {f"net.d/{name}" for name in ("40-wrong.conflist", "empty", "binary", "quote", "trigraph")}

    for name in files:
        project.write(f"net.d/{name}", GOOD)
    status, output = project.build()
    assert status == 0, output
    assert "no work to do" in project.build()[1]


def test_too_long_a_file(staged, tmp_path):
    project = Project(staged, tmp_path, "g++")
    project.configure(project.write("net.d/long.conf", "{}" + " " * (4 << 20)))
    status, output = project.build()
    assert status != 0 and "net.d/long.conf: a network configuration has at most 4194304 bytes" in output


def test_files_that_are_not_checked(staged, tmp_path):
    """What is no file that can be read, or has a name that no build file can have."""
    project = Project(staged, tmp_path, "g++")
    os.mkfifo(tmp_path / "pipe.conf")
    (tmp_path / "null.conf").symlink_to("/dev/null")
    (tmp_path / "dangling.conf").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as listener:
        cwd = os.open(tmp_path, os.O_DIRECTORY)
        listener.bind(f"/proc/self/fd/{cwd}/socket.conf")  # the path may be too long for a socket
        os.close(cwd)
    names = ("line\n.conf", "tab\t.conf", "escape\x1b.conf", "delete\x7f.conf", "$<CONFIG>.conf", "$(HOME).conf", "semi;colon.conf",
             "pipe|.conf", "c:.conf")
    for name in names:
        project.write(name, GOOD)
    wrong = {name: "is no regular file; a configuration is read from one" for name in ("/dev/zero", "pipe.conf", "null.conf", "socket.conf")}
    wrong |= {name: "in its name, which build files cannot have; rename it" for name in names}
    for name, message in wrong.items():
        done = project.configure("main.cpp", name, check=False)
        said = re.sub(r"\s+", " ", done.stderr)
        assert done.returncode != 0 and "cnix_check_config(my-bridge): `" in said and message in said, (name, said)
    for name in ("none.conf", "dangling.conf"):
        assert f"there is no file `{name}`" in re.sub(r"\s+", " ", project.configure(name, check=False).stderr)


def test_device_in_place_of_a_file(staged, tmp_path):
    """A device that never ends, and has no size, is read as far as a configuration may go."""
    project = Project(staged, tmp_path, "g++")
    project.configure(project.write("a.conf", GOOD))
    (tmp_path / "a.conf").unlink()
    (tmp_path / "a.conf").symlink_to("/dev/zero")
    tree = tmp_path / "build"
    done = run("prlimit", f"--as={1 << 30}", "cmake", "--build", tree, "--target", CHECK, check=False)
    assert done.returncode != 0 and "a.conf: a network configuration has at most 4194304 bytes" in done.stdout + done.stderr


def test_file_that_cannot_be_read(staged, tmp_path):
    """Root reads it all the same, unless it gives that up."""
    project = Project(staged, tmp_path, "g++")
    project.configure(project.write("a.conf", GOOD))
    (tmp_path / "a.conf").chmod(0)
    mortal = ("setpriv", "--inh-caps=-dac_override,-dac_read_search", "--bounding-set=-dac_override,-dac_read_search", "--")
    built = run(*mortal, "cmake", "--build", tmp_path / "build", "--target", CHECK, check=False)
    assert built.returncode != 0 and f'file failed to open for reading (Permission denied):\n\n    {tmp_path}/a.conf' in built.stdout + built.stderr
    configured = run(*mortal, "cmake", tmp_path / "build", check=False)
    assert configured.returncode != 0
    assert "cnix_check_config(my-bridge): `a.conf` cannot be read; change its permissions" in re.sub(r"\s+", " ", configured.stderr)
    (tmp_path / "a.conf").chmod(0o400)
    run(*mortal, "cmake", tmp_path / "build")


@pytest.mark.parametrize("call, message", {
    "cnix_check_config(my-bridge)": "cnix_check_config(my-bridge): no files; write cnix_check_config(my-bridge FILES <file>...)",
    "cnix_check_config(my-bridge FILES)": "cnix_check_config(my-bridge): no files",
    "cnix_check_config(my-bridge net.d/a.conf)": "cnix_check_config(my-bridge): unknown `net.d/a.conf`; write",
    "cnix_check_config(my-bridge FILES none.conf)": "cnix_check_config(my-bridge): there is no file `none.conf` in",
    "cnix_check_config(my-bridge FILES net.d)": "cnix_check_config(my-bridge): `net.d` is no regular file",
    "cnix_check_config(other FILES main.cpp)": "cnix_check_config(other): there is no target `other`; call cnix_add_plugin(other ...)",
    "add_library(x main.cpp)\ncnix_check_config(x FILES main.cpp)": "cnix_check_config(x): `x` does not say where its composition is",
}.items())
def test_wrong_calls(staged, tmp_path, call, message):
    done = Project(staged, tmp_path, "g++").configure(call=call, check=False)
    assert done.returncode != 0
    assert message in re.sub(r"\s+", " ", done.stderr)


def test_another_name_of_the_plugin(staged, tmp_path):
    Project(staged, tmp_path, "g++").configure(call="add_executable(site::bridge ALIAS my-bridge)\ncnix_check_config(site::bridge FILES main.cpp)")
    assert f"build {CHECK}:" in (tmp_path / "build/build.ninja").read_text()


def test_standard_of_the_plugin(staged, tmp_path):
    """The check reads the composition as the plugin does."""
    Project(staged, tmp_path, "g++").configure(call="set_target_properties(my-bridge PROPERTIES CXX_STANDARD 23 CXX_EXTENSIONS OFF)\n"
                                                    "cnix_check_config(my-bridge FILES main.cpp)")
    rule = re.search(rf"^build CMakeFiles/{CHECK}\.dir/.+\n(?:  .+\n)+", (tmp_path / "build/build.ninja").read_text(), re.MULTILINE)[0]
    assert "-std=c++2b" in rule or "-std=c++23" in rule, rule
