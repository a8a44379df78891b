"""docs/eni-node.md: what cnix-eni-node makes of the kernel, as text, and what it leaves alone."""

import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.eni_lab import NODE_VARIANTS
from support.snapshot import difference, snapshot

DEFAULTS = ["0: from all lookup local", "32766: from all lookup main", "32767: from all lookup default"]


@pytest.fixture
def lab(bare_lab):
    return bare_lab


@pytest.fixture
def command(lab, pytestconfig, tmp_path):
    """command(verb, **config): a run of cnix-eni-node, or of its variant."""
    binaries = pytestconfig.option.plugins_dir.resolve()
    if not (binaries / "cnix-eni-node").exists():
        pytest.skip(f"{binaries} has no cnix-eni-node")

    def run(verb="set-up", variant="nftables", **config):
        return lab.set_up_node(binaries, tmp_path, verb, variant, **config)
    return run


@pytest.fixture(params=NODE_VARIANTS)
def variant(request) -> str:
    return request.param


def rules(lab, family=4) -> list[str]:
    """`ip rule`, without the protocol that marks cnix's."""
    shown = lab.node.ip(f"-{family} rule show").stdout.splitlines()
    return [re.sub(r"\s+", " ", line.replace(" proto 201", "")).strip() for line in shown]


def routes(lab, table, family=4) -> list[str]:
    shown = lab.node.ip(f"-{family} route show table {table}", check=False).stdout.splitlines()
    return sorted(re.sub(r"\s+", " ", line.replace(" proto 201", "")).strip() for line in shown)


def iptables(lab) -> list[str]:
    return [line for line in lab.node.run("iptables-save").stdout.splitlines() if line.startswith("-A")]


def test_golden_rules_and_routes(lab, command, variant):
    command(variant=variant)
    assert rules(lab) == [DEFAULTS[0], "1024: from all fwmark 0x80/0x80 lookup main", "32765: from 10.0.2.10 lookup 2", *DEFAULTS[1:]]
    assert routes(lab, "main") == ["10.0.1.0/24 dev eth0 proto kernel scope link src 10.0.1.10", "default via 10.0.1.1 dev eth0"]
    assert routes(lab, 2) == ["10.0.2.1 dev eth1 scope link", "default via 10.0.2.1 dev eth1"]
    assert lab.node.addresses("eth1") == ["10.0.2.10/24"]
    for name in ("eth0", "eth1"):
        link = lab.node.link(name)
        assert link["mtu"] == 9001 and "UP" in link["flags"]
    assert lab.node.sysctl("ipv4/conf/eth0/rp_filter") == "2"
    assert rules(lab, 6) == ["0: from all lookup local", "32766: from all lookup main"]
    assert command("check", variant).stdout == ""


def test_golden_iptables(lab, command):
    command(variant="iptables", excludeSNATCIDRs=["10.1.0.0/16"])
    assert iptables(lab) == [
        '-A PREROUTING -i eth0 -m comment --comment "AWS, primary ENI" -m addrtype --dst-type LOCAL --limit-iface-in '
        '-j CONNMARK --set-xmark 0x80/0x80',
        '-A PREROUTING -i eni+ -m comment --comment "AWS, primary ENI" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80',
        '-A PREROUTING -i vlan+ -m comment --comment "AWS, primary ENI" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80',
        '-A PREROUTING -i eni+ -m comment --comment "AWS, outbound connections" -j AWS-CONNMARK-CHAIN-0',
        '-A PREROUTING -m comment --comment "AWS, CONNMARK" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80',
        '-A POSTROUTING -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-0',
        '-A AWS-CONNMARK-CHAIN-0 -d 10.1.0.0/16 -m comment --comment "AWS CONNMARK CHAIN" -j RETURN',
        '-A AWS-CONNMARK-CHAIN-0 -d 10.0.0.0/16 -m comment --comment "AWS CONNMARK CHAIN" -j RETURN',
        '-A AWS-CONNMARK-CHAIN-0 -m comment --comment "AWS, CONNMARK" -j CONNMARK --set-xmark 0x80/0x80',
        '-A AWS-SNAT-CHAIN-0 -d 10.1.0.0/16 -m comment --comment "AWS SNAT CHAIN EXCLUSION" -j RETURN',
        '-A AWS-SNAT-CHAIN-0 -d 10.0.0.0/16 -m comment --comment "AWS SNAT CHAIN" -j RETURN',
        '-A AWS-SNAT-CHAIN-0 ! -o vlan+ -m comment --comment "AWS, SNAT" -m addrtype ! --dst-type LOCAL '
        '-j SNAT --to-source 10.0.1.10 --random-fully']


