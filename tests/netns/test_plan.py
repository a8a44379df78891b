"""`PLUGIN --plan FILE`: the commands of an ADD."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from support.cni import Attachment, Node
from support.snapshot import difference, snapshot

SUBNET, SUBNET6 = "10.22.0.0/24", "fd00:22::/64"
WITHOUT_CAPABILITIES = ("setpriv", "--inh-caps=-all", "--bounding-set=-all", "--")
MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")

# By what is seen of it: keys of the bridge's entry, range sets.
NETWORKS = {
    "layer2": ({}, ()),
    "no-gateway": ({}, (SUBNET,)),
    "gateway": ({"isDefaultGateway": True, "ipMasq": True}, (SUBNET,)),
    "ipv6": ({"isDefaultGateway": True, "ipMasq": True}, (SUBNET6,)),
    "dual": ({"isDefaultGateway": True, "ipMasq": True, "hairpinMode": True}, (SUBNET, SUBNET6)),
    "two-sets": ({"isGateway": True, "ipMasq": True}, (SUBNET, "10.23.0.0/24")),
    "port": ({"portIsolation": True, "promiscMode": True, "mtu": 1400}, (SUBNET,)),
    "spoof-check": ({"macspoofchk": True, "ipMasq": True}, (SUBNET, SUBNET6)),
}


def plan(node: Node, file, plugin="bridge", prefix=(), **environment) -> subprocess.CompletedProcess:
    return subprocess.run(node.argv(*prefix, str(node.plugins.path(plugin)), "--plan", str(file)), capture_output=True, text=True,
                          env={"PATH": os.environ["PATH"]} | environment, timeout=60, stdin=subprocess.DEVNULL)


def written(node: Node, config: dict, plugin="bridge") -> str:
    """The file of a list with the network's plugin in it."""
    entry = config | {"type": plugin}
    file = node.directory / "net.conflist"
    file.write_text(json.dumps({"cniVersion": entry.pop("cniVersion"), "name": entry.pop("name"), "plugins": [entry]}))
    return str(file)


