"""nat::iptables starts one process for each family a verb, and none where it has nothing to do."""

import os
import shutil

import pytest

SUBNETS = ("10.22.0.0/24", "fd00:22::/64")
PROGRAMS = ("iptables-restore", "ip6tables-restore", "iptables-save", "ip6tables-save", "iptables", "ip6tables")
RESTORE = ["ip6tables-restore", "iptables-restore"]
SAVE = ["ip6tables-save", "iptables-save"]


@pytest.fixture
def started(tmp_path):
    """Calls something with a PATH whose iptables note each start; returns the programs started, sorted."""
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
    attachment = type(other)(node, both, node.pod(), plugin="bridge-iptables")
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
    second = type(first)(node, one, first.pod, ifname="eth1", plugin="bridge-iptables")
    assert started(second.add) == ["iptables-restore", "iptables-save"]
    assert started(second.delete) == ["iptables-restore", "iptables-restore", "iptables-save"]
    gc = one | {"cni.dev/valid-attachments": []}
    assert started(lambda **options: node.cni("GC", gc, "bridge-iptables", **options).success()) == [
        "ip6tables-save", "iptables-restore", "iptables-save"]


def test_without_masquerade_there_is_none(node, started):
    attachment = node.attach(config(node, *SUBNETS, ipMasq=False), plugin="bridge-iptables")
    assert started(attachment.check) == started(attachment.delete) == started(attachment.add) == []