def test_a_pod_beside_it_gives_the_reference_topology(lab, command):
    second = lab.enis[1]
    lab.pod(second, second.address(55))
    command()
    assert rules(lab) == [DEFAULTS[0], "512: from all to 10.0.2.55 lookup main", "1024: from all fwmark 0x80/0x80 lookup main",
                          "1536: from 10.0.2.55 lookup 2", "32765: from 10.0.2.10 lookup 2", *DEFAULTS[1:]]
    assert "10.0.2.55 dev eni00000000000 scope link" in routes(lab, "main")


def test_ipv6(lab, command):
    command(ipv6=True)
    assert rules(lab, 6) == [DEFAULTS[0], "1024: from all fwmark 0x80/0x80 lookup main", "32766: from all lookup main"]
    assert routes(lab, 2, 6) == ["default via fe80:ec2::1 dev eth1 metric 1024 pref medium", "fe80:ec2::1 dev eth1 metric 1024 pref medium"]
    assert lab.node.sysctl("ipv6/conf/all/forwarding") == "1"
    assert lab.node.sysctl("ipv6/conf/eth0/accept_ra") == "2"
    assert command("check", ipv6=True).stdout == ""


def test_ipv6_alone(lab, command, variant):
    command(variant=variant, ipv4=False, ipv6=True, ipv4Egress=True)
    assert rules(lab) == DEFAULTS and routes(lab, 2) == [] and lab.node.addresses("eth1") == []
    assert rules(lab, 6) == [DEFAULTS[0], "1024: from all fwmark 0x80/0x80 lookup main", DEFAULTS[1]]
    shown = lab.node.run("nft", "list", "ruleset").stdout + lab.node.run("iptables-save").stdout
    assert "snat" not in shown.lower() and "169.254.172.0/22" in shown
    assert command("check", variant, ipv4=False, ipv6=True, ipv4Egress=True).stdout == ""


def test_strict_branch_enis_come_before_the_local_table(lab, command):
    strict = {"enablePodENI": True, "ipv6": True}
    command(**strict)
    assert rules(lab)[0] == "20: from all lookup local"
    assert rules(lab, 6)[:2] == ["0: from fe80:ec2::1 ipproto ipv6-icmp lookup local", "20: from all lookup local"]
    assert command("check", **strict).stdout == ""
    command(**strict)
    command(ipv6=True)
    assert rules(lab)[0] == rules(lab, 6)[0] == DEFAULTS[0]
    assert not any(line.startswith("20:") for line in rules(lab) + rules(lab, 6))
    command(**strict)
    command("remove")
    assert rules(lab) == DEFAULTS and rules(lab, 6) == DEFAULTS[:2]


def test_removal_leaves_nothing_but_mtu_and_sysctls(lab, command, variant):
    lab.node.run("nft", "add table ip site; add chain ip site c { type filter hook input priority 0; }; add rule ip site c accept")
    lab.node.run("iptables", "-t", "nat", "-A", "PREROUTING", "-p", "tcp", "-j", "RETURN")
    lab.node.ip("rule add fwmark 0x4000/0x4000 priority 1024 table 99")
    lab.node.ip("rule add from 10.0.2.77 priority 1536 table 2 protocol 77")
    lab.node.ip("route add 198.51.100.0/24 via 10.0.1.1 table 2")
    foreign = snapshot(lab.node)
    everything = {"ipv6": True, "externalServiceCIDRs": ["203.0.113.0/24", "2001:db8::/32"], "ipv4Egress": True, "ipv6Egress": True}
    command(variant=variant, **everything)
    assert command("check", variant, **everything).stdout == ""

    def changed() -> list[str]:
        return [one for one in difference(foreign, snapshot(lab.node)) if not re.match(r"[-+] (link eth[01]|sysctl) ", one)]
    assert changed() and [one for one in changed() if one.startswith("-")] == []
    command(variant=variant, enablePodENI=True, **everything)
    command("remove", variant)
    assert changed() == []
    command("remove", variant)


