"""The package as it is installed, and projects that use it."""

import gzip
import itertools
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from package.conftest import MANAGERS, PLUGINS, PROGRAMS, ROOT, build, configure, run

pytestmark = pytest.mark.xdist_group("package")  # the fixtures are made once
DATA = "usr/share"


def write_project(directory: Path, *lines: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    text = "\n".join(("cmake_minimum_required(VERSION 3.25)", "project(p LANGUAGES CXX)", *lines, ""))
    (directory / "CMakeLists.txt").write_text(text)
    return directory


def use_package(tmp_path: Path, staged: Path, *lines: str, options: tuple[str, ...] = (), components: str = ""):
    """Configures a project with the package; gives the run and the build tree."""
    source = write_project(tmp_path / "source", f"find_package(cnix CONFIG REQUIRED {components})", *lines)
    done = configure(source, tmp_path / "build", f"-DCMAKE_PREFIX_PATH={staged}/usr", *options, check=False)
    return done, tmp_path / "build"


def link_lines(tree: Path) -> dict[str, str]:
    """What each target is linked with: options and libraries."""
    text = (tree / "build.ninja").read_text()
    lines = {}
    for block in re.findall(r"^build \S+: CXX_EXECUTABLE_LINKER__(?:.+\n)+", text, re.MULTILINE):
        name = re.search(r"LINKER__([\w-]+?)_(?:Debug|Release|)? ", block)[1]
        lines[name] = " ".join(re.findall(r"^  LINK_(?:FLAGS|LIBRARIES) = (.*)$", block, re.MULTILINE))
    return lines


def text_of(done: subprocess.CompletedProcess) -> str:
    return re.sub(r"\s+", " ", done.stdout + done.stderr)


# Installing


def test_plugins_are_where_cni_looks(staged):
    for name in PLUGINS:
        plugin = staged / "opt/cni/bin" / name
        assert plugin.stat().st_mode & 0o777 == 0o755
        assert run(plugin, "--version").stdout.startswith(f"CNI {name} plugin ")
    for name in PROGRAMS:
        assert run(staged / "usr/sbin" / name, "--version").stdout.startswith("cnix-eni-node ")
    for name in MANAGERS:
        assert run(staged / "usr/sbin" / name, "--version").stdout.startswith(f"{name} ")
        unit = (staged / "usr/lib/systemd/system" / f"{name}.service").read_text()
        assert unit == (ROOT / "packaging/systemd/cnix-ipamd.service").read_text()


def test_documents(staged):
    documents = staged / DATA / "doc/cnix-plugins"
    for package in ("cnix-plugins", "cnix-ipamd", "cnix-dev"):
        text = (staged / DATA / "doc" / package / "copyright").read_text()
        licence = "\n".join(line[1:].replace(".", "", 1) if line == " ." else line[1:] for line in text.splitlines())
        assert (ROOT / "LICENSE").read_text().strip() in licence
    assert {path.name for path in (documents / "examples").iterdir()} == {f"{name}.conflist" for name in PLUGINS} | {"eni-node.json", "eni.json"}
    assert {path.name for path in (documents / "licenses").iterdir()} == {"Apache-2.0", "GPL-3", "LGPL-2.1", "LGPL-3"}
    assert {path.name for path in (staged / DATA / "doc/cnix-ipamd/licenses").iterdir()} == {"LGPL-2.1"}
    assert {path.name for path in (staged / DATA / "doc/cnix-ipamd/examples").iterdir()} == {"ipamd.toml", "policy.json", "daemonset.yaml"}


def test_manual_pages(staged):
    pages = {path.name: path for path in (staged / DATA / "man").rglob("*.gz")}
    assert set(pages) == {f"{path.name}.gz" for path in (ROOT / "man").iterdir()}
    for name, path in pages.items():
        assert path.parent.name == f"man{name.removesuffix('.gz')[-1]}"
        assert gzip.decompress(path.read_bytes()) == (ROOT / "man" / path.stem).read_bytes()


OWN = {"libcnix", "libcnix_grpc_messages", "libcnix_ipamd_parts"}


def test_copyright_names_every_library_that_is_linked(built):
    """Static programs contain what they are linked with; the C and C++ libraries are the compiler's."""
    text = (ROOT / "packaging/debian/cnix-plugins.copyright").read_text()
    named = {library: set(re.findall(r"[\w-]+", who)) & {*PLUGINS, *PROGRAMS} for libraries, who in re.findall(
        r"^Files: (lib.+)\n(?:.+\n)*?Comment: (In bridge.*(?:\n .*)*|.*, in (?:bridge|eni).*(?:\n .*)*)\n", text, re.MULTILINE)
        for library in re.findall(r"(lib[^ ]+)\.a", libraries)}
    linked = {}
    for plugin, line in link_lines(built()).items():
        libraries = re.findall(r"(lib[\w.-]+?)\.(?:a|so)\b", line) + [f"lib{name}" for name in re.findall(r"(?<= )-l([\w+-]+)", line)]
        for library in libraries if plugin in (*PLUGINS, *PROGRAMS) else ():
            if library not in ("libatomic", "librt", *OWN):  # the compiler's, the C library's
                linked.setdefault(re.sub("libabsl_.*", "libabsl_*", library), set()).add(plugin)
    # The managers are linked with Debian's packages, but for what is built here.
    text = (ROOT / "packaging/debian/cnix-ipamd.copyright").read_text()
    for manager in MANAGERS:
        static = set(re.findall(r"(lib[\w.-]+?)\.a\b", link_lines(built())[manager])) - OWN
        assert set(re.findall(r"^Files: (lib.+)\.a$", text, re.MULTILINE)) == static
    assert named == linked and {"libnl-3", "libnettle", "libnghttp2", "libprotobuf-lite"} <= set(linked)


def test_every_header_is_installed(staged):
    roots = [ROOT / "include", *(ROOT / "backends").glob("*/include")]
    wanted = {str(header.relative_to(root)) for root in roots for header in root.rglob("*.[hi]pp")}
    wanted |= {f"cnix-laws/laws/{header.name}" for header in (ROOT / "tests/laws").glob("*.hpp")}
    wanted |= {f"cnix-laws/support/{name}.hpp" for name in ("difference", "kernel_node", "network_state", "own_namespace")}
    assert {str(header.relative_to(staged / "usr/include")) for header in (staged / "usr/include").rglob("*.[hi]pp")} == wanted


def test_plugin_directory_below_the_prefix(built, tmp_path):
    tree = built("-DCNIX_PLUGIN_DIR=lib/cni")
    run("cmake", "--install", tree, "--prefix", tmp_path, "--component", "plugins")
    assert {path.name for path in (tmp_path / "lib/cni").iterdir()} == set(PLUGINS)
    assert not (tmp_path / "include").exists() and not (tmp_path / "share/cmake").exists()


def test_no_path_of_the_build_machine(staged):
    files = [path for path in staged.rglob("*") if path.is_file()]
    assert len(files) > 100
    for path in files:
        content = path.read_bytes()
        assert str(ROOT).encode() not in content, path
        if path.suffix == ".cmake":
            assert not re.search(rb"/usr/(?:lib|include)|x86_64-linux-gnu", content), path


# Using


def test_consumer_is_built_from_the_package(consumer):
    tree = consumer("-DCMAKE_CXX_FLAGS=-O0")
    build(tree)
    assert run(tree / "my-bridge", "--version").stdout.startswith("CNI my-bridge plugin ")
    assert run(tree / "site-ipam").stdout == "well formed\n"
    for plugin in ("my-bridge", "site-ipam"):
        assert "INTERP" not in run("readelf", "--program-headers", "--wide", tree / plugin).stdout, "not static"


def test_package_subdirectory_and_fetched_content_are_the_same(consumer):
    trees = {source: consumer("-DCNIX_PREBUILT=ON", source=source) for source in ("package", "subdirectory", "fetch")}
    facts = {source: (tree / "facts").read_text().replace(str(tree), "BUILD") for source, tree in trees.items()}
    assert "my-bridge CNIX_PLUGIN: plugin_my_bridge\n" in facts["package"]
    assert "my-bridge CNIX_HEADER: BUILD/cnix_plugins/my-bridge.hpp\n" in facts["package"]
    assert "my-cni CNIX_PLUGIN: site::plain_ipam\nmy-cni CNIX_TYPE: site-ipam\n" in facts["package"]
    assert f"my-cni CNIX_HEADER: {ROOT}/tests/package/consumer/composition.hpp\n" in facts["package"]
    assert facts["subdirectory"] == facts["package"] and facts["fetch"] == facts["package"]
    assert "my-bridge LINK_LIBRARIES: cnix::prebuilt;cnix::cnix;" in facts["package"] and "my-cni LINK_LIBRARIES: cnix::cnix;" in facts["package"]
    lines = [{plugin: re.sub(r"\S+/(?=libcnix\.a)", "", line) for plugin, line in link_lines(tree).items()} for tree in trees.values()]
    assert set(lines[0]) == {"my-bridge", "my-cni"} and lines[0] == lines[1] == lines[2]
    for file in ("my-bridge.hpp", "my-bridge.cpp", "my-bridge.verbs.cpp"):
        assert len({(tree / "cnix_plugins" / file).read_text() for tree in trees.values()}) == 1


def test_a_subdirectory_installs_and_builds_nothing_of_its_own(consumer, tmp_path):
    tree = consumer(source="subdirectory")
    run("cmake", "--install", tree, "--prefix", tmp_path, env={"PATH": "/usr/bin:/bin", "DESTDIR": str(tmp_path)})
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_messages_are_generated_by_the_consumer(staged, tmp_path):
    """In a directory that is not the first to look for the package, with the compiler's strictest warnings."""
    if not shutil.which("protoc"):
        pytest.skip("no protoc (package protobuf-compiler)")
    other = tmp_path / "source/other"
    other.mkdir(parents=True)
    for directory in (other.parent, other):
        (directory / "main.cpp").write_text(
            "#include <cnix/backends/grpc.hpp>\n"
            "int main() { return cnix::backends::grpc<cnix::rpc::v1_10>{}.health({*cnix::rpc::endpoint::parse(\"127.0.0.1:1\"), "
            "std::chrono::seconds{1}}, \"\") == cnix::rpc::health::serving; }\n")
    (other / "CMakeLists.txt").write_text("find_package(cnix CONFIG REQUIRED COMPONENTS grpc)\n"
                                          "cnix_add_plugin(q SOURCES main.cpp BACKENDS grpc)\n")
    done, tree = use_package(tmp_path, staged, "add_compile_options(-O0 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)",
                             "cnix_add_plugin(p SOURCES main.cpp BACKENDS grpc)", "add_subdirectory(other)", components="COMPONENTS grpc")
    assert done.returncode == 0, done.stderr
    build(tree, "q")
    program = tree / "other/q"
    assert "INTERP" not in run("readelf", "--program-headers", "--wide", program).stdout, "not static"
    assert "connect: Connection refused" in run(program, check=False).stderr


# The words of a generated composition, and what they compile.

COMBINATIONS = [dict(zip(("IPAM", "NAT", "SPOOF_CHECK", "NFT"), words)) for words in itertools.product(
    ("host-local", "delegate"), ("nftables", "iptables", "none"), ("nftables", "none"), ("nftables", "libnftables"))
    if words[1:] not in {("iptables", "none", "libnftables"), ("none", "none", "libnftables")}]


def test_every_combination_links_what_its_slots_use(staged, tmp_path):
    calls = []
    for number, words in enumerate(COMBINATIONS):
        used = words if words["NAT"] == "nftables" or words["SPOOF_CHECK"] == "nftables" else {**words, "NFT": ""}
        options = " ".join(f"{keyword} {word}" for keyword, word in used.items() if word)
        calls.append(f"cnix_add_plugin(p{number} LINK bridge {options})\n"
                     f"get_target_property(libraries p{number} LINK_LIBRARIES)\n"
                     f'file(APPEND ${{CMAKE_BINARY_DIR}}/libraries "${{libraries}}\\n")')
    done, tree = use_package(tmp_path, staged, *calls)
    assert done.returncode == 0, done.stderr
    lines = link_lines(tree)
    for number, (words, libraries) in enumerate(zip(COMBINATIONS, (tree / "libraries").read_text().splitlines(), strict=True)):
        nft = words["NFT"] if "nftables" in (words["NAT"], words["SPOOF_CHECK"]) else None
        wanted = {"cnix::prebuilt", "cnix::cnix", "cnix::libnl", "cnix::recording", *({f"cnix::{nft}"} if nft else ()),
                  *({"cnix::iptables"} if words["NAT"] == "iptables" else ())}
        assert set(libraries.split(";")) == wanted, words
        header = (tree / f"cnix_plugins/p{number}.hpp").read_text()
        assert f"cnix::ipam::{words['IPAM'].replace('-', '_')}," in header and f"cnix::nat::{words['NAT']}" in header
        assert ("spoof_check" in header) == (words["SPOOF_CHECK"] == "nftables")
        assert ("-static " in lines[f"p{number}"]) == (nft != "libnftables"), words
        assert ("libnettle" in lines[f"p{number}"]) == (words["NAT"] == "iptables"), words


def test_generated_headers_are_plugins(staged, tmp_path):
    """Each word in at least one composition that the compiler takes, in the GNU dialect, where `linux` is a macro, too. The
    compiler takes every target's name: words of C++, functions and macros of C, what begins with a digit or is false to CMake."""
    calls = {"true": "IPAM delegate NAT iptables SPOOF_CHECK none", "in-process": "IPAM host-local NAT nftables NS setns NFT libnftables",
             "plain": "IPAM host-local NAT none SPOOF_CHECK nftables"}
    calls |= dict.fromkeys(("and", "default", "char", "co_await", "errno", "kill", "linux", "main", "read", "sizeof", "std", "stdin", "unix",
                            "3com", "c++", "NOTFOUND", "off", "cnix", "write"), calls["plain"])
    names = {target: "plugin_" + re.sub(r"\W", "_", target) for target in calls}
    (tmp_path / "source").mkdir()
    (tmp_path / "source/every.cpp").write_text(
        "#include <cerrno>\n#include <cstdio>\n#include <csignal>\n#include <unistd.h>\n#ifndef linux\n#error strict\n#endif\n" +
        "".join(f'#include "{target}.hpp"\n' for target in names) +
        "".join(f"static_assert({name}::well_formed);\n" for name in names.values()))
    (tmp_path / "source/a.conf").write_text("{}")
    done, tree = use_package(
        tmp_path, staged,
        *(f"cnix_add_plugin({target} LINK bridge {words})\n"
          f"cnix_check_config({target} FILES a.conf)\n"
          f"get_target_property(name {target} CNIX_PLUGIN)\n"
          'file(APPEND ${CMAKE_BINARY_DIR}/names "${name}\\n")' for target, words in calls.items()),
        "add_library(every OBJECT every.cpp)",
        "target_link_libraries(every PRIVATE cnix::libnl cnix::libnftables cnix::iptables)",
        "target_include_directories(every PRIVATE ${CMAKE_BINARY_DIR}/cnix_plugins)")
    assert done.returncode == 0, done.stderr
    assert (tree / "names").read_text().splitlines() == list(names.values())
    build(tree, "every")


PREBUILT = {"spoof": "LINK bridge IPAM host-local NAT nftables", "in-process": "LINK bridge IPAM host-local NAT nftables NFT libnftables",
            "delegate": "LINK bridge IPAM delegate NAT iptables SPOOF_CHECK none", "pool": "LINK bridge IPAM pool NAT none SPOOF_CHECK none",
            "eni": "LINK eni-routed IPAM pool NAT nftables", "remote": "LINK eni-routed IPAM remote NAT none", "eni-iptables": "LINK eni-routed IPAM pool NAT iptables"}


def test_library_has_what_generated_compositions_call(staged, tmp_path):
    """Each policy over each backend, its verbs and its plan: what the linker does not find has no body anywhere else."""
    names = ["plugin_" + target.replace("-", "_") for target in PREBUILT]
    (tmp_path / "source").mkdir()
    (tmp_path / "source/every.cpp").write_text(
        "#ifndef CNIX_PREBUILT\n#error compiled from the headers\n#endif\n#include <cnix/main.hpp>\n#include <cnix/plan.hpp>\n" +
        "".join(f'#include "{target}.hpp"\n' for target in PREBUILT) +
        "".join(f"template struct cnix::configuration<{name}>;\ntemplate void cnix::run<{name}>(cnix::cni::request const&);\n"
                f"template std::string cnix::plan<{name}>(std::string_view, std::string_view, std::string_view, cnix::cni::request);\n"
                for name in names) + "int main() {}\n")
    (tmp_path / "source/own_backend.cpp").write_text(  # docs/cmake.md#prebuilt
        "#include <cnix/backends/libnl.hpp>\n#include <cnix/ipam/host_local.hpp>\n#include <cnix/link/bridge.ipp>\n#include <cnix/nat/none.hpp>\n"
        "#include <cnix/ns/setns.hpp>\n#include <cnix/verbs.hpp>\nstruct own : cnix::backends::libnl {};\n"
        "struct own_ns : cnix::ns::setns {\n"
        "    own_ns(cnix::ns::setns ns) : cnix::ns::setns{std::move(ns)} {}\n"
        "    static own_ns open(std::string const& path) { return cnix::ns::setns::open(path); }\n"
        "    static std::optional<own_ns> find(std::string const& path) { return cnix::ns::setns::find(path); }\n"
        "};\n"
        "using over_own = cnix::plugin<cnix::link::bridge<own>, cnix::ipam::host_local, cnix::nat::none, own_ns>;\n"
        "template void cnix::run<over_own>(cnix::cni::request const&);\n")
    done, tree = use_package(
        tmp_path, staged, *(f"cnix_add_plugin({target} {words})\nget_target_property(libraries {target} LINK_LIBRARIES)\n"
                            f'file(APPEND ${{CMAKE_BINARY_DIR}}/libraries "${{libraries}}\\n")' for target, words in PREBUILT.items()),
        "add_executable(every every.cpp own_backend.cpp)",
        "target_link_libraries(every PRIVATE cnix::prebuilt cnix::libnl cnix::libnftables cnix::iptables cnix::grpc cnix::recording)",
        "target_include_directories(every PRIVATE ${CMAKE_BINARY_DIR}/cnix_plugins)", options=("-DCMAKE_CXX_FLAGS=-O0",))
    assert done.returncode == 0, done.stderr
    assert all(line.startswith("cnix::prebuilt;") for line in (tree / "libraries").read_text().splitlines())
    build(tree, "every")


# What makes a plugin dynamic

CALL = "cnix_add_plugin(p LINK bridge IPAM host-local NAT nftables{})"
DYNAMIC = {"DYNAMIC": ((CALL.format(" DYNAMIC"),), ()),
           "sanitizer": ((CALL.format(""),), ("-DCMAKE_CXX_FLAGS=-fsanitize=address",)),
           "directory's sanitizer": (("add_link_options(-fsanitize=undefined)", CALL.format("")), ()),
           "linked afterwards": ((CALL.format(""), "target_link_libraries(p PRIVATE cnix::libnftables)"), ()),
           "shared libnl": ((CALL.format(""),), ("-DLIBNL_LIBRARY=/usr/lib/libnl-3.so",))}


@pytest.mark.parametrize("lines, options", DYNAMIC.values(), ids=DYNAMIC)
def test_not_static(staged, tmp_path, lines, options):
    done, tree = use_package(tmp_path, staged, *lines, options=options)
    assert done.returncode == 0, done.stderr
    assert "-static" not in link_lines(tree)["p"] and "--gc-sections" in link_lines(tree)["p"]


def test_target_that_is_there(staged, tmp_path):
    done, tree = use_package(tmp_path, staged, CALL.format(""), "cnix_add_plugin(p LINK bridge IPAM delegate NAT none)")
    assert done.returncode != 0 and "cnix_add_plugin(p): there is a target `p` already; give this one another name" in text_of(done)
    assert "host_local" in (tree / "cnix_plugins/p.hpp").read_text()


# What the package lacks

WITHOUT_LIBNL = ("-DLIBNL_INCLUDE_DIR=",)


def test_missing_system_library(staged, tmp_path):
    done, _ = use_package(tmp_path, staged, CALL.format(""), options=WITHOUT_LIBNL)
    assert "cnix_add_plugin(p): there is no target cnix::libnl" in text_of(done) and "libnl-3-dev" in text_of(done)


def test_missing_recording(staged, tmp_path):
    """What --plan needs is no slot's: its lack is told as that of the others is, and not of the link."""
    package = tmp_path / "usr/share/cmake/cnix"
    shutil.copytree(staged / "usr/share/cmake/cnix", package)
    (tmp_path / "usr/include").symlink_to(staged / "usr/include")
    (package / "cnix-recording.cmake").unlink()
    done, _ = use_package(tmp_path, tmp_path, CALL.format(""))
    assert done.returncode != 0
    assert "cnix_add_plugin(p): there is no target cnix::recording: it needs no libraries" in text_of(done), text_of(done)
    assert "There are: libnl, nftables, " in text_of(done)


def test_missing_component(staged, tmp_path):
    done, _ = use_package(tmp_path, staged, components="COMPONENTS iptables", options=WITHOUT_LIBNL)
    assert done.returncode != 0 and "cnix has no backend `iptables` here:" in text_of(done), text_of(done)


def test_unknown_component(staged, tmp_path):
    done, _ = use_package(tmp_path, staged, components="COMPONENTS netlink")
    assert done.returncode != 0 and "cnix has no backend `netlink` here:" in text_of(done), text_of(done)


def test_another_version_is_refused(staged, tmp_path):
    source = write_project(tmp_path, "find_package(cnix 0.2 CONFIG REQUIRED)")
    done = configure(source, tmp_path / "build", f"-DCMAKE_PREFIX_PATH={staged}/usr", check=False)
    assert done.returncode != 0 and 'compatible with requested version "0.2"' in text_of(done)
