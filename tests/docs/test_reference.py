"""The API reference: doxygen reads all of it, and whatever is of a namespace says what it is."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as xml

import pytest
from sources import ROOT, headers

pytestmark = pytest.mark.skipif(not shutil.which("doxygen"), reason="doxygen is not installed")


def doxygen(directory, *settings: str) -> subprocess.CompletedProcess:
    """Runs it with docs/Doxyfile and these settings after it; writes below the directory."""
    text = "\n".join(("@INCLUDE = docs/Doxyfile", f"OUTPUT_DIRECTORY = {directory}", "GENERATE_XML = YES", *settings))
    return subprocess.run(("doxygen", "-"), input=text, cwd=ROOT, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    directory = tmp_path_factory.mktemp("reference")
    done = doxygen(directory)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert (directory / "html/index.html").exists()
    return [one for file in (directory / "xml").glob("*.xml") for one in xml.parse(file).getroot().iter("compounddef")]


def says(one: xml.Element) -> bool:
    return any("".join(found.itertext()).strip() for name in ("briefdescription", "detaileddescription")
               if (found := one.find(name)) is not None)


def test_all_of_a_namespace_is_documented(reference):
    named = [(one.get("kind"), one.findtext("compoundname"), one) for one in reference
             if one.get("kind") in ("namespace", "class", "struct", "union", "concept") and one.get("prot") != "private"]
    names = {name for _, name, _ in named}
    silent = [f"{kind} {name}" for kind, name, one in named if name.startswith("cnix") and not says(one)]
    documented = {(name, member.findtext("name")) for _, name, one in named for member in one.iter("memberdef") if says(member)}
    for kind, name, one in named:
        if kind == "namespace":
            for member in one.iter("memberdef"):
                called = member.findtext("name")
                # A specialisation is documented with its template, a deduction guide with its class.
                guide = f"{name}::{called}" in names
                if not (says(member) or guide or (name, called.partition("<")[0].strip()) in documented and "<" in called):
                    where = member.find("location")
                    silent.append(f"{member.get('kind')} {name}::{called} ({where.get('file')}:{where.get('line')})")
    assert silent == []


def test_what_users_need_is_there_and_internals_are_not(reference):
    names = {one.findtext("compoundname") for one in reference}
    concepts = {one.findtext("compoundname") for one in reference if one.get("kind") == "concept"}
    assert {f"cnix::{slot}_policy" for slot in ("link", "ipam", "nat", "ns")} <= concepts
    assert {f"cnix::{library}_backend" for library in ("netlink", "nft", "iptables")} <= concepts
    assert {"cnix::plugin", "cnix::link::bridge", "cnix::ipam::host_local", "cnix::backends::libnl", "cnix::cni::rollback"} <= names
    assert [name for name in names if "detail" in name.split("::") or "rtnl" in name] == []


def test_no_class_of_the_headers_is_lost(reference):
    """What doxygen cannot parse it passes over in silence."""
    names = {one.findtext("compoundname").rpartition("::")[2].partition("<")[0].strip() for one in reference}
    lost = []
    for header in headers("include/cnix", "backends"):
        if "detail" in header.parts or header.name.endswith("_layout.hpp") or header.parent.parent.name == "backends":
            continue
        text = re.sub(r"^namespace ([\w:]*\bdetail) \{\n.*?^\} // namespace \1$", "", header.read_text(), flags=re.MULTILINE | re.DOTALL)
        defined = re.findall(r"^(?:template <.*> )?(?:class|struct|concept) (\w+)\b(?!;|<)", text, re.MULTILINE)
        lost += [f"{header.name}: {name}" for name in defined if name not in names]
    assert lost == []


def test_a_contract_is_a_list(reference):
    (concept,) = (one for one in reference if one.findtext("compoundname") == "cnix::link_policy")
    items = ["".join(item.itertext()).split()[0] for item in concept.iter("listitem")]
    assert items == ["name", "lease", "add", "prepare", "del", "inspect", "check", "gc", "status"]


@pytest.mark.parametrize("comment", ("/// @param none There is none.", "/// Reads <file>.", "/// See @ref nothing_of_that_name."))
def test_a_warning_is_an_error(tmp_path, comment):
    (tmp_path / "wrong.hpp").write_text(f"{comment}\nvoid wrong(int some);\n")
    done = doxygen(tmp_path / "out", f"INPUT = {tmp_path / 'wrong.hpp'}", "GENERATE_HTML = NO")
    assert done.returncode != 0 and "wrong.hpp" in done.stderr
