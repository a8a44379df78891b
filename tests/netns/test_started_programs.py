"""Which programs a verb starts: one iptables for each family, nft for a network's rules only, none where there is nothing to do."""

import os
import shutil

import pytest

from support.cni import Attachment

SUBNETS = ("10.22.0.0/24", "fd00:22::/64")
PROGRAMS = ("iptables-restore", "ip6tables-restore", "iptables-save", "ip6tables-save", "iptables", "ip6tables", "nft")
RESTORE = ["ip6tables-restore", "iptables-restore"]
SAVE = ["ip6tables-save", "iptables-save"]


@pytest.fixture
def started(tmp_path):
    """Calls something with a PATH whose programs note each start; returns the programs started, sorted."""
    log = tmp_path / "log"
    for name in PROGRAMS:
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho {name} >>{log}\nexec {shutil.which(name)} "$@"\n')
        program.chmod(0o755)

    def during(call, **options):
        log.write_text("")
        call(env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, **options)
        return sorted(log.read_text().split())

    return during


def config(node, *subnets, **keys):
    return node.config(**({"cniVersion": "1.1.0", "isGateway": True, "ipMasq": True, "ipam": node.ipam(*subnets)} | keys))


def test_one_process_a_family(node, started):
    both = config(node, *SUBNETS)
    other = node.attach(both, plugin="bridge-iptables")
    attachment = Attachment(node, both, node.pod(), plugin="bridge-iptables")
    assert started(attachment.add) == RESTORE
    assert started(attachment.check) == SAVE
    valid = [{"containerID": a.pod.container, "ifname": a.ifname} for a in (attachment, other)]
    gc = both | {"cni.dev/valid-attachments": valid}
    assert started(lambda **options: node.cni("GC", gc, "bridge-iptables", **options).success()) == SAVE
    status = lambda **options: node.cni("STATUS", both, "bridge-iptables", **options).success()
    assert started(status) == RESTORE
    assert started(attachment.delete) == RESTORE
    assert started(attachment.delete) == []


def test_one_family_is_one_process(node, started):
    attachment = node.attach(config(node, SUBNETS[0]), plugin="bridge-iptables")
    assert started(attachment.delete) == ["iptables-restore"]
    assert started(attachment.add) == ["iptables-restore"]


def test_reading_first_is_one_more(node, started):
    """Where others' rules are in the chain, or nobody knows the addresses."""
    one = config(node, SUBNETS[0])
    first = node.attach(one, plugin="bridge-iptables")
    second = Attachment(node, one, first.pod, ifname="eth1", plugin="bridge-iptables")
    assert started(second.add) == ["iptables-restore", "iptables-save"]
    assert started(second.delete) == ["iptables-restore", "iptables-restore", "iptables-save"]
    gc = one | {"cni.dev/valid-attachments": []}
    assert started(lambda **options: node.cni("GC", gc, "bridge-iptables", **options).success()) == [
        "ip6tables-save", "iptables-restore", "iptables-save"]


def test_without_masquerade_there_is_none(node, started):
    attachment = node.attach(config(node, *SUBNETS, ipMasq=False), plugin="bridge-iptables")
    assert started(attachment.check) == started(attachment.delete) == started(attachment.add) == []


def test_nft_makes_rules_and_reads_them(node, started):
    """A pod that is not its network's first one is an element, which needs no program; nothing that is deleted does."""
    both = config(node, *SUBNETS)
    first, second = (Attachment(node, both, node.pod()) for _ in range(2))
    assert started(first.add) == ["nft"]
    assert started(second.add) == []
    assert started(second.check) == ["nft"]
    gc = both | {"cni.dev/valid-attachments": [{"containerID": first.pod.container, "ifname": first.ifname}]}
    assert started(lambda **options: node.cni("GC", gc, **options).success()) == []
    assert started(lambda **options: node.cni("STATUS", both, **options).success()) == ["nft"]
    assert started(second.delete) == []
    assert started(first.delete) == []
    assert node.run("nft", "list", "ruleset").stdout == ""


def test_the_spoof_check_starts_nft_for_its_first_port(node, started):
    guarded = config(node, *SUBNETS, ipMasq=False, macspoofchk=True)
    first, second = (Attachment(node, guarded, node.pod()) for _ in range(2))
    assert started(first.add) == ["nft"]
    assert started(second.add) == []
    assert started(second.delete) == started(first.delete) == []


def test_nothing_to_masquerade_starts_nothing(node, started):
    attachment = Attachment(node, config(node, *SUBNETS, ipMasq=False), node.pod())
    for call in (attachment.add, attachment.check, attachment.delete):
        assert started(call) == []
    status = config(node, *SUBNETS, ipMasq=False)
    assert started(lambda **options: node.cni("STATUS", status, **options).success()) == []
