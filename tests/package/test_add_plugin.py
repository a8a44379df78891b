"""What cnix_add_plugin says to wrong calls. In CMake's script mode, which has no targets: it is refused before one is made."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
POLICIES = "LINK bridge IPAM host-local NAT nftables"
BACKENDS = "libnl, nftables, libnftables, iptables, grpc or recording"

WRONG = {
    # call: what the message says after `cnix_add_plugin(p): `
    "": "neither policies nor sources; write LINK, IPAM and NAT for a composition that is generated, or SOURCES",
    "LINK bridge IPAM host-local": "NAT is missing; write NAT nftables, iptables or none",
    "LINK bridge NAT none": "IPAM is missing; write IPAM host-local, delegate, pool or remote",
    "IPAM host-local NAT none": "LINK is missing; write LINK bridge or eni-routed",
    "LINK brigde IPAM host-local NAT none": "LINK `brigde` is unknown; write bridge or eni-routed",
    "LINK bridge IPAM dhcp NAT none": "IPAM `dhcp` is unknown; write host-local, delegate, pool or remote",
    "LINK bridge IPAM host-local NAT nft": "NAT `nft` is unknown; write nftables, iptables or none",
    f"{POLICIES} NS fork": "NS `fork` is unknown; write setns",
    f"{POLICIES} SPOOF_CHECK iptables": "SPOOF_CHECK `iptables` is unknown; write nftables or none",
    f"{POLICIES} NFT nft": "NFT `nft` is unknown; write nftables or libnftables",
    "LINK bridge IPAM host-local NAT iptables SPOOF_CHECK none NFT libnftables":
        "NFT says how nftables is driven, which nothing of this plugin uses; leave NFT out",
    "LINK IPAM host-local NAT none": "LINK has no value; write bridge or eni-routed",
    "LINK bridge IPAM host-local NAT": "NAT has no value; write nftables, iptables or none",
    'LINK bridge IPAM "" NAT none': "IPAM has no value; write host-local, delegate, pool or remote",
    f"{POLICIES} delegate": "`delegate` is no option, nor the value of one; the options are LINK, IPAM, NAT,",
    f"{POLICIES} FIREWALL none": "`FIREWALL` is no option, nor the value of one; the options are LINK, IPAM, NAT,",
    f"{POLICIES} NAT none": "NAT is given 2 times; leave one",
    f"{POLICIES} DYNAMIC ON": "`ON` is no option",
    f"{POLICIES} OUTPUT_NAME": "OUTPUT_NAME has no value; write the plugin's file name",
    f"{POLICIES} OUTPUT_NAME ../bridge": "`../bridge` cannot be a plugin's file name",
    f"{POLICIES} SOURCES main.cpp": "LINK IPAM NAT generate the composition, SOURCES describe one that is written by hand",
    "LINK bridge BACKENDS libnl": "LINK generate the composition, BACKENDS describe one that is written by hand",
    "LINK eni-routed IPAM host-local NAT none": "LINK eni-routed must know the ENI of each address, which IPAM host-local does not tell; write IPAM remote or pool",
    "LINK eni-routed IPAM delegate NAT none": "LINK eni-routed must know the ENI of each address, which IPAM delegate does not tell",
    "LINK bridge IPAM remote NAT none": "LINK bridge puts pods on a subnet, and IPAM remote tells addresses without one; write IPAM host-local, delegate or pool",
    "LINK eni-routed IPAM pool NAT none SPOOF_CHECK none": "SPOOF_CHECK is a bridge's; leave it out",
    "LINK eni-routed IPAM pool NAT none GENERATION v1.20": "GENERATION is that of the daemon's protocol, which IPAM pool does not speak; leave it out",
    "LINK eni-routed IPAM remote NAT none GENERATION v1.9": "GENERATION `v1.9` is unknown; write v1.20, v1.10 or v1.7",
    "LINK eni-routed IPAM remote NAT none NFT nftables": "NFT says how nftables is driven, which nothing of this plugin uses; leave NFT out",
    f"{POLICIES} BODIES library": "BODIES `library` is unknown; write prebuilt or headers",
    "SOURCES main.cpp BODIES": "BODIES has no value; write prebuilt or headers, or leave BODIES out",
    "SOURCES": "SOURCES has no value; write the composition's source files",
    "BACKENDS libnl": "SOURCES is missing; write SOURCES and the composition's source files",
    "SOURCES main.cpp BACKENDS": f"BACKENDS has no value; write {BACKENDS}, or leave BACKENDS out",
    "SOURCES main.cpp BACKENDS libnl netlink": f"BACKENDS `netlink` is unknown; write {BACKENDS}. What is not cnix's is linked with",
    "SOURCES main.cpp HEADER composition.hpp": "HEADER and PLUGIN say together where the composition's type is found; write both",
    "SOURCES main.cpp PLUGIN site::bridge": "HEADER and PLUGIN say together where the composition's type is found; write both",
    "SOURCES main.cpp HEADER nowhere.hpp PLUGIN site::bridge": "HEADER nowhere.hpp is no file; write the path of the header that defines",
    "SOURCES main.cpp HEADER fifo.hpp PLUGIN site::bridge": "HEADER fifo.hpp is no file; write the path",
    "SOURCES main.cpp HEADER here.hpp PLUGIN site::bridge<int>": "PLUGIN `site::bridge<int>` is not the name of a type",
}


def refused(tmp_path: Path, call: str, before: str = "set(CMAKE_CXX_COMPILER_LOADED 1)") -> str:
    """The message, as one line, with which a call is refused."""
    script = tmp_path / "script.cmake"
    script.write_text(f"{before}\ninclude({ROOT}/cmake/CnixAddPlugin.cmake)\ncnix_add_plugin({call})\n")
    run = subprocess.run(("cmake", "-P", script), cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode != 0
    assert not (tmp_path / "cnix_plugins").exists(), "wrote files before it refused"
    return re.sub(r"\s+", " ", run.stderr)


@pytest.mark.parametrize("call, message", WRONG.items())
def test_wrong_call(tmp_path, call, message):
    (tmp_path / "here.hpp").touch()
    os.mkfifo(tmp_path / "fifo.hpp")
    assert f"cnix_add_plugin(p): {message}" in refused(tmp_path, f"p {call}").replace(f"{tmp_path}/", "")


@pytest.mark.parametrize("call, backend", [(POLICIES, "libnl"), ("SOURCES main.cpp BACKENDS iptables", "iptables")])
def test_backend_that_is_not_there(tmp_path, call, backend):
    said = refused(tmp_path, f"p {call}")
    assert f"cnix_add_plugin(p): there is no target cnix::{backend}: its libraries were not found" in said
    assert "for libnl and nftables; nettle-dev too for iptables; libnftables-dev too for libnftables; " in said and "protobuf-compiler for grpc). Install them" in said and "There are: none" in said


def test_recording_that_is_not_there(tmp_path):
    said = refused(tmp_path, "p SOURCES main.cpp BACKENDS recording")
    assert "there is no target cnix::recording: it needs no libraries, so cnix's package is not whole. Install it anew. There are: none" in said


def test_every_word_is_documented():
    module = (ROOT / "cmake/CnixAddPlugin.cmake").read_text()
    values = dict(re.findall(r"^  set\(([A-Z_]+) (.+)\)$", module[module.index("function(_cnix_values"):], re.MULTILINE))
    table = {}
    for line in (ROOT / "docs/cmake.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if line.startswith("| `") and len(cells) == 6:
            table |= {option: re.findall(r"`([^`]+)`", cells[2]) for option in re.findall(r"`([^`]+)`", cells[1])}
    assert {"LINK", "SOURCES", "OUTPUT_NAME"} < set(values)
    assert {"DYNAMIC", *values} == set(table)
    for option, words in values.items():
        assert table[option] == ([] if words.startswith('"') else words.split()), option


def test_without_cxx(tmp_path):
    assert "C++ is not enabled; write project(... LANGUAGES CXX)" in refused(tmp_path, f"p {POLICIES}", "")


def test_target_that_is_no_file_name(tmp_path):
    assert "cnix_add_plugin(a b): `a b` cannot be a plugin's file name" in refused(tmp_path, f'"a b" {POLICIES}')


@pytest.mark.parametrize("target", ("a b", "../../p", "cnix::p"))
def test_target_that_is_no_name(tmp_path, target):
    said = refused(tmp_path, f'"{target}" {POLICIES} OUTPUT_NAME p', 'set(CMAKE_CXX_COMPILER_LOADED 1)')
    assert f"cnix_add_plugin({target}): `{target}` cannot be a target's name; write letters" in said
    assert [path.name for path in tmp_path.iterdir()] == ["script.cmake"]


def test_target_whose_files_are_another_ones(tmp_path):
    said = refused(tmp_path, f"p.verbs {POLICIES} OUTPUT_NAME q")
    assert "cnix_add_plugin(p.verbs): `p.verbs.cpp` is what a source of a target `p` is called; give this one another name" in said
