"""cnix-new, from the installed package: what it writes, and what it refuses. test_ci.py builds what it writes."""

import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from package.conftest import ROOT, configure, run

pytestmark = pytest.mark.xdist_group("package")


def tree(directory) -> dict[str, str]:
    return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()}


WRONG = {
    (): "no directory; write cnix-new DIRECTORY, or cnix-new --help",
    ("",): "the directory's name is empty",
    ("a", "b"): "more than one directory: 'a' and 'b'",
    ("a", "--firewall", "none"): "unknown option --firewall; the options are --name, --link, --ipam, --nat, --ns, --spoof-check and --generation",
    ("a", "--link", "brigde"): "--link 'brigde' is unknown; it is one of: bridge eni-routed",
    ("a", "--ipam", "dhcp"): "--ipam 'dhcp' is unknown; it is one of: host-local delegate pool remote",
    ("a", "--nat", "nft"): "--nat 'nft' is unknown; it is one of: nftables iptables none",
    ("a", "--nat", "nftables iptables"): "--nat 'nftables iptables' is unknown",
    ("a", "--ns", "fork"): "--ns 'fork' is unknown; it is one of: setns",
    ("a", "--spoof-check", "iptables"): "--spoof-check 'iptables' is unknown; it is one of: nftables none",
    ("a", "--nat"): "--nat has no value; it is one of: nftables iptables none",
    ("a", "--ipam", "--nat", "none"): "--ipam has no value; it is one of: host-local delegate pool remote",
    ("a", "--nat", "none", "--nat", "none"): "--nat is given twice; leave one",
    ("a", "--ipam", "remote"): "--link bridge puts pods on a subnet, and --ipam remote tells addresses without one",
    ("a", "--link", "eni-routed", "--ipam", "delegate"): "--link eni-routed must know the ENI of each address, which --ipam delegate does not tell",
    ("a", "--link", "eni-routed", "--spoof-check", "none"): "--spoof-check is a bridge's; leave it out",
    ("a", "--link", "eni-routed", "--ipam", "pool", "--generation", "v1.7"): "--generation is that of the protocol of --ipam remote; leave it out",
    ("a", "--name", "../x"): "'../x' cannot be a plugin's file name",
    ("a b",): "'a b' cannot be a plugin's file name",
    ("test",): "'test' is a target of CMake's own; give another name with --name",
    ("preinstall",): "'preinstall' is a target of CMake's own; give another name with --name",
    ("a", "--name", "INSTALL"): "'INSTALL' may be a word of CMake's, which are of capitals; give another name with --name",
    ("VERSION",): "'VERSION' may be a word of CMake's",
    ("CMakeFiles",): "'CMakeFiles' is a file in CMake's build directory; give another name with --name",
    ("build.ninja",): "'build.ninja' is a file in CMake's build directory",
    ("a.verbs",): "'a.verbs.cpp' is what a source of a plugin 'a' is called; give another name with --name",
    ("a", "--name", "range-v3"): "'range-v3' is a target of a library that cnix uses; give another name with --name",
    **{(f"a{byte}b", "--name", "a"): "it has a control character, '\"', '#', ';' or '\\' in it; name another directory" for byte in '\n\x7f"#;\\'},
    ("nowhere/a",): "there is no directory {}/nowhere; make it before",
    ("there",): "{}/there is there already; nothing is overwritten",
    ("there/",): "{}/there is there already; nothing is overwritten",
    ("dangling",): "{}/dangling is there already; nothing is overwritten",
    (".",): "cannot be a plugin's file name",
    ("--", "-a"): "'-a' cannot be a plugin's file name",
    ("--", "--nat", "none"): "more than one directory: '--nat' and 'none'",
    ("--", "--"): "'--' cannot be a plugin's file name",
    ("a" * 300,): "the directory's name is too long: it has 300 bytes, and at most 255 are possible",
    ("a" * 256, "--name", "a"): "the directory's name is too long: it has 256 bytes",
    ("a" * 201,): "the plugin's name is too long: it has 201 bytes, and at most 200 are possible; give another one with --name",
    ("a", "--name", "b" * 300): "the plugin's name is too long: it has 300 bytes",
}


