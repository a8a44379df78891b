"""`PLUGIN --check FILE...`: what keeps configurations from working with the plugin."""

import json
import os
import subprocess
from pathlib import Path

import pytest

GOOD = {"cniVersion": "1.0.0", "name": "pods", "plugins": [
    {"type": "bridge", "isGateway": True, "ipMasq": True,
     "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.1.0.0/16"}]]}},
    {"type": "portmap", "capabilities": {"portMappings": True}}]}


@pytest.fixture
def check(plugins, tmp_path):
    """(exit status, lines of stdout, lines of stderr) of a plugin's --check in a directory with the files."""

    def run(*names, plugin="bridge", **files):
        for name, text in files.items():
            (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        done = subprocess.run((plugins.path(plugin), "--check", *names), cwd=tmp_path, capture_output=True, text=True, timeout=60,
                              env={}, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()

    return run


def test_files_that_fit(check):
    assert check("a", "b", a=json.dumps(GOOD), b=json.dumps(GOOD, indent=4)) == (0, ["a: fits bridge", "b: fits bridge"], [])


@pytest.mark.parametrize("plugin", ("bridge", "bridge-iptables", "bridge-delegate", "host-local"))
def test_the_examples_fit(plugins, plugin):
    file = Path(__file__).resolve().parents[2] / f"plugins/bridge/examples/{plugin}.conflist"
    done = subprocess.run((plugins.path(plugin), "--check", file), capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{file}: fits {plugin}\n", "")


def test_every_fault_of_every_file_is_told(check):
    wrong = '{\n "cniVersion": "1.0.0",\n "name": "pods",\n "type": "bridge",\n "isGatway": true,\n "mtu": "1500"\n}\n'
    assert check("wrong", "good", "empty", wrong=wrong, good=json.dumps(GOOD), empty="") == (1, ["good: fits bridge"], [
        "wrong:5:2: $: unknown key `isGatway`, did you mean `isGateway`?",
        "wrong:6:9: $.mtu: expected an integer, found a string",
        "empty:1:1: the text ends where a value is expected"])


@pytest.mark.parametrize("plugin, text", (
    ("bridge-iptables", "no plugin of the list is `bridge-iptables`"),
    ("bridge-delegate", "no plugin of the list is `bridge-delegate`")))
def test_another_plugins_file(check, plugin, text):
    status, _, errors = check("a", plugin=plugin, a=json.dumps(GOOD))
    assert status == 1 and text in errors[0]


def test_host_local_checks_its_object_of_any_plugin(check):
    config = {"cniVersion": "1.0.0", "name": "n", "type": "ptp", "ipMasq": True,
              "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.1.0.0/16", "rangeStar": "10.1.0.5"}]]}}
    status, _, errors = check("a", plugin="host-local", a=json.dumps(config))
    assert status == 1 and "did you mean `rangeStart`?" in errors[0] and len(errors) == 1


def test_what_the_composition_cannot_do(check):
    config = {"cniVersion": "1.0.0", "name": "n", "type": "bridge", "ipMasq": True, "ipMasqBackend": "iptables",
              "ipam": {"type": "dhcp"}}
    status, _, errors = check("a", a=json.dumps(config))
    assert status == 1
    assert any("$.ipMasqBackend" in line and "bridge-iptables" in line for line in errors)
    assert any("$.ipam.type" in line and "bridge-delegate" in line for line in errors)


def test_the_name_says_whether_it_is_a_list(check):
    """As runtimes take it, whatever is in the file."""
    single = json.dumps({"cniVersion": "1.0.0", "name": "n", "type": "bridge"})
    names = {"a.conf": single, "a.conflist": json.dumps(GOOD), "b.conf": json.dumps(GOOD), "b.conflist": single}
    status, fitting, errors = check(*names, **names)
    assert (status, fitting) == (1, ["a.conf: fits bridge", "a.conflist: fits bridge"])
    assert [error.split(":")[0] for error in errors] == ["b.conf", "b.conflist"]
    assert "name it `.conflist`" in errors[0] and "put the plugin into `plugins`" in errors[1]


def test_a_capability_that_nobody_takes(check, node):
    """A fault of the file; at work it does no harm."""
    config = node.config(capabilities={"dns": True}, runtimeConfig={"dns": {"nameservers": ["192.0.2.53"]}}, ipam=node.ipam("10.22.0.0/24"))
    status, _, errors = check("a", a=json.dumps(config | {"runtimeConfig": None}))
    assert status == 1 and "the plugin has no capability `dns`; it has `ipRanges`, `ips`, `mac`" in errors[0] and len(errors) == 1
    assert node.attach(config).result.get("dns", {}) == {}