def script_of(node, config, attachment, plugin="bridge", prefix=(), **environment) -> str:
    done = plan(node, written(node, config, plugin), plugin, prefix=prefix, CNI_CONTAINERID=attachment.container,
                CNI_NETNS=attachment.path, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def state(*namespaces) -> list[set[str]]:
    """What ADD chooses at random is the same everywhere."""
    return [{MAC.sub("MAC", fact) for fact in snapshot(namespace) if not fact.startswith("file ")} for namespace in namespaces]


def tables(node: Node) -> str:
    """The skeleton, too, which snapshot() leaves out."""
    return MAC.sub("MAC", node.run("nft", "list", "ruleset", "inet").stdout + node.run("nft", "list", "ruleset", "bridge").stdout)


@pytest.fixture
def twin(plugins):
    node = Node(plugins)
    yield node
    node.close()


def compare(node, twin, config, plugin, args=None):
    """The plan's script on one node, ADD on the other."""
    planned, added = node.pod(), twin.pod()
    added.container = planned.container
    before, twins = state(node, planned), state(twin, added)
    environment = {"CNI_ARGS": args} if args else {}
    script = script_of(node, config, planned, plugin, prefix=WITHOUT_CAPABILITIES, **environment)
    assert state(node, planned) == before, "a plan changes nothing"
    assert not node.data.exists()
    node.run("sh", "-e", input=script)
    Attachment(twin, twin.config(**{k: v for k, v in config.items() if k != "ipam"},
                                 **({"ipam": config["ipam"] | {"dataDir": str(twin.data)}} if "ipam" in config else {})),
               added, plugin=plugin, args=args).add()
    for ours, theirs, untouched in zip(state(node, planned), state(twin, added), before):
        assert difference(theirs, ours) == []
        assert ours != untouched
    assert tables(node) == tables(twin)

    file = node.directory / "plan"
    file.write_text(script)
    node.run("sh", "-ec", "sed -n 's/^#undo //p' \"$0\" | tac | sh -ex", str(file))
    for now, first in zip(state(node, planned), before):
        assert difference(first, now) == []
    assert twins == before


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("plugin", ("bridge", "bridge-iptables"))
def test_the_script_does_what_add_does_and_its_undo_takes_it_back(node, twin, plugin, network):
    keys, subnets = NETWORKS[network]
    config = node.config(**keys)
    if subnets:
        config["ipam"] = node.ipam(*subnets, routes=[{"dst": "192.0.2.0/24" if "." in subnets[0] else "2001:db8::/32"}])
    compare(node, twin, config, plugin)


@pytest.mark.parametrize("bridge", ("type", "dev", "up", "name", "help", "a=b", "-f"))
def test_names_that_are_words_of_the_commands(node, twin, bridge):
    compare(node, twin, node.config(bridge=bridge, isGateway=True, ipam=node.ipam(SUBNET, SUBNET6)), "bridge")


def test_layer_2_of_the_composition_that_delegates(node, twin):
    compare(node, twin, node.config(), "bridge-delegate")


def test_a_vlan(node, twin, vlan_filtering):
    compare(node, twin, node.config(vlan=100, preserveDefaultVlan=False, isGateway=True, ipam=node.ipam(SUBNET)), "bridge")


def test_arguments_of_the_runtime(node, twin):
    config = node.config(ipam=node.ipam(SUBNET))
    pod = node.pod()
    script = script_of(node, config, pod, CNI_ARGS="IP=10.22.0.77;MAC=02:00:00:00:00:77", CNI_IFNAME="net1")
    assert "ip addr add 10.22.0.77/24 brd + dev net1" in script and "peer name net1 address 02:00:00:00:00:77" in script
    compare(node, twin, config, "bridge", args="IP=10.22.0.78")


def test_every_command_has_its_undo_below(node):
    script = script_of(node, node.config(isDefaultGateway=True, ipMasq=True, ipam=node.ipam(SUBNET, SUBNET6)), node.pod())
    blocks = script.split("\n\n")[1:]
    assert len(blocks) > 15
    for block in blocks:
        assert re.fullmatch(r"[^#](.|\n)*\n#undo .+\n?", block), block


def test_a_file_with_one_plugin_and_an_attachment_that_is_not_told(node):
    file = node.directory / "one.conf"
    file.write_text(json.dumps(node.config(ipam=node.ipam(SUBNET))))
    done = plan(node, file)
    assert (done.returncode, done.stderr) == (0, "")
    assert '# container "example", interface "eth0", network namespace "/run/netns/example"' in done.stdout


def test_the_entry_is_found_among_the_chains_others(node):
    file = node.directory / "chain.conflist"
    file.write_text(json.dumps({"cniVersion": "1.0.0", "name": "chain", "plugins": [
        {"type": "bridge", "bridge": "br-chain"}, {"type": "portmap", "capabilities": {"portMappings": True}}]}))
    done = plan(node, file)
    assert done.returncode == 0 and "ip link add name br-chain " in done.stdout and '"chain"' in done.stdout


def test_the_documentation_shows_it(node):
    page = (Path(__file__).resolve().parents[2] / "docs/plan.md").read_text()
    config, shown = (re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)[1] for language in ("json", "sh"))
    (node.directory / "pods.conf").write_text(config)
    done = subprocess.run((str(node.plugins.path("bridge")), "--plan", "pods.conf"), capture_output=True, text=True,
                          cwd=node.directory, env={})
    assert MAC.sub("MAC", done.stdout) == MAC.sub("MAC", shown)


# --- what has no plan ------------------------------------------------------------------------------------------------

def refused(done, *texts):
    assert (done.returncode, done.stdout) == (1, "")
    for text in texts:
        assert text in done.stderr, done.stderr


def test_an_address_that_only_the_delegate_knows(node):
    refused(plan(node, written(node, node.config(ipam={"type": "dhcp"}), "bridge-delegate"), "bridge-delegate"),
            "there is no plan", '`ipam.type` is "dhcp"', "layer-2")


def test_an_ipam_plugin(node):
    refused(plan(node, written(node, node.config(ipam=node.ipam(SUBNET))), "host-local"), "an IPAM plugin changes no network")


