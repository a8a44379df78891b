"""packaging/ipamd/daemonset.yaml against docs/ipamd.md and the unit of systemd."""

import configparser
import re

import pytest
from sources import ROOT

yaml = pytest.importorskip("yaml", reason="python3-yaml is missing")
OBJECTS = {one["kind"]: one for one in yaml.safe_load_all((ROOT / "packaging/ipamd/daemonset.yaml").read_text())}
POD = OBJECTS["DaemonSet"]["spec"]["template"]["spec"]
(MANAGER,) = POD["containers"]
PAGE = (ROOT / "docs/ipamd.md").read_text()
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| `")]


def test_flags_and_variables_are_settings():
    flags = {cells[0].strip("`") for cells in ROWS}
    variables = {name for cells in ROWS for name in re.findall(r"`([A-Z]\w+)`", cells[1])}
    assert {arg.removeprefix("--").partition("=")[0] for arg in MANAGER["args"]} <= flags
    assert {one["name"] for one in MANAGER["env"]} <= variables


def test_it_has_what_its_defaults_need():
    defaults = {cells[0].strip("`"): cells[3].strip("`") for cells in ROWS if len(cells) == 6}
    directories = {defaults[name].rpartition("/")[0] for name in ("socket", "backing-store", "spool")}
    mounts = {one["name"]: one["mountPath"] for one in MANAGER["volumeMounts"]}
    assert directories == {mounts["run"]}
    assert {one["name"]: one["hostPath"]["path"] for one in POD["volumes"]} == mounts
    assert MANAGER["livenessProbe"]["httpGet"]["port"] == int(defaults["introspection-bind-address"].rpartition(":")[2])
    assert [one["containerPort"] for one in MANAGER["ports"]] == [int(defaults["metrics-bind-address"].rpartition(":")[2])]
    assert POD["hostNetwork"] and not POD["automountServiceAccountToken"]


def test_it_may_what_the_unit_may():
    unit = configparser.ConfigParser(delimiters="=", interpolation=None, strict=True)
    unit.optionxform = str
    unit.read_string((ROOT / "packaging/systemd/cnix-ipamd.service").read_text())
    allowed = {name.removeprefix("CAP_") for name in unit["Service"]["CapabilityBoundingSet"].split()}
    assert set(MANAGER["securityContext"]["capabilities"]["add"]) == allowed
    assert MANAGER["securityContext"]["capabilities"]["drop"] == ["ALL"]


def test_one_image():
    assert len({one["image"] for one in (*POD["initContainers"], MANAGER)}) == 1
    assert f'ENTRYPOINT ["{MANAGER["readinessProbe"]["exec"]["command"][0]}"]' in (ROOT / "packaging/ipamd/Containerfile").read_text()
