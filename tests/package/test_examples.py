"""docs/examples/site_pods: policies written outside of cnix, built against the installed package only."""

import pytest

from package.conftest import ROOT, build, configure, run

pytestmark = pytest.mark.xdist_group("package")
SOURCE = ROOT / "docs/examples/site_pods"


@pytest.fixture(scope="module")
def site_pods(staged, tmp_path_factory):
    """The build tree of a copy: nothing of this repository is beside it."""
    source = tmp_path_factory.mktemp("site_pods")
    for file in SOURCE.iterdir():
        (source / file.name).write_text(file.read_text())
    tree = source / "build"
    configure(source, tree, f"-DCMAKE_PREFIX_PATH={staged}/usr", "-DCMAKE_CXX_FLAGS=-O0 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror")
    build(tree)
    return tree


def test_policies_are_short():
    policies = list(SOURCE.glob("*.hpp"))
    assert policies and all(len(file.read_text().splitlines()) < 100 for file in policies)


def test_laws_hold(site_pods):
    run("ctest", "--test-dir", site_pods, "--output-on-failure", "--no-tests=error")
