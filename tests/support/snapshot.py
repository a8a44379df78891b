"""The whole network state of a namespace as a set of facts, to be compared before and after."""

import contextlib
import json
from functools import partial
from pathlib import Path

from .namespace import Namespace, run

# Of every interface; the kernel derives others from these.
INTERFACE_SYSCTLS = ("ipv4/conf/{}/forwarding", "ipv4/conf/{}/arp_notify", "ipv4/conf/{}/rp_filter",
                     "ipv4/conf/{}/proxy_arp", "ipv4/conf/{}/route_localnet", "ipv6/conf/{}/forwarding",
                     "ipv6/conf/{}/accept_ra", "ipv6/conf/{}/accept_dad", "ipv6/conf/{}/disable_ipv6",
                     "ipv6/conf/{}/addr_gen_mode", "ipv6/conf/{}/keep_addr_on_down")


def _links(links: list[dict]) -> set[str]:
    facts = set()
    for link in links:
        name, info = link["ifname"], link.get("linkinfo", {})
        shown = {"kind": info.get("info_kind"), "mac": link.get("address"), "mtu": link["mtu"],
                 "master": link.get("master"), "up": "UP" in link["flags"], "promiscuity": link.get("promiscuity"),
                 "alias": link.get("ifalias"), "filtering": info.get("info_data", {}).get("vlan_filtering")}
        facts.add(f"link {name} {shown}")
        if port := info.get("info_slave_data"):
            facts.add(f"port {name} " + str({key: port.get(key) for key in ("hairpin", "isolated")}))
        facts |= {f"address {name} {info['local']}/{info['prefixlen']}" for info in link["addr_info"] if info["scope"] != "link"}
    return facts


def _routes(namespace: Namespace) -> set[str]:
    facts = set()
    for family in (4, 6):
        routes, rules = namespace.ip_lists("route show table all", "rule show", options=(f"-{family}",))
        for route in routes:
            if route.get("table") == "local" or route["dst"] in ("ff00::/8", "fe80::/64"):
                continue  # the kernel's, made with an address or a device
            shown = {key: value for key, value in route.items() if key not in ("flags", "expires", "pref")}
            facts.add(f"route {family} {sorted(shown.items(), key=str)}")
        facts |= {f"rule {family} {rule}" for rule in rules}
    return facts


def _vlans(namespace: Namespace) -> set[str]:
    listed = run("bridge", "-n", namespace.name, "-j", "vlan", "show", check=False).stdout
    return {f"vlan {port.get('ifname')} {port.get('vlans')}" for port in json.loads(listed or "[]")}


def _skeleton(kind: str, item: dict) -> bool:
    """What holds nothing of any network or pod: tables, hooked chains, empty sets, and the rules that lead into them."""
    if kind in ("table", "metainfo"):
        return True
    if kind == "chain":
        return "hook" in item
    if kind in ("map", "set"):
        return not item.get("elem")
    if kind == "rule":
        return '"vmap"' in json.dumps(item) and '"data": "@' in json.dumps(item)
    return False


def ruleset(namespace: Namespace) -> set[str]:
    """nftables' objects of every family, iptables' too, but for the skeleton."""
    facts = set()
    for entry in json.loads(namespace.inside(run, "nft", "-j", "list", "ruleset").stdout)["nftables"]:
        (kind, item), = entry.items()
        if not _skeleton(kind, item):
            item.pop("handle", None)
            facts.add(f"nft {kind} {json.dumps(item, sort_keys=True)}")
    for tool in ("iptables-save", "ip6tables-save"):
        for line in namespace.inside(partial(run, tool, check=False)).stdout.splitlines():
            if line.startswith("-A") or (line.startswith(":") and " - [" in line):
                facts.add(f"{tool} {line.partition(' [')[0]}")
    return facts


def sysctls(namespace: Namespace, devices: list[str]) -> set[str]:
    names = ["ipv4/ip_forward"]
    for device in ("all", "default", *devices):
        names += [name.format(device.partition("@")[0]) for name in INTERFACE_SYSCTLS]

    def read() -> set[str]:
        facts = set()
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # of an interface that goes with its namespace just now, too
                facts.add(f"sysctl {name} = {Path('/proc/sys/net', name).read_text().strip()}")
        return facts

    return namespace.inside(read)


def files(directory: Path) -> set[str]:
    """Leases below a directory; locks, last addresses and indexes are no one's."""
    return {f"file {file.relative_to(directory)} {file.read_bytes()!r}" for file in directory.rglob("*")
            if file.is_file() and (file.name[0].isdigit() or ":" in file.name)}


def snapshot(namespace: Namespace) -> set[str]:
    links, neighbours = namespace.ip_lists("addr show", "neigh show nud permanent")
    facts = _links(links) | _routes(namespace) | {f"neighbour {entry}" for entry in neighbours}
    facts |= _vlans(namespace) | ruleset(namespace) | sysctls(namespace, [link["ifname"] for link in links])
    if hasattr(namespace, "data") and namespace.data.is_dir():
        facts |= files(namespace.data)
    return facts


def difference(before: set[str], after: set[str]) -> list[str]:
    """One line a fact that went or came; empty when nothing changed."""
    return [f"- {fact}" for fact in sorted(before - after)] + [f"+ {fact}" for fact in sorted(after - before)]


def concerning(facts, *words: str) -> list[str]:
    """The facts that hold one of the words: an address, an interface, a container ID."""
    return [fact for fact in sorted(facts) if any(word in fact for word in words)]
