"""What docs/quick-start.md does by hand."""

import json
import re
from pathlib import Path

from support.namespace import run

ROOT = Path(__file__).resolve().parents[2]


def test_by_hand(plugins, tmp_path):
    (block,) = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "docs/quick-start.md").read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "build/release").mkdir(parents=True)
    (tmp_path / "build/release/bin").symlink_to(plugins.directory)
    left = "\necho; ip -json link show type veth; find /run/leases -name '10.*'"
    said = run("unshare", "--net", "--mount", "sh", "-eu", "-c", block + left, cwd=tmp_path).stdout
    result, end = json.JSONDecoder().raw_decode(said)
    assert [ip["address"] for ip in result["ips"]] == ["10.88.0.2/16"]
    assert "1 received" in said[end:]
    assert said.splitlines()[-1] in ("[]", ""), said
