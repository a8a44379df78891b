"""The protocol of the CNI spec, seen as a process: what is asked of the environment and stdin, and in which order."""

import json

import pytest

from support.cni import ADD_TIMEOUT, BRIDGES, VERSIONS

ALL = (*BRIDGES, "host-local")
SUPPORTED = list(VERSIONS)


@pytest.fixture(params=ALL)
def binary(request) -> str:
    return request.param


VALID = {"CNI_CONTAINERID": "c", "CNI_NETNS": "/run/netns/none", "CNI_IFNAME": "eth0", "CNI_PATH": "/nonexistent"}
CONFIG = {"cniVersion": "1.1.0", "name": "net", "type": "bridge"}


def case(verb, code, *texts, env=None, config=CONFIG):
    return pytest.param(verb, code, texts, env or {}, config)


TABLE = (
    # the environment, variable by variable
    case("ADD", 4, "CNI_CONTAINERID", env={"CNI_CONTAINERID": None}),
    case("ADD", 4, "CNI_NETNS", env={"CNI_NETNS": None}),
    case("ADD", 4, "CNI_IFNAME", env={"CNI_IFNAME": None}),
    case("ADD", 4, "CNI_PATH", env={"CNI_PATH": None}),
    case("ADD", 4, "[CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing", env=dict.fromkeys(VALID)),
    case("CHECK", 4, "[CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing", env=dict.fromkeys(VALID)),
    case("DEL", 4, "[CNI_CONTAINERID,CNI_IFNAME,CNI_PATH] missing", env=dict.fromkeys(VALID)),
    case("GC", 4, "[CNI_PATH] missing", env=dict.fromkeys(VALID)),
    case("STATUS", 4, "[CNI_PATH] missing", env=dict.fromkeys(VALID)),
    case("ADD", 4, "missing", env={"CNI_CONTAINERID": ""}),
    case("ADD", 4, "invalid characters in containerID", env={"CNI_CONTAINERID": "a/b"}),
    case("ADD", 4, "invalid characters in containerID", env={"CNI_CONTAINERID": "../../etc"}),
    case("ADD", 4, "invalid characters in containerID", env={"CNI_CONTAINERID": "-x"}),
    case("ADD", 4, "invalid characters in containerID", env={"CNI_CONTAINERID": "a\nb"}),
    case("ADD", 4, "invalid characters in containerID", env={"CNI_CONTAINERID": "a;reboot"}),
    case("DEL", 4, "invalid characters in containerID", env={"CNI_CONTAINERID": "a b"}),
    case("ADD", 4, "interface name is too long", env={"CNI_IFNAME": "sixteen-letters-"}),
    case("ADD", 4, "interface name is too long", env={"CNI_IFNAME": "ääääääää"}),
    case("ADD", 4, "interface name is . or ..", env={"CNI_IFNAME": "."}),
    case("ADD", 4, "interface name is . or ..", env={"CNI_IFNAME": ".."}),
    case("ADD", 4, "interface name contains", env={"CNI_IFNAME": "a/b"}),
    case("ADD", 4, "interface name contains", env={"CNI_IFNAME": "a:b"}),
    case("ADD", 4, "interface name contains", env={"CNI_IFNAME": "a b"}),
    case("ADD", 4, "interface name contains", env={"CNI_IFNAME": "a\u00a0b"}),
    case("DEL", 4, "interface name contains", env={"CNI_IFNAME": "a\tb"}),
    # a bad value comes before a missing variable, in the order of the variables
    case("ADD", 4, "interface name", env={"CNI_IFNAME": "a/b", "CNI_NETNS": None}),
    case("ADD", 4, "containerID", env={"CNI_CONTAINERID": "a/b", "CNI_IFNAME": "a/b"}),
    # stdin
    case("ADD", 6, config=""),
    case("ADD", 6, config="{"),
    case("ADD", 6, config="[]"),
    case("ADD", 6, config='{"name":"net"} trailing'),
    case("ADD", 6, config="\0"),
    case("DEL", 6, config="{"),
    case("ADD", 7, "missing network name", config={"cniVersion": "1.0.0"}),
    case("ADD", 7, "missing network name", config={"cniVersion": "1.0.0", "name": ""}),
    case("ADD", 7, "invalid characters found in network name", config={"cniVersion": "1.0.0", "name": "../x"}),
    case("ADD", 7, "invalid characters found in network name", config={"cniVersion": "1.0.0", "name": "a b"}),
    case("DEL", 7, "invalid characters found in network name", config={"cniVersion": "1.0.0", "name": "a/b"}),
    case("STATUS", 7, "missing network name", config={"cniVersion": "1.1.0"}),
    # environment before stdin, stdin before the command
    case("ADD", 4, "containerID", env={"CNI_CONTAINERID": "a/b"}, config="{"),
    case("FOO", 7, "missing network name", config={}),
    case("FOO", 4, "unknown CNI_COMMAND: FOO"),
    case("add", 4, "unknown CNI_COMMAND: add"),
    # versions
    case("ADD", 1, "incompatible CNI versions", "9.9.9", config={"cniVersion": "9.9.9", "name": "net"}),
    case("ADD", 1, "incompatible CNI versions", config={"cniVersion": "1.0", "name": "net"}),
    case("ADD", 6, config={"cniVersion": 1, "name": "net"}),
    case("CHECK", 1, "config version does not allow CHECK", config={"cniVersion": "0.3.1", "name": "net"}),
    case("CHECK", 1, "config version does not allow CHECK", config={"name": "net"}),
    case("GC", 1, "config version does not allow GC", config={"cniVersion": "1.0.0", "name": "net"}),
    case("STATUS", 1, "config version does not allow STATUS", config={"cniVersion": "1.0.0", "name": "net"}),
    case("CHECK", 6, config={"cniVersion": "x", "name": "net"}),
)