def test_a_second_set_up_changes_nothing(lab, command, variant):
    command(variant=variant, ipv6=True)
    monitors = [subprocess.Popen(lab.node.argv("stdbuf", "-oL", *monitor), stdout=subprocess.PIPE, text=True)
                for monitor in (("ip", "monitor", "link", "address", "route", "rule"), ("nft", "monitor"))]
    try:
        time.sleep(0.3)  # until they listen
        command(variant=variant, ipv6=True)
        assert command("check", variant, ipv6=True).stdout == ""
        lab.node.ip("rule add priority 4711 table main")
        lab.node.run("nft", "add table ip the_end")
        for monitor, end in zip(monitors, ("4711:", "add table ip the_end")):
            assert monitor.stdout.readline().startswith(end)
    finally:
        for monitor in monitors:
            monitor.kill()
            monitor.communicate()


def test_upstreams_rules_are_taken_over(lab, command):
    command()
    expected = rules(lab)
    command("remove")
    for rule in ("fwmark 0x80/0x80 priority 1024 table main", "fwmark 0x100/0x100 priority 1024 table main",
                 "from 10.0.2.10 priority 32765 table 2", "to 203.0.113.0/24 priority 1535 table main"):
        lab.node.ip(f"rule add {rule} protocol 0")
    assert command("check", check=False).stdout.count("has no protocol number: upstream made it") == 4
    command()
    assert rules(lab) == expected and command("check").stdout == ""
    assert lab.node.ip("rule show").stdout.count("proto 201") == 2


def test_several_at_once(lab, command, variant):
    """A timer's and a person's, say; they want the same."""
    command(variant=variant)
    expected = snapshot(lab.node)
    command("remove", variant)
    with ThreadPoolExecutor() as pool:
        for done in pool.map(lambda _: command(variant=variant, check=False), range(6)):
            assert done.returncode == 0, done.stderr
    assert difference(expected, snapshot(lab.node)) == []


def test_what_was_wanted_before_goes(lab, command, variant):
    command(variant=variant, externalServiceCIDRs=["203.0.113.0/24"], connmark="0x100", excludeSNATCIDRs=["10.1.0.0/16"])
    assert "1024: from all fwmark 0x100/0x100 lookup main" in rules(lab)
    assert "1535: from all to 203.0.113.0/24 lookup main" in rules(lab)
    told = command("check", variant, check=False, externalServiceCIDRs=["203.0.114.0/24"])
    assert told.returncode == 1
    for line in ("the IPv4 policy rule of priority 1535 to 203.0.114.0/24 for the table 254 is missing",
                 "the IPv4 policy rule of priority 1535 to 203.0.113.0/24 for the table 254 is not wanted any more",
                 "the IPv4 policy rule of priority 1024 with mark 256 for the table 254 is not wanted any more"):
        assert line in told.stdout.splitlines()
    command(variant=variant, externalServiceCIDRs=["203.0.114.0/24"])
    assert [line for line in rules(lab) if line[:4] in ("1024", "1535")] == [
        "1024: from all fwmark 0x80/0x80 lookup main", "1535: from all to 203.0.114.0/24 lookup main"]
    shown = lab.node.run("nft", "list", "ruleset").stdout + lab.node.run("iptables-save").stdout
    assert "0x100/" not in shown and "0x00000100" not in shown and "10.1.0.0" not in shown


