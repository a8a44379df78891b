"""What the documentation must agree with, read out of the headers as text."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ROOT / "docs/policies"

STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')


def headers(*directories: str) -> list[Path]:
    return sorted(path for directory in directories for path in (ROOT / directory).rglob("*.[hi]pp"))


def code(path: Path) -> str:
    """A header without its comments, adjacent string literals joined, and the character '\"' out of the way."""
    text = path.read_text().replace("'\"'", "'_'")
    text = re.sub(r"^\s*//.*$|(?<=[;{}),:]) +//.*$", "", text, flags=re.MULTILINE)
    return re.sub(r'(?<!\\)"\s*\n?\s*"', "", text)


def arguments(text: str, opening: int) -> str:
    """What stands between the bracket at `opening` and its partner."""
    depth, inside = 0, False
    at = opening
    while at < len(text):
        byte = text[at]
        if inside:
            if byte == "\\":
                at += 1
            elif byte == '"':
                inside = False
        elif byte == '"':
            inside = True
        elif byte in "({":
            depth += 1
        elif byte in ")}":
            depth -= 1
            if depth == 0:
                break
        at += 1
    return text[opening:at]


def literals(text: str) -> list[str]:
    unescaped = (one.replace('\\"', '"').replace("\\\\", "\\") for one in STRING.findall(text))
    return [one for one in unescaped if one.strip()]


# Where a text for the user is made: an error thrown, a fault or a finding appended.
MESSAGE = re.compile(
    r"\b(?:cni::)?error\s*\{|\bfault\(|\brefuse\(|\bfail\(|\bfailure\(|\bmissing\(|\bfound\.(?:push|emplace)_back\("
    r"|\bfaults\.push_back\(|\bfailures\.push_back\(|\bthrow_errno\(|\badd\(fault_kind|\bruntime_error\s*[({]"
    r"|\bon_failure\(|\bstatic_assert\(|\bdescribe = \[[^\]]*\]\s*(?=[{(])|\[[&]?\](?=\s*\{\s*(?:return \"|std::string text = \"))"
    r"|\bappend\(|\bconcat\(")
LEAST = 12  # shorter literals are glue: " is ", ", found "


def without_slot(message: str) -> str:
    """What is said alike of each slot, as docs/errors.md writes it."""
    found = re.match(r"(cnix: the slot `)(\w+)(`.*)", message)
    if not found:
        return message
    rest = re.sub(r"\blacks .*; write", "lacks WHAT; write", found[3])
    rest = re.sub(r"\bis given an? (?:Link|Ipam|Nat|Ns);", "is given A SLOT;", rest)
    return found[1] + "SLOT" + re.sub(rf"(archetypes::|\.md#){found[2].lower()}\b", r"\1SLOT", rest)


def messages() -> list[tuple[str, str]]:
    """The fixed parts of each message, and the header it is in."""
    found = []
    for header in headers("include/cnix", "backends"):
        # The recording backends are for tests; what fails in the index is never told.
        if "recording" in header.parts or header.name == "lease_index.hpp":
            continue
        text = code(header)
        for match in MESSAGE.finditer(text):
            opening = next(at for at in range(match.end() - 1, len(text)) if text[at] in "({")
            body = arguments(text, opening)
            if match[0].startswith("static_assert") and "cnix: " not in body:
                continue
            found += [(str(header.relative_to(ROOT)), without_slot(one)) for one in literals(body)
                      if len(one) >= LEAST and re.search(r"[a-z]{3} ", one)]
    return sorted(set(found))


def structs(header: Path) -> dict[str, list[str]]:
    """The adapted structs of a header with their JSON keys."""
    text = code(header)
    adapted = re.findall(r"BOOST_HANA_ADAPT_STRUCT\(([^)]*)\)", text)
    renamed = dict(re.findall(r'renamed\{"(\w+)", "([^"]+)"\}', header.read_text()))
    keys = {}
    for one in adapted:
        name, *members = (part.strip() for part in one.replace("\n", " ").split(","))
        keys[name] = [renamed.get(member, member) for member in members]
    return keys


def policy_page(header: Path) -> str:
    """link/bridge/config.hpp and link/bridge.hpp: docs/policies/bridge.md."""
    parts = header.relative_to(ROOT / "include/cnix").parts
    return Path(parts[1]).stem.replace("_", "-").removesuffix("-layout") + ".md"


def policy_keys() -> list[tuple[str, str, str]]:
    """Page, struct and key of everything a policy reads."""
    found = []
    for header in headers(*(f"include/cnix/{slot}" for slot in ("link", "ipam", "nat", "ns"))):
        for struct, keys in structs(header).items():
            found += [(policy_page(header), struct, key) for key in keys]
    return found


def policies() -> list[str]:
    """The page of each model: a header directly in its slot's directory that says it models a slot's concept."""
    slots = {"link": "link_policy", "ipam": "ipam_policy", "nat": "nat_policy", "ns": "ns_policy"}
    found = []
    for slot in slots:
        for header in sorted((ROOT / "include/cnix" / slot).glob("*.hpp")):
            text = header.read_text()
            if re.search(r"using config\b|static_assert\(ns_policy<", text):
                found.append(policy_page(header))
    return found