@pytest.mark.parametrize("verb, code, texts, env, config", TABLE)
def test_refused(node, binary, verb, code, texts, env, config):
    node.cni(verb, config, binary, env=VALID | env).failure(code, *texts)


def test_unset_version_is_the_first(node, binary):
    """No cniVersion means 0.1.0, in which CHECK does not exist; an empty one too."""
    for config in ({"name": "net"}, {"name": "net", "cniVersion": ""}):
        node.cni("CHECK", config, binary, env=VALID).failure(1)


@pytest.mark.parametrize("stdin", ("", '{"cniVersion":"1.1.0"}', '{"cniVersion":"0.4.0"}', "nonsense"))
def test_version(node, binary, stdin):
    """VERSION reads no stdin and needs no other variable."""
    said = node.cni("VERSION", stdin, binary, env=dict.fromkeys(VALID)).success()
    assert said == {"cniVersion": "1.1.0", "supportedVersions": SUPPORTED}


def test_without_a_command(node, binary):
    """Run by hand: about text on stderr, success."""
    outcome = node.cni("ADD", "", binary, env=dict.fromkeys((*VALID, "CNI_COMMAND")))
    assert (outcome.code, outcome.stdout) == (0, "")
    assert "CNI" in outcome.stderr and ", ".join(SUPPORTED) in outcome.stderr


@pytest.mark.parametrize("argument", ("--help", "--version"))
def test_options(node, binary, argument):
    done = node.run(str(node.plugins.path(binary)), argument, timeout=ADD_TIMEOUT)
    text = done.stdout + done.stderr
    assert binary in text
    assert "CNI_COMMAND" in text if argument == "--help" else "0.4.0" in text


def test_error_of_a_repeated_key_is_the_last_value(node):
    """Of duplicates the last counts, in the version too."""
    text = '{"cniVersion":"9.9.9","name":"-","cniVersion":"1.0.0","name":"net","mtu":"x"}'
    node.cni("ADD", text, env=VALID).failure(None, "mtu")


def test_deeply_nested_configuration(node, binary):
    """Refused or ignored, never a crash."""
    text = '{"cniVersion":"1.0.0","name":"net","x":' + "[" * 200_000 + "]" * 200_000 + "}"
    node.cni("ADD", text, binary, env=VALID).failure()


def test_large_configuration(node):
    """A megabyte of what nobody reads."""
    config = node.config(ipam=node.ipam("10.22.0.0/24"), unknown=["x" * 1000] * 1000)
    node.attach(config).delete()


def test_unknown_arguments(node):
    """CNI_ARGS nobody knows are an error unless IgnoreUnknown says otherwise."""
    config = node.config(ipam=node.ipam("10.22.0.0/24"))
    options = {"container": "c", "netns": node.pod().path, "ifname": "eth0"}
    node.cni("ADD", config, args="FOO=y", **options).failure(None, "FOO")
    node.cni("ADD", config, args="foo", **options).failure(None, "foo")
    node.cni("ADD", config, args="FOO=y;IgnoreUnknown=true", **options).success()


def test_host_local_looks_at_no_namespace(node):
    """Its own is as good as any; the plugin that delegates to it refuses."""
    options = {"plugin": "host-local", "container": "c", "netns": node.path, "ifname": "eth0"}
    node.cni("ADD", node.config(ipam=node.ipam("10.22.0.0/24")), **options).success()
    assert node.leases().keys() == {"10.22.0.2"}
    node.cni("DEL", node.config(ipam=node.ipam("10.22.0.0/24")), **options).success()
    assert node.leases() == {}


def test_json_of_errors_is_json(node, binary):
    """Whatever bytes the error quotes."""
    name = 'a"b\\c<>&\n\x01\u2028ä'
    outcome = node.cni("ADD", json.dumps(CONFIG | {"name": name}), binary, env=VALID)
    assert outcome.failure(7)["details"] == name