@pytest.mark.parametrize("content", (None, "{"), ids=("missing", "broken"))
def test_removal_without_an_inventory(lab, command, variant, pytestconfig, tmp_path, content):
    foreign = snapshot(lab.node)
    command(variant=variant, ipv6=True)
    file = tmp_path / "eni.json"
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    binary = pytestconfig.option.plugins_dir.resolve() / NODE_VARIANTS[variant]
    done = lab.node.run(str(binary), "remove", "--inventory", str(file), check=False)
    assert done.returncode == 1
    first, second = done.stderr.splitlines()
    assert (f"there is no inventory of ENIs {file}: write it, or name the file with `--inventory FILE`" in first) == (content is None)
    assert second == "  the addresses of the ENIs stay on their interfaces; all else is removed"
    assert lab.node.addresses("eth1") == ["10.0.2.10/24"]
    lab.node.ip("addr del 10.0.2.10/24 dev eth1")
    left = difference(foreign, snapshot(lab.node))
    assert [one for one in left if not re.match(r"[-+] (link eth[01]|sysctl) ", one)] == []


def test_damage_is_told_and_put_right(lab, command, variant):
    command(variant=variant)
    good = snapshot(lab.node)
    lab.node.ip("link set eth1 down")  # takes routes along
    lab.node.ip("rule del priority 1024")
    lab.node.ip("addr add 10.0.2.99/24 dev eth1")
    lab.node.ip("link set eth0 mtu 1500")
    lab.node.sysctl("ipv4/conf/eth0/rp_filter", 1)
    lab.node.run("nft", "flush ruleset")
    told = command("check", variant, check=False)
    assert told.returncode == 1
    for line in ("eth1 is down", "eth1 has the address 10.0.2.99/24, which is not the ENI's own",
                 "the route 0.0.0.0/0 via 10.0.2.1 in table 2 out of eth1 is missing",
                 "the route 10.0.2.1/32 in table 2 out of eth1 is missing",
                 "the MTU of eth0 is 1500, and should be 9001",
                 "the IPv4 policy rule of priority 1024 with mark 128 for the table 254 is missing",
                 "the sysctl net/ipv4/conf/eth0/rp_filter is 1, and should be 2"):
        assert line in told.stdout.splitlines()
    assert ("nftables: " if variant == "nftables" else "iptables: missing in table nat") in told.stdout
    command(variant=variant)
    assert difference(good, snapshot(lab.node)) == []


def test_an_eni_that_is_not_there_is_named_and_the_rest_is_set_up(lab, command):
    lab.vpc.detach(lab.enis[1])
    told = command(check=False)
    assert told.returncode == 1
    assert ("no interface of the node has the MAC address 02:00:00:00:01:01 of the ENI eni-00000000000000001: it is not attached "
            "yet, or not any more; try again") in told.stderr
    assert "1024: from all fwmark 0x80/0x80 lookup main" in rules(lab)
    lab.vpc.attach(lab.node, lab.enis[1])
    command()
    assert routes(lab, 2) == ["10.0.2.1 dev eth1 scope link", "default via 10.0.2.1 dev eth1"]


def test_two_enis_in_one_subnet(lab, command, pytestconfig, tmp_path):
    """The kernel's route of the second one's address must not take the first one's place."""
    inventory = lab.inventory()
    inventory["enis"][1] |= {"primaryAddress": "10.0.1.20", "subnet": "10.0.1.0/24", "gateway": "10.0.1.1"}
    lab.inventory = lambda: inventory
    command()
    assert routes(lab, "main") == ["10.0.1.0/24 dev eth0 proto kernel scope link src 10.0.1.10", "default via 10.0.1.1 dev eth0"]
    assert routes(lab, 2) == ["10.0.1.1 dev eth1 scope link", "default via 10.0.1.1 dev eth1"]
    command("remove")
    assert routes(lab, 2) == []


