"""The sources are as clang-format-19 writes them: a change shows what it changes."""

import shutil
import subprocess

import pytest
from sources import ROOT

CLANG_FORMAT = shutil.which("clang-format-19")
SOURCES = [path for pattern in ("*.hpp", "*.ipp", "*.cpp", "*.c") for path in sorted(ROOT.rglob(pattern)) if "build" not in path.parts]


@pytest.mark.skipif(not CLANG_FORMAT, reason="clang-format-19 is not installed")
def test_sources_are_formatted():
    wrong = subprocess.run((CLANG_FORMAT, "--dry-run", *map(str, SOURCES)), capture_output=True, text=True).stderr
    files = sorted({line.split(":")[0] for line in wrong.splitlines() if "clang-format-violations" in line})
    assert not files, "write them with `clang-format-19 -i`"
