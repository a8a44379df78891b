"""VLAN keys are checked on every kernel."""

import pytest

from support.cni import Attachment
from support.snapshot import difference, snapshot


@pytest.mark.parametrize("keys", (
    {"vlan": 4095}, {"vlan": -1}, {"vlanTrunk": [{"minID": 0, "maxID": 5}]}, {"vlanTrunk": [{"minID": 1, "maxID": 4095}]},
    {"vlanTrunk": [{"minID": 9, "maxID": 5}]}, {"vlanTrunk": [{"minID": 9}]}, {"vlanTrunk": [{"maxID": 9}]},
    {"vlanTrunk": [{"id": 0}]}, {"vlanTrunk": [{"id": 4095}]}, {"vlanTrunk": {"id": 7}}), ids=str)
def test_refused(node, plugin, keys):
    before = snapshot(node)
    Attachment(node, node.config(**keys), node.pod(), plugin=plugin).run("ADD").failure(None, next(iter(keys)))
    assert difference(before, snapshot(node)) == []


def test_kernel_without_vlan_filtering_is_named(node):
    """An error that says what the kernel lacks, and nothing left."""
    if node.run("ip", "link", "add", "probe", "type", "bridge", "vlan_filtering", "1", check=False).returncode == 0:
        pytest.skip("this kernel has bridge VLAN filtering")
    before = snapshot(node)
    Attachment(node, node.config(vlan=100), node.pod()).run("ADD").failure(None, "vlan")
    assert difference(before, snapshot(node)) == []