def test_each_fault_has_a_line(lab, command, tmp_path):
    told = command(check=False, mtu=1, connmark="0")
    assert [re.sub(r"\d+:\d+", "1:2", line) for line in told.stderr.splitlines()] == [
        f"cnix-eni-node: invalid configuration of the node {tmp_path}/node.json: 1:2: $.mtu: it is 576 to 9001",
        '  1:2: $.connmark: write a number of 32 bits that is not 0, such as "0x80" or "128"']
    inventory = lab.inventory()
    inventory["enis"][1] |= {"id": "eni-1\ncnix-eni-node: \x1b[2J", "mac": "02:00:00:00:01:99"}
    lab.inventory = lambda: inventory
    for verb in ("set-up", "check"):
        told = command(verb, check=False)
        lines = (told.stderr + told.stdout).splitlines()
        assert told.returncode == 1 and sum(line.startswith("  cnix-eni-node: ?[2J: it is not attached yet") for line in lines) == 1, lines


def swapped(inventory: dict, key: str) -> None:
    first, second = inventory["enis"]
    first[key], second[key] = second[key], first[key]


@pytest.mark.parametrize("wrong, told", (
    (lambda inventory: swapped(inventory, "mac"), "the interface eth0 of the ENI eni-00000000000000001 carries the node's IPv4 default route"),
    (lambda inventory: swapped(inventory, "deviceNumber"), "the interface eth0 of the ENI eni-00000000000000000 carries the node's IPv4 default route"),
    (lambda inventory: inventory["enis"][0].update(primaryAddress="10.0.1.11"), "eth0 of the primary ENI eni-00000000000000000 (MAC address "
     "02:00:00:00:01:00) does not have its primary address 10.0.1.11")), ids=("mac", "deviceNumber", "primaryAddress"))
def test_an_inventory_that_is_not_the_nodes_cuts_nothing_off(lab, command, tmp_path, wrong, told):
    good, bad = lab.inventory(), lab.inventory()
    wrong(bad)
    for inventory in (bad, good, bad):
        before = snapshot(lab.node)
        lab.inventory = lambda inventory=inventory: inventory
        done = command(check=False)
        assert done.returncode == (inventory is bad)
        if inventory is good:
            continue
        assert f"the inventory of ENIs {tmp_path}/eni.json is not this node's: " in done.stderr and told in done.stderr
        checked = command("check", check=False)
        assert checked.returncode == 1 and told in checked.stdout
        assert difference(before, snapshot(lab.node)) == []


@pytest.mark.parametrize("arguments, text", (
    ((), "one verb is needed"), (("frobnicate",), "unknown verb frobnicate"), (("check", "remove"), "one verb is needed"),
    (("check", "--frobnicate"), "frobnicate"), (("check", "--inventory"), "requires an argument")))
def test_a_wrong_command_line_is_refused(lab, command, pytestconfig, arguments, text):
    done = lab.node.run(str(pytestconfig.option.plugins_dir.resolve() / "cnix-eni-node"), *arguments, check=False)
    assert done.returncode == 2 and text in done.stderr and done.stdout == ""


def test_bad_files_are_refused_and_nothing_is_changed(lab, command, pytestconfig, tmp_path):
    before = snapshot(lab.node)
    for config, text in (({"connmark": "0"}, "node.json: 1:"), ({"vpcCIDRs": []}, "list the VPC's networks"),
                         ({"vethPrefix": "vlan"}, "`vlan` is what other interfaces are called"), ({"frob": 1}, "unknown key `frob`")):
        told = command(check=False, **config)
        assert told.returncode == 1 and text in told.stderr, told
    binary = str(pytestconfig.option.plugins_dir.resolve() / "cnix-eni-node")
    for verb in ("set-up", "check"):
        told = lab.node.run(binary, verb, "--inventory", "/nonexistent", check=False)
        assert told.returncode == 1 and "/nonexistent: write it, or name the file with `--inventory FILE`" in told.stderr
        told = lab.node.run(binary, verb, "--inventory", str(tmp_path / "eni.json"), "--config", "/nonexistent", check=False)
        assert told.returncode == 1 and "/nonexistent: write it, with `vpcCIDRs` at least" in told.stderr
    lab.enis.pop(0)
    told = command(check=False)
    assert told.returncode == 1 and "the primary ENI, with device number 0, is not among the node's" in told.stderr
    assert difference(before, snapshot(lab.node)) == []
