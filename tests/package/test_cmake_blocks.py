"""The CMake that the documentation shows, but for excerpts of files, configured against the installed package."""

import re

import pytest
from package.conftest import ROOT, configure

pytestmark = pytest.mark.xdist_group("package")
BLOCK = re.compile(r"^(?<! -->\n)```cmake\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = {page: blocks for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")) if (blocks := BLOCK.findall(page.read_text()))}
PREFACE = "cmake_minimum_required(VERSION 3.25)\nproject(site LANGUAGES C CXX)\nadd_library(site_library INTERFACE)\n"
# What a page that begins in the middle takes for granted.
FOUND = "find_package(cnix 0.1 CONFIG REQUIRED)\n"


@pytest.fixture
def project(staged, tmp_path):
    """Configures a project of that CMake code, with the files that the blocks name."""
    project = tmp_path / "project"
    (project / "net.d").mkdir(parents=True)
    for name in ("main.cpp", "composition.hpp", "net.d/10-pods.conflist", "net.d/20-dmz.conflist"):
        (project / name).touch()
    for copy in (project / "cnix", tmp_path / "cnix"):
        copy.symlink_to(ROOT)
    return lambda text: configure(write(project, PREFACE + text), project / "build", f"-DCMAKE_PREFIX_PATH={staged}/usr")


def write(project, text):
    (project / "CMakeLists.txt").write_text(text)
    return project


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in BLOCKS])
def test_a_pages_blocks_make_a_project(project, page):
    text = "".join(block for block in BLOCKS[page] if "FetchContent" not in block)
    project(text if "find_package" in text else FOUND + text)


@pytest.mark.parametrize("way", ("find_package", "add_subdirectory", "FetchContent"))
def test_each_way_gives_the_functions(project, way):
    (block,) = (block for blocks in BLOCKS.values() for block in blocks if "FetchContent" in block)
    ways = block.strip().split("\n\n")
    assert len(ways) == 3
    (text,) = (one for one in ways if way in one)
    project(text + "\ncnix_add_plugin(my-bridge LINK bridge IPAM host-local NAT none)\n")