@pytest.mark.parametrize("arguments, message", WRONG.items(), ids=[" ".join(one)[:60] or "nothing" for one in WRONG])
def test_refused(staged, tmp_path, arguments, message):
    (tmp_path / "there").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    before = sorted(tmp_path.rglob("*"))
    done = run(staged / "usr/bin/cnix-new", *arguments, check=False, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("cnix-new: ") and message.format(tmp_path) in done.stderr
    assert sorted(tmp_path.rglob("*")) == before, "something is left behind"


def test_nothing_is_left_where_it_cannot_be_written(staged, tmp_path):
    done = run(staged / "usr/bin/cnix-new", "/proc/a", check=False)
    assert done.returncode == 2 and "cannot write to /proc" in done.stderr


def test_what_is_there_is_left_alone(staged, tmp_path):
    run(staged / "usr/bin/cnix-new", "mine", cwd=tmp_path)
    before = tree(tmp_path)
    assert run(staged / "usr/bin/cnix-new", "mine", "--nat", "none", check=False, cwd=tmp_path).returncode == 2
    assert tree(tmp_path) == before


def test_project(staged, tmp_path):
    done = run(staged / "usr/bin/cnix-new", "my bridge's", "--name", "my-bridge", "--ipam", "delegate", "--nat", "none",
               "--spoof-check", "none", cwd=tmp_path)
    assert f"-DCMAKE_PREFIX_PATH={staged}/usr" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["my bridge's"]
    files = tree(tmp_path / "my bridge's")
    assert set(files) == {".gitignore", "CMakeLists.txt", "net.d/10-my-bridge.conflist"}
    assert "find_package(cnix 0.1 CONFIG REQUIRED)" in files["CMakeLists.txt"]
    call = "cnix_add_plugin(my-bridge LINK bridge IPAM delegate NAT none NS setns SPOOF_CHECK none)"
    assert call in files["CMakeLists.txt"]
    plugin = json.loads(files["net.d/10-my-bridge.conflist"])["plugins"][0]
    assert plugin["type"] == "my-bridge" and "ipMasq" not in plugin


@pytest.mark.parametrize("options, call, keys", (
    ((), "IPAM remote NAT none NS setns GENERATION v1.20", {"type"}),
    (("--generation", "v1.7", "--nat", "iptables"), "IPAM remote NAT iptables NS setns GENERATION v1.7", {"type"}),
    (("--ipam", "pool"), "IPAM pool NAT none NS setns", {"type", "ipam"}),
))
def test_project_of_the_eni_design(staged, tmp_path, options, call, keys):
    run(staged / "usr/bin/cnix-new", "my-eni", "--link", "eni-routed", *options, cwd=tmp_path)
    files = tree(tmp_path / "my-eni")
    assert f"cnix_add_plugin(my-eni LINK eni-routed {call})" in files["CMakeLists.txt"]
    assert set(json.loads(files["net.d/10-my-eni.conflist"])["plugins"][0]) == keys


def test_targets_of_cmakes_own_are_refused(staged, tmp_path):
    """All that a build tree of a project has beside the project's own, and all that is in it."""
    run(staged / "usr/bin/cnix-new", "p", "--name", "my-bridge", cwd=tmp_path)
    for generator in ("Ninja", "Unix Makefiles"):
        tree = tmp_path / generator
        run("cmake", "-G", generator, "-S", tmp_path / "p", "-B", tree, f"-DCMAKE_PREFIX_PATH={staged}/usr")
        told = run("cmake", "--build", tree, "--target", "help").stdout
        targets = re.findall(r"^(?:\.\.\. )?([\w.+-]+)(?:: \w+)?(?: \(the default.*)?$", told, re.MULTILINE)
        names = {name for name in (*targets, *(path.name for path in tree.iterdir())) if not name.startswith(("my-bridge", "."))}
        assert {"test", "install", "list_install_components", "CMakeFiles", "cnix_plugins"} <= names
        for name in names:
            done = run(staged / "usr/bin/cnix-new", "q", "--name", name, check=False, cwd=tmp_path)
            assert done.returncode == 2, f"{name} of {generator} is taken"


def test_longest_names(staged, tmp_path):
    run(staged / "usr/bin/cnix-new", "--name", "a" * 200, "--", "b" * 255, cwd=tmp_path)
    configure(tmp_path / ("b" * 255), tmp_path / "build", f"-DCMAKE_PREFIX_PATH={staged}/usr")
    files = re.findall(r"[^/\s:|]+", (tmp_path / "build/build.ninja").read_text())
    assert 201 < max(len(name) for name in files if name.startswith(("a" * 200, "10-"))) <= 255 - len(".o.d")


@pytest.mark.parametrize("way", ["--", "CDPATH", "link", "relative", "PATH"])
def test_prefix_that_is_told(staged, tmp_path, way):
    program = staged / "usr/bin/cnix-new"
    (tmp_path / "link").symlink_to(program)
    arguments, cwd, environment = {
        "--": ((program, "--", "a"), tmp_path, {}),
        "CDPATH": (("bin/cnix-new", tmp_path / "a"), staged / "usr", {"CDPATH": f".:{staged}/usr"}),
        "link": ((tmp_path / "link", "a"), tmp_path, {}),
        "relative": (("bash", "cnix-new", tmp_path / "a"), staged / "usr/bin", {"CDPATH": f"{staged}/usr/bin"}),
        "PATH": (("cnix-new", "a"), tmp_path, {"PATH": f"{staged}/usr/bin:{os.environ['PATH']}"}),
    }[way]
    assert f"\n    cmake -B build -DCMAKE_PREFIX_PATH={staged}/usr\n" in run(*arguments, cwd=cwd, env={**os.environ, **environment}).stdout


@pytest.mark.parametrize("step, done", [(step, done) for step in ("mktemp", "mkdir", "cat", "chmod", "mv") for done in (False, True)])
def test_stopped_in_the_middle(staged, tmp_path, step, done):
    """Killed with all that it started, before or after a step: all is there or nothing."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "parent").mkdir()
    held = tmp_path / "held"
    hold = f': >"{held}"; while [ -e "{held}" ]; do sleep 0.01; done'
    call = f'{shutil.which(step)} "$@" || exit'
    stub = tmp_path / "bin" / step
    stub.write_text("\n".join(("#!/bin/sh", *((call, hold) if done else (hold, call)), "")))
    stub.chmod(0o755)
    process = subprocess.Popen((staged / "usr/bin/cnix-new", "a"), cwd=tmp_path / "parent", start_new_session=True,
                               env={**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"},
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        until = time.monotonic() + 20
        while not held.exists() and time.monotonic() < until:
            time.sleep(0.01)
        assert held.exists(), f"{step} was not called"
        before = sorted(path.name for path in (tmp_path / "parent").iterdir())
        os.killpg(process.pid, signal.SIGTERM)
    finally:
        held.unlink(missing_ok=True)  # mktemp goes on, whatever the signal
        output, _ = process.communicate(timeout=20)
    assert process.returncode != 0 and output == b""
    assert before == [] if (step, done) == ("mktemp", False) else before != [], "stopped elsewhere"
    left = list((tmp_path / "parent").iterdir())
    if (step, done) == ("mv", True):
        assert set(tree(tmp_path / "parent")) == {"a/.gitignore", "a/CMakeLists.txt", "a/net.d/10-a.conflist"}
    else:
        assert left == []


def test_directory_of_any_other_name(staged, tmp_path):
    directory = tmp_path / "a $b%c'd(e)f`g&h:i=j,k@l@ä"
    run(staged / "usr/bin/cnix-new", directory, "--name", "p")
    configure(directory, directory / "build", f"-DCMAKE_PREFIX_PATH={staged}/usr")


def test_names_that_are_false_to_cmake(staged, tmp_path):
    run(staged / "usr/bin/cnix-new", "off", cwd=tmp_path)
    configure(tmp_path / "off", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={staged}/usr")


def test_words_are_those_of_cnix_add_plugin():
    script = (ROOT / "cmake/cnix-new.in").read_text()
    module = (ROOT / "cmake/CnixAddPlugin.cmake").read_text()
    words = re.search(r"declare -A words=\(([^)]+)\)", script)[1]
    taken = {option: (quoted or bare) for option, quoted, bare in re.findall(r"\[([\w-]+)\]=(?:'([^']+)'|(\w+))", words)}
    assert set(taken) == {"link", "ipam", "nat", "ns", "spoof-check", "generation"}
    for option, values in taken.items():
        assert f"set({option.upper().replace('-', '_')} {values})" in module