def test_hostile_files(check, tmp_path):
    deep = "[" * 100_000
    status, _, errors = check("binary", "deep", "long", "none", ".", "/dev/zero", "secret\nname",
                              binary=bytes(range(256)), deep=deep, long=" " * (5 << 20), **{"secret\nname": "{"})
    assert status == 1
    assert [line.split(": ")[0] for line in errors if line.startswith(("binary:", "deep:"))] == ["binary:1:1", "deep:1:33"]
    for text in ("error reading from long: a network configuration has at most 4194304 bytes",
                 'open the file "none": No such file or directory', "error reading from .: Is a directory",
                 "error reading from /dev/zero: a network configuration has at most 4194304 bytes"):
        assert any(text in line for line in errors), text


def test_nobody_waits_for_the_writer_of_a_fifo(check, plugins, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    assert check("fifo") == (1, [], ["bridge: error reading from fifo: it is a FIFO; name a regular file"])
    for late in ("", "sleep 0.1; "):
        piped = f'"$0" --check <({late}printf %s "$1")'
        done = subprocess.run(("bash", "-c", piped, plugins.path("bridge"), json.dumps(GOOD)), capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "") and done.stdout.endswith(": fits bridge\n")


def test_no_files(check):
    assert check() == (1, [], ["bridge: --check needs the files to check"])


def test_what_only_the_runtime_could_bring_must_be_asked_for(check):
    """ADD would say so to each pod."""
    config = {"cniVersion": "1.0.0", "name": "n", "type": "bridge", "ipam": {"type": "host-local"}}
    status, _, errors = check("a", a=json.dumps(config))
    assert status == 1 and "$.ipam: host-local: no IP ranges specified" in errors[0]
    assert check("a", a=json.dumps(config | {"capabilities": {"ipRanges": True}}))[0] == 0
    assert check("a", a=json.dumps(config | {"capabilities": {"ipRanges": False}}))[0] == 1
    listed = {"cniVersion": "1.0.0", "name": "n", "plugins": [{"type": "bridge", "ipam": {"type": "host-local", "ranges": []}}]}
    assert "$.plugins[0].ipam: host-local: no IP ranges" in check("a", a=json.dumps(listed))[2][0]


def test_null_is_no_configuration(check):
    for plugin in ("bridge", "bridge-iptables", "bridge-delegate", "host-local"):
        assert check("a.conf", "b.conflist", plugin=plugin, **{"a.conf": "null", "b.conflist": " null "}) == (
            1, [], ["a.conf:1:1: $: expected an object, found null", "b.conflist:1:2: $: expected an object, found null"])


def chain(*plugins):
    return json.dumps({"cniVersion": "1.0.0", "name": "n", "plugins": list(plugins)})


def test_misspelt_keys_of_the_chains_others(check):
    own = {"type": "bridge"}
    for wrong, text in (({"type": "portmap", "capabilites": {"portMappings": True}}, "did you mean `capabilities`?"),
                        ({"typ": "portmap"}, "did you mean `type`?")):
        status, _, errors = check("a", a=chain(own, wrong))
        assert status == 1 and "$.plugins[1]" in errors[0] and text in errors[0]
    others = {"type": "portmap", "snat": True, "markMasqBit": 3, "conditionsV4": [], "capabilities": {"portMappings": True}}
    assert check("a", a=chain(own, others, {"type": "tuning", "mtu": 1400, "sysctl": {}}))[0] == 0


def test_a_misspelt_type_is_shown(check):
    for wrong in ("brdige", "Bridge"):
        status, _, errors = check("a", a=chain({"type": wrong}, {"type": "portmap"}))
        assert status == 1 and len(errors) == 1 and "$.plugins[0].type: no plugin of the list is `bridge`" in errors[0]
        assert f"is `{wrong}` meant to be it?" in errors[0]


def test_a_chain_in_which_nothing_makes_an_interface_before_it_is_worked_on(check):
    status, _, errors = check("a", a=chain({"type": "loopback"}, {"type": "portmap"}, {"type": "tuning"}, {"type": "bridge"}))
    assert status == 1
    assert [error.partition(": ")[2].partition(":")[0] for error in errors] == ["$.plugins[1].type", "$.plugins[2].type"]


def test_file_names_stay_in_their_line(check):
    status, lines, errors = check("a\nb: fits bridge", "\x1b[2J", **{"a\nb: fits bridge": "{}", "\x1b[2J": json.dumps(GOOD)})
    assert status == 1 and lines == ["?[2J: fits bridge"]
    assert errors and all(error.startswith("a?b: fits bridge:") for error in errors)


def test_unreadable(plugins, tmp_path):
    (tmp_path / "a").write_text(json.dumps(GOOD))
    (tmp_path / "a").chmod(0)
    done = subprocess.run(("setpriv", "--reuid=65534", "--clear-groups", "--", plugins.path("bridge"), "--check", tmp_path / "a"),
                          capture_output=True, text=True)
    assert done.returncode == 1 and "Permission denied" in done.stderr and done.stdout == ""