def test_a_file_with_faults_is_told_as_check_tells_it(node):
    file = written(node, node.config(isGatway=True))
    refused(plan(node, file), f"{file}:1:", "did you mean `isGateway`?")


@pytest.mark.parametrize("content, text", ((b"", "the text ends"), (b"\0\xff\xfe", "1:1"), (b" " * 20_000_000, "has at most"),
                                           (None, "No such file"), ("directory", "Is a directory"), ("fifo", "it is a FIFO"),
                                           (b" null\n", "expected an object, found null")),
                         ids=("empty", "binary", "huge", "missing", "directory", "fifo", "null"))
def test_files_that_are_no_configuration(node, content, text):
    file = node.directory / "file"
    if content == "directory":
        file.mkdir()
    elif content == "fifo":
        os.mkfifo(file)
    elif content is not None:
        file.write_bytes(content)
    refused(plan(node, file), str(file), text)


def test_add_would_refuse(node):
    file = written(node, node.config(ipam=node.ipam(SUBNET)))
    refused(plan(node, file, CNI_ARGS="IP=10.99.0.1"), file, "10.99.0.1")
    refused(plan(node, file, CNI_ARGS="UNKNOWN=1"), file, "UNKNOWN")
    refused(plan(node, file, CNI_IFNAME="a/b"), "interface name")
    refused(plan(node, file, CNI_CONTAINERID="a b"), "containerID")
    refused(plan(node, file, CNI_NETNS="/run/a\nrm -rf b"), "CNI_NETNS has control characters")


def test_usage(node):
    done = subprocess.run((str(node.plugins.path("bridge")), "--plan", "a", "b"), capture_output=True, text=True)
    refused(done, "--plan needs one network configuration file")
    done = subprocess.run((str(node.plugins.path("bridge")), "--plan"), capture_output=True, text=True)
    refused(done, "--plan needs one network configuration file")


def test_names_cannot_leave_the_scripts_comments_and_words(node, tmp_path):
    """A shell that reads the script runs nothing but the plan."""
    file = node.directory / "a\nfalse #"
    file.write_text(json.dumps(node.config(ipam=node.ipam(SUBNET))))
    done = plan(node, file, CNI_NETNS="/run/netns/$(touch gone)'\"; touch gone;")
    assert done.returncode == 0
    assert not any(line.startswith("false") for line in done.stdout.splitlines())
    stubs = "".join(f"{name}() {{ :; }}\n" for name in ("ip", "sysctl", "bridge", "nft", "nsenter"))
    subprocess.run(("sh", "-e"), input=stubs + done.stdout, text=True, check=True, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_plugins_own_name_cannot_leave_its_comment(node, tmp_path):
    name = "x\ntouch gone #"
    (tmp_path / name).symlink_to(node.plugins.path("bridge"))
    file = node.directory / "net.conf"
    file.write_text(json.dumps(node.config(type=name, ipam=node.ipam(SUBNET))))
    done = subprocess.run((str(tmp_path / name), "--plan", str(file)), capture_output=True, text=True, env={})
    assert done.returncode == 0 and "\ntouch" not in done.stdout


def test_unreadable(node):
    file = written(node, node.config(ipam=node.ipam(SUBNET)))
    os.chmod(file, 0)
    refused(plan(node, file, prefix=("setpriv", "--reuid=65534", "--clear-groups", "--")), "Permission denied")


def test_too_large_for_the_memory(node):
    little = ("prlimit", "--as=8000000", "--")
    if subprocess.run((*little, str(node.plugins.path("bridge")), "--version"), capture_output=True).returncode != 0:
        pytest.skip("plugins with sanitizers do not start in 8 MB")
    routes = [{"dst": f"10.{i // 256}.{i % 256}.0/24"} for i in range(30000)]
    refused(plan(node, written(node, node.config(ipam=node.ipam(SUBNET, routes=routes))), prefix=little), "bad_alloc")


def test_full_output(node):
    file = written(node, node.config(ipam=node.ipam(SUBNET)))
    with open("/dev/full", "w") as full:
        done = subprocess.run((str(node.plugins.path("bridge")), "--plan", file), stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "No space left" in done.stderr
