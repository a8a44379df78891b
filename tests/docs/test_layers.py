"""The include order of include/cnix/README.md, read out of the #include lines, and what a binary is made of."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEADERS = sorted((ROOT / "include/cnix").rglob("*.[hi]pp"))

# A header may include headers of its own layer and of the layers before it. The slots' models do not see each other.
LAYERS = ("net", "sys", "config", "cni", "concepts", "eni", "models", "compose", "plugin", "main")
MODELS = ("link", "ipam", "nat", "ns")
TOP = {"prebuilt.hpp": "net", "compose.hpp": "compose", "entry.hpp": "compose", "plugin.hpp": "plugin", "accepts.hpp": "compose", "main.hpp": "main", "verbs.hpp": "plugin", "cnix.hpp": "main"}

# System libraries belong to the backends; these two headers cost tenths of a second in every file.
FORBIDDEN = re.compile(r"<(?:netlink|nftables|libnftnl|nettle|nghttp2|grpc\w*|google)/|<(?:boost/hana|range/v3/all)\.hpp>")
INCLUDE = re.compile(r"^\s*#\s*include\s*([<\"][^>\"]+[>\"])", re.MULTILINE)


def includes(header: Path) -> list[str]:
    return INCLUDE.findall(header.read_text())


def layer(path: str) -> tuple[str, str]:
    """Layer and directory of a path below include/cnix."""
    directory = path.split("/")[0]
    if directory in MODELS:
        return "models", directory
    return TOP.get(path.replace(".ipp", ".hpp"), directory), directory


def fault(header: str, include: str) -> str | None:
    """Why the header, a path below include/cnix, must not include `<...>`."""
    if FORBIDDEN.search(include):
        return f"{header} includes {include}"
    if include.startswith('"'):
        return f"{header} includes {include} by a relative path"
    if not include.startswith("<cnix/"):
        return None
    target = include[len("<cnix/"):-1]
    own, directory = layer(header)
    other, other_directory = layer(target)
    if other not in LAYERS:
        return f"{header} includes {include}, which is in no layer"
    if LAYERS.index(other) > LAYERS.index(own):
        return f"{header} ({own}) includes {include} ({other}), which comes later"
    if own == other == "models" and directory != other_directory:
        return f"{header} includes {include}: the models of two slots must not know each other"
    return None


def test_there_are_headers_in_every_layer():
    found = {layer(str(header.relative_to(ROOT / "include/cnix")))[0] for header in HEADERS}
    assert found == set(LAYERS)


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: str(header.relative_to(ROOT / "include/cnix")))
def test_header_includes_only_what_comes_before_it(header):
    name = str(header.relative_to(ROOT / "include/cnix"))
    assert [why for include in includes(header) if (why := fault(name, include))] == []


@pytest.mark.parametrize("backend", sorted(path.name for path in (ROOT / "backends").iterdir() if path.is_dir()))
def test_backend_includes_no_policy_and_no_plugin(backend):
    late = [f"{header.relative_to(ROOT)}: {include}"
            for header in (ROOT / "backends" / backend / "include/cnix/backends").rglob("*.[hi]pp") for include in includes(header)
            if include.startswith("<cnix/") and not include.startswith("<cnix/backends/")
            and LAYERS.index(layer(include[len("<cnix/"):-1])[0]) > LAYERS.index("concepts")]
    assert late == []


@pytest.mark.parametrize("header, include", (
    ("net/address.hpp", "<cnix/sys/fd.hpp>"),
    ("config/read.hpp", "<cnix/cni/error.hpp>"),
    ("concepts/nat_policy.hpp", "<cnix/nat/none.hpp>"),
    ("nat/none.hpp", "<cnix/link/bridge.hpp>"),
    ("nat/none.hpp", "<cnix/plugin.hpp>"),
    ("plugin.hpp", "<cnix/main.hpp>"),
    ("link/bridge.hpp", "<cnix/backends/libnl.hpp>"),
    ("link/bridge.hpp", "<netlink/netlink.h>"),
    ("nat/nftables.hpp", "<nftables/libnftables.h>"),
    ("nat/iptables.hpp", "<nettle/sha2.h>"),
    ("ipam/remote.hpp", "<nghttp2/nghttp2.h>"),
    ("plugin.hpp", "<boost/hana.hpp>"),
    ("net/range.hpp", "<range/v3/all.hpp>"),
    ("net/range.hpp", '"address.hpp"'),
))
def test_violation_is_found(header, include):
    assert fault(header, include) is not None


@pytest.mark.parametrize("header, include", (
    ("cni/args.hpp", "<cnix/config/schema.hpp>"),
    ("link/bridge.hpp", "<cnix/link/bridge/port.hpp>"),
    ("entry.hpp", "<cnix/concepts/settings.hpp>"),
    ("plugin.hpp", "<boost/hana/tuple.hpp>"),
    ("net/range.hpp", "<range/v3/view/iota.hpp>"),
    ("ns/setns.hpp", "<sched.h>"),
))
def test_order_is_no_violation(header, include):
    assert fault(header, include) is None


def test_readme_tells_the_same_order():
    text = (ROOT / "include/cnix/README.md").read_text()
    order = "net < sys < config < cni < concepts < eni < link | ipam | nat | ns < compose, entry < plugin < main"
    assert order in text


@pytest.mark.parametrize("main", sorted((ROOT / "plugins").rglob("main.cpp")), ids=lambda main: main.parent.name)
def test_a_binary_is_a_composition(main):
    text = main.read_text()
    assert len(text.splitlines()) <= 30
    assert text.count("cnix::main<") == 1
