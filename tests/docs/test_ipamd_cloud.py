"""docs/ipamd-cloud.md and packaging/ipamd/policy.json: all that the sources ask of the cloud, and no more."""

import json
import re

from sources import ROOT

PAGE = (ROOT / "docs/ipamd-cloud.md").read_text()
SOURCES = "".join(path.read_text() for folder in ("cloud", "provider") for path in sorted((ROOT / "plugins/eni/ipamd" / folder).glob("*.?pp")))
ACTIONS = set(re.findall(r'"((?:Assign|Attach|Create|Delete|Describe|Detach|Modify|Unassign)[A-Z]\w+)"', SOURCES))


def test_the_policy_allows_what_is_called():
    statements = json.loads((ROOT / "packaging/ipamd/policy.json").read_text())["Statement"]
    allowed = [action for one in statements for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])]
    assert sorted(allowed) == sorted(f"ec2:{action}" for action in ACTIONS) and len(ACTIONS) == 13


def test_the_page_names_each_call():
    calls = PAGE[PAGE.index("## Calls"):PAGE.index("## Policy")]
    assert set(re.findall(r"`([A-Z][a-z]+[A-Z]\w+)`", calls)) - {"ClientToken"} == ACTIONS


def test_the_page_names_each_variable():
    assert set(re.findall(r'"(AWS_[A-Z0-9_]+)"', SOURCES)) == set(re.findall(r"`(AWS_[A-Z0-9_]+)`", PAGE))
