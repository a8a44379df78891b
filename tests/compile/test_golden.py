"""What the compilers say to ill-formed compositions, word for word: compile-tests/golden.

    tests/compile/test_golden.py [CASE]...     writes the texts anew, with the compilers that are installed
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "compile-tests/golden"
CASES = sorted(path.stem for path in (GOLDEN / "cases").glob("*.cpp"))
COMPILERS = {"gcc-12": ("g++", "-fno-diagnostics-show-caret"), "clang-19": ("clang++-19", "-fno-caret-diagnostics", "-ferror-limit=0")}
pytestmark = pytest.mark.xdist_group("golden")  # what is common to the cases is compiled once


def why_not(compiler: str) -> str | None:
    """Why the compiler's texts cannot be compared."""
    program, number = COMPILERS[compiler][0], compiler.split("-")[1]
    try:
        found = subprocess.run((program, "-dumpversion"), capture_output=True, text=True).stdout.split(".")[0].strip()
    except OSError:
        return f"{program} is not installed"
    return None if found == number else f"{program} is version {found}, the texts are of {number}"


class Compiler:
    def __init__(self, name: str, directory: Path):
        program, *options = COMPILERS[name]
        common = directory / "common.hpp"
        common.write_text(f'#include "{GOLDEN}/common.hpp"\n')
        self.command = (program, *options, "-std=c++20", f"-I{ROOT}/include", '-DCNIX_VERSION="0"', "-fno-diagnostics-color", "-Wall", "-Wextra")
        subprocess.run((*self.command, "-x", "c++-header", common, "-o", f"{common}.gch"), check=True)
        self.command += ("-fsyntax-only", "-include", str(common))

    def diagnostics(self, source: Path) -> str:
        """Without what changes when a header's lines move."""
        done = subprocess.run((*self.command, source), capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
        assert done.returncode != 0, f"{source.name} compiled"
        text = re.sub(r"^(?:In file included| +) from .*\n", "", done.stdout + done.stderr, flags=re.MULTILINE)
        text = re.sub(rf"{GOLDEN}/cases/|{ROOT}/include/|{ROOT}/compile-tests/", "", text)
        return re.sub(r"(\.hpp):\d+:\d+", r"\1", text)


def said(text: str) -> list[str]:
    """The errors, without the file and the compiler's own words in front."""
    return re.findall(r"error: (?:static assertion failed: )?(.*)", text)


@pytest.fixture(scope="module", params=COMPILERS)
def compiler(request, tmp_path_factory):
    if reason := why_not(request.param):
        pytest.skip(reason)
    return request.param, Compiler(request.param, tmp_path_factory.mktemp("golden"))


@pytest.mark.parametrize("case", CASES)
def test_golden(compiler, case):
    name, tool = compiler
    text = tool.diagnostics(GOLDEN / f"cases/{case}.cpp")
    assert text == (GOLDEN / name / f"{case}.txt").read_text(), "write it anew with tests/compile/test_golden.py if it is right"
    broken = 2 if case in ("swapped", "two_broken_slots") else 1
    assert len(said(text)) == broken, "one error a broken slot"
    for error in said(text):
        assert re.match(r"cnix: .*\b(?:Link|Ipam|Nat|Ns|Netlink|slots|configuration struct)\b.*; .*\bdocs/[\w-]+\.md#[\w-]+$", error)


CALLS = {"link": ("add", "del", "inspect", "check", "gc", "status"), "ipam": ("add", "del", "find", "check", "gc", "status"),
         "nat": ("add", "del", "check", "gc", "status"), "ns": ("open", "find", "fd", "run", "is_current")}
MEMBERS = {"link": ("name",), "ipam": ("type",), "nat": ("name",), "ns": ()}
TYPES = {"link": ("config", "lease"), "ipam": ("config", "lease"), "nat": ("config",), "ns": ()}
SLOTS = ("link", "ipam", "nat", "ns")


def test_every_requirement_is_told_by_name(compiler, tmp_path):
    """A policy for each, which lacks that and nothing else; all in one source."""
    lines, wanted = [], []

    def broken(slot: str, policy: str, message: str):
        slots = ", ".join(policy if one == slot else f"models::good_{one}" for one in SLOTS)
        lines.append(f"cnix::plugin<{slots}> of_{policy.replace(' ', '_').strip('*&')}_{len(lines)};")
        wanted.append((slot.capitalize(), message))

    for slot in SLOTS:
        for name in (*CALLS[slot], *MEMBERS[slot]):
            lines.append(f"struct {slot}_{name} : models::{slot}<{slot}_{name}> {{ void {name}() = delete; }};")
            broken(slot, f"{slot}_{name}", rf"lacks `[^`]*\b{name}\b[^`]*`.*; write it as cnix::archetypes::{slot} has it; docs/writing-a-policy.md#{slot}$")
        for name in TYPES[slot]:
            lines.append(f"class {slot}_{name} : public models::{slot}<{slot}_{name}> {{ using {name} = void; }};")
            broken(slot, f"{slot}_{name}", rf"lacks the type `{name}`,.*; write it as cnix::archetypes::{slot} has it; docs/writing-a-policy.md#{slot}$")
        for other in SLOTS:
            if other != slot:
                broken(slot, f"models::good_{other}", rf"is given an? {other.capitalize()}; the order is plugin<Link, Ipam, Nat, Ns>; docs/compose.md#{slot}$")
        for type in ("int", "void", f"models::good_{slot} const", f"models::good_{slot}&", f"models::good_{slot}*"):
            broken(slot, type, rf"is given no class; write the policy's own type.*; docs/compose.md#{slot}$")
        lines.append(f"class {slot}_declared;")
        broken(slot, f"{slot}_declared", rf"is given a class that is declared only; include the header that defines it; docs/compose.md#{slot}$")
        lines.append(f"struct {slot}_arguments : models::{slot}<{slot}_arguments> {{ explicit {slot}_arguments(int); {slot}_arguments({slot}_arguments&&) = delete; }};")
        broken(slot, f"{slot}_arguments", rf"lacks a (?:default|move) constructor.*; docs/writing-a-policy.md#{slot}$")
    for slot in SLOTS[:3]:
        lines.append(f"struct {slot}_keys {{ int a = 0; }}; struct {slot}_unadapted : models::{slot}<{slot}_unadapted> {{ using config = {slot}_keys; }};")
        broken(slot, f"{slot}_unadapted", r"has a `config` that is not adapted; list its members with .*; docs/writing-a-policy.md#what-every-policy-has$")
    source = tmp_path / "every.cpp"
    source.write_text("\n".join(re.sub(r" of_[\w:]+_(\d+);$", r" of_\1;", line) for line in lines) + "\n")
    errors = said(compiler[1].diagnostics(source))
    for (slot, message), error in zip(wanted, errors):
        assert re.match(f"cnix: the slot `{slot}` {message}", error), (slot, message)
    assert len(errors) == len(wanted) > 60


def write(*cases: str) -> None:
    for name in COMPILERS:
        if reason := why_not(name):
            print(reason)
            continue
        with tempfile.TemporaryDirectory() as directory:
            tool = Compiler(name, Path(directory))
            (GOLDEN / name).mkdir(exist_ok=True)
            for case in cases or CASES:
                (GOLDEN / name / f"{case}.txt").write_text(tool.diagnostics(GOLDEN / f"cases/{case}.cpp"))


if __name__ == "__main__":
    write(*sys.argv[1:])
