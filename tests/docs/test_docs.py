"""The documentation against the sources, and against itself."""

import json
import re
from pathlib import Path

import pytest
from sources import POLICIES, ROOT, code, headers, messages, policies, policy_keys, structs, without_slot

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "include/cnix/README.md",
                *(ROOT / "plugins").rglob("*.md"), *(ROOT / "backends").rglob("*.md")])
BY_NAME = [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES]
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_BLOCK = re.compile(r"^<!-- file: (\S+) -->\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def without_code(text: str) -> str:
    return re.sub(r"``.+?``|`[^`\n]+`", "", FENCE.sub("", text))


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE):
        plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


def rows(page: Path) -> set[str]:
    """The keys that a page documents: the first column of each table whose head begins with `key`."""
    keys, inside = set(), False
    for line in page.read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if not line.startswith("|"):
            inside = False
        elif cells[1] == "key":
            inside = True
        elif inside and not set(cells[1]) <= set("-: "):
            keys |= {key if "/" in key or key.startswith("io.") else re.split(r"[.\]]", key)[-1] for key in re.findall(r"`([^`]+)`", cells[1])}
    return keys


@pytest.mark.parametrize("page", sorted(set(policies())))
def test_policy_has_a_page(page):
    text = (POLICIES / page).read_text()
    for verb in ("ADD", "DEL", "CHECK", "GC", "STATUS"):
        assert re.search(rf"\b{verb}\b", text), f"{page} does not say what {verb} does"


@pytest.mark.parametrize("page, struct, key", policy_keys())
def test_key_is_documented(page, struct, key):
    assert key in rows(POLICIES / page), f"`{key}` of {struct} is missing in docs/policies/{page}"


@pytest.mark.parametrize("page", sorted(page.name for page in POLICIES.glob("*.md")))
def test_documented_key_exists(page):
    known = {key for name, _, key in policy_keys() if name == page}
    assert rows(POLICIES / page) - known == set()


def test_keys_of_the_nodes_configuration_are_documented():
    (keys,) = structs(ROOT / "include/cnix/eni/node_config.hpp").values()
    assert set(keys) == rows(ROOT / "docs/eni-node.md")


def test_standard_keys_are_documented():
    keys = structs(ROOT / "include/cnix/cni/network_config.hpp")
    documented = rows(ROOT / "docs/compose.md")
    for struct in ("cnix::cni::network_config", "cnix::cni::dns_keys"):
        assert set(keys[struct]) - documented == set()


@pytest.mark.parametrize("page", BY_NAME)
def test_links_resolve(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text())):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        assert other.exists(), f"{target} leads nowhere"
        if anchor:
            assert anchor in anchors(other), f"{target}: no such heading in {other.relative_to(ROOT)}"


@pytest.mark.parametrize("page", BY_NAME)
def test_blocks_are_what_the_files_say(page):
    for name, block in FILE_BLOCK.findall(page.read_text()):
        file = ROOT / name
        assert file.exists(), f"{name} is shown, and does not exist"
        assert block in file.read_text(), f"the block is no part of {name}"


BLOCK = re.compile(r"^(?:<!-- file: (\S+) -->\n)?```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# The tests that run what a page shows, by the path that they read it from.
RUNNERS = "".join(test.read_text() for test in (ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("page", BY_NAME)
def test_every_block_is_tried(page):
    """C++, INI, JSON and YAML are excerpts of files, C++ of files that CMake builds; or a test reads the page and runs them, as it does
    shell commands. CMake's are all run by tests/package/test_cmake_blocks.py."""
    for name, language, block in BLOCK.findall(page.read_text()):
        assert language in ("cpp", "ini", "json", "yaml", "sh", "cmake"), f"of what language is this? {block}"
        read = f'"{page.relative_to(ROOT)}"' in RUNNERS
        assert name or language == "cmake" or (read and language != "cpp"), f"nothing tries this: {block}"
        if language == "cpp":
            file = ROOT / name
            lists = [directory / "CMakeLists.txt" for directory in file.parents if (directory / "CMakeLists.txt").exists()]
            sources = [file.name] if file.suffix == ".cpp" else [one.name for one in file.parent.glob("*.cpp") if file.name in one.read_text()]
            assert any(re.search(rf"\b{re.escape(Path(one).stem)}\b", lists[0].read_text()) for one in sources), f"nothing builds {name}"


@pytest.mark.parametrize("page", BY_NAME)
def test_json_blocks_are_json_with_known_keys(page):
    known = {key for _, _, key in policy_keys()} | {"cniVersion", "name", "type", "plugins", "ipam", "capabilities", "dns",
                                                    "args", "cni", "runtimeConfig", "prevResult", "cni.dev/valid-attachments"}
    for language, block in FENCE.findall(page.read_text()):
        if language != "json":
            continue
        document = json.loads(block)
        for plugin in document.get("plugins", [document]) if isinstance(document, dict) else []:
            if str(plugin.get("type", "")).startswith("bridge"):
                assert {*plugin, *plugin.get("ipam", {})} - known == set()


def test_pages_named_in_the_sources_exist():
    named = {(match[1], match[2] or "", str(header.relative_to(ROOT)))
             for header in headers("include", "backends")
             for match in re.finditer(r"(docs/[\w/-]+\.md)(?:#([\w-]+))?", code(header) + header.read_text())}
    assert named, "no header names a page"
    for page, anchor, header in named:
        assert (ROOT / page).exists(), f"{header} names {page}"
        assert not anchor or anchor in anchors(ROOT / page), f"{header} names {page}#{anchor}"


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("`", "").replace("\\|", "|")).strip()


ERRORS = plain((ROOT / "docs/errors.md").read_text()) if (ROOT / "docs/errors.md").exists() else ""


@pytest.mark.parametrize("header, text", messages())
def test_message_is_documented(header, text):
    assert plain(text) in ERRORS, f"docs/errors.md lacks a message of {header}"


@pytest.mark.parametrize("page", BY_NAME)
def test_quoted_diagnostics_are_the_compilers(page):
    """`include/cnix/compose.hpp:34:19: error: static assertion failed: TEXT` stands for that line, and TEXT for its text."""
    blocks = re.findall(r"(?:^    .*\n)+", page.read_text(), re.MULTILINE)
    known = {plain(text) for _, text in messages()}
    for block in blocks:
        for name, line, text in re.findall(r"^ {4}(include/\S+\.hpp):(\d+):\d+: (.*(?:\n {4}(?!include/).*)*)", block, re.MULTILINE):
            above, source = ["", *(ROOT / name).read_text().splitlines()][int(line) - 1:int(line) + 1]
            if "static assertion failed: " in text:
                assert "static_assert(" in above + source, f"{name}:{line} is: {source}"
                assert plain(without_slot(text.split("static assertion failed: ")[1].replace("\n", " "))) in known
            else:
                expression = re.search(r"'(.+)'", text)[1]
                assert expression in source, f"{name}:{line} is: {source}"


def test_messages_are_found_at_all():
    found = {text for _, text in messages()}
    assert len(found) > 150
    for known in (" has been allocated to ", "required env variables [", "Required prevResult missing"):
        assert any(known in text or text in known for text in found), known


def test_every_page_is_reached_from_the_index():
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in reached:
            continue
        reached.add(page)
        for target in re.findall(r"\]\(([^)#\s]+\.md)[^)]*\)", without_code(page.read_text())):
            if not target.startswith("http"):
                todo.append((page.parent / target).resolve())
    assert set(PAGES) - reached == set()
