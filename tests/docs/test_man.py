"""The manual pages: well formed, and with the facts of the documentation and the programs."""

import re
import shutil
import subprocess

import pytest
from man_pages import PAGES, written
from sources import ROOT

BY_NAME = [pytest.param(page, id=page.name) for page in PAGES]


def run(*command: str) -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is missing (Debian: mandoc, man-db)")
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "100"})
    return done.stdout + done.stderr


def options(text: str) -> set[str]:
    return {option.replace("\\-", "-") for option in re.findall(r"^\.(?:It |Op )?Fl (-[\w-]+)", text, re.MULTILINE)}


def test_there_are_pages():
    assert [page.name for page in PAGES] == ["cnix-bridge.8", "cnix-cmake.7", "cnix-eni-node.8", "cnix-eni.8", "cnix-host-local.8", "cnix-ipamd.8", "cnix-new.1"]


@pytest.mark.parametrize("page", BY_NAME)
def test_tables_are_the_documentations(page):
    assert page.read_text() == written(page.read_text()), "run python3 tests/docs/man_pages.py"


@pytest.mark.parametrize("page", BY_NAME)
def test_mandoc_finds_nothing(page):
    assert run("mandoc", "-Tlint", "-Wwarning", str(page)) == ""


@pytest.mark.parametrize("page", BY_NAME)
def test_man_shows_it(page):
    shown = run("man", "--warnings", "--local-file", str(page))
    assert shown.startswith(page.stem.upper()) and "warning" not in shown
    for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "SEE ALSO"):
        assert re.search(rf"^{heading}$", shown, re.MULTILINE)


@pytest.mark.parametrize("page, without", (("cnix-bridge.8", set()), ("cnix-eni.8", set()), ("cnix-host-local.8", {"-plan"})))
def test_options_are_the_plugins(page, without):
    help_text = re.search(r"help_text\(.+?^}", (ROOT / "include/cnix/main.ipp").read_text(), re.MULTILINE | re.DOTALL)[0]
    told = set(re.findall(r'"  -(-\w+)', help_text))
    assert {"-check", "-help", "-plan", "-version"} <= told
    told -= without
    text = (ROOT / "man" / page).read_text()
    assert options(text.partition(".Sh DESCRIPTION")[2]) == told, "described"
    assert options(text.partition(".Sh DESCRIPTION")[0]) == told, "in the synopsis"


def test_words_are_those_of_cnix_new():
    text = (ROOT / "man/cnix-new.1").read_text()
    words = re.search(r"declare -A words=\(([^)]+)\)", (ROOT / "cmake/cnix-new.in").read_text())[1]
    taken = {option: (quoted or bare).split() for option, quoted, bare in re.findall(r"\[([\w-]+)\]=(?:'([^']+)'|(\w+))", words)}
    assert options(text) == {"-name", "-help", "-version", *(f"-{option}" for option in taken)}
    for option, values in taken.items():
        assert re.search(rf"^\.It Fl -{option} Ar word\n\.Cm {' , '.join(values)}$", text, re.MULTILINE), option


def test_names_are_no_others():
    """No other package of Debian has a page of these names; `bridge` is one of iproute2's."""
    for page in PAGES:
        assert page.name.startswith("cnix-")
        assert re.search(rf"^\.Nm {re.escape(page.stem)}$", page.read_text().partition(".Sh SYNOPSIS")[0], re.MULTILINE)
