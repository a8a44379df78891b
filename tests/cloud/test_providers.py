"""The providers against the fake cloud: what they make of what it has, and of what goes wrong."""

import json

import pytest
from provider_probe import (CREATED, FIRST, INSTANCE, MADE_BY, NEXT, NO_MANAGE, OTHER, OWN, PRIMARY, ROLE, SECOND, ec2_calls, patience,
                            refused, start, state)

__all__ = ["start"]

# What the node has.


def test_what_the_node_has(start):
    first = FIRST | {"addresses": ["10.0.1.10", "10.0.1.11"], "prefixes": ["10.0.1.32/28"], "addresses6": ["fd00:0:0:1::a"],
                     "prefixes6": ["fd00:0:0:1:5::/80"]}
    second = NEXT | {"tags": {MADE_BY: INSTANCE, CREATED: "2026-01-02T03:04:05Z"}}
    cloud, probe = start(state(first, second), "--ipv6", "true")
    node = probe("look")
    assert {key: node[key] for key in node if key != "enis"} == {
        "instance": INSTANCE, "type": "m5.large", "region": "us-west-2", "zone": "us-west-2a", "vpc": cloud.cloud.vpc,
        "ipv4": "10.0.1.10", "ipv6": "fd00:0:0:1::a", "vpc_cidrs": ["10.0.0.0/16", "fd00::/48"]}
    attachments = {id: eni.attachment.id for id, eni in cloud.enis.items()}
    common = {"card": 0, "excluded": False, "groups": ["sg-00000000000000001"], "managed": True, "trunk": False, "efa_only": False}
    assert node["enis"] == [
        common | {"id": PRIMARY, "mac": "02:00:00:00:01:00", "device": 0, "primary": "10.0.1.10", "subnet": OWN,
                  "subnets": [["10.0.1.0/24", "10.0.1.1"], ["fd00:0:0:1::/64", "fe80:ec2::1"]],
                  "cidrs": ["10.0.1.11/32", "10.0.1.32/28", "fd00:0:0:1:5::/80"], "attachment": attachments[PRIMARY], "created": None},
        common | {"id": SECOND, "mac": "02:00:00:00:01:01", "device": 1, "primary": "10.0.2.10", "subnet": OTHER,
                  "subnets": [["10.0.2.0/24", "10.0.2.1"], ["fd00:0:0:2::/64", "fe80:ec2::1"]],
                  "cidrs": ["10.0.2.11/32"], "attachment": attachments[SECOND], "created": "2026-01-02T03:04:05Z"}]


def test_only_the_families_that_are_used(start):
    first = FIRST | {"addresses": ["10.0.1.10", "10.0.1.11"], "addresses6": ["fd00:0:0:1::a"], "prefixes6": ["fd00:0:0:1:5::/80"]}
    for options, cidrs in ((("--ipv6", "false"), ["10.0.1.11/32"]), (("--ipv4", "false", "--ipv6", "true"), ["fd00:0:0:1:5::/80"])):
        for provider in ("ec2", "imds"):
            _, probe = start(state(first), "--provider", provider, *options)
            assert probe.look()[PRIMARY]["cidrs"] == cidrs


def test_a_start_and_the_first_growth_are_seven_calls(start):
    cloud, probe = start()
    probe("look")
    assert probe("limits") == {"enis": 3, "ipv4": 10, "ipv6": 10, "prefixes": True, "cards": [3]}
    assert len(probe("assign", PRIMARY, "ipv4", 9)) == 9
    assert len(probe("attach", 0, "ipv4", 9)["cidrs"]) == 9
    probe("look")
    probe("limits")
    assert cloud.counts() == {"DescribeNetworkInterfaces": 1, "DescribeSubnets": 1, "DescribeInstanceTypes": 1,
                              "AssignPrivateIpAddresses": 1, "CreateNetworkInterface": 1, "AttachNetworkInterface": 1,
                              "ModifyNetworkInterfaceAttribute": 1}


def test_ec2_is_asked_once_for_an_eni_and_again_to_verify(start):
    cloud, probe = start(state(FIRST, NEXT))
    probe("look")
    cloud.forget()
    assert probe.look().keys() == {PRIMARY, SECOND}
    assert cloud.count("ec2") == 0
    third = cloud.add_eni(OTHER, INSTANCE, device=2)["id"]
    assert probe.look().keys() == {PRIMARY, SECOND, third}
    assert [call.parameters["NetworkInterfaceId.1"] for call in cloud.of("ec2")] == [third]
    probe("look", "verify")
    assert cloud.counts() == {"DescribeNetworkInterfaces": 2}
    # At most as many GETs an ENI as upstream (12); of the whole node there are two, and three of the primary one.
    cloud.forget()
    probe("look")
    assert cloud.count("imds") <= 2 + 3 + 3 * 9


def test_a_provider_that_only_reads_asks_ec2_nothing(start):
    cloud, probe = start(state(FIRST, NEXT | {"tags": {NO_MANAGE: "true"}}), "--provider", "imds")
    enis = probe.look()
    assert enis.keys() == {PRIMARY, SECOND} and enis[SECOND]["managed"] and enis[SECOND]["cidrs"] == ["10.0.2.11/32"]
    assert enis[SECOND]["groups"] == ["sg-00000000000000001"]
    assert cloud.count("ec2", "sts") == 0
    assert probe("look", "verify")


@pytest.mark.parametrize("tags, options, managed", (
    ({}, (), True),
    ({}, ("--manage-untagged", "false"), False),
    ({MADE_BY: INSTANCE}, ("--manage-untagged", "false"), True),
    ({MADE_BY: "i-0000000000000000f"}, ("--manage-untagged", "false"), False),
    ({NO_MANAGE: "true"}, (), False),
    ({NO_MANAGE: "true", MADE_BY: INSTANCE}, (), False),
    ({NO_MANAGE: "false"}, ("--manage-untagged", "false"), True),
))
def test_which_enis_are_managed(start, tags, options, managed):
    _, probe = start(state(FIRST | {"tags": {NO_MANAGE: "true"}}, NEXT | {"tags": tags}), *options)
    enis = probe.look()
    assert enis[PRIMARY]["managed"], "the primary one always is"
    assert enis[SECOND]["managed"] == managed
    assert probe.look()[SECOND]["managed"] == managed, "though EC2 is not asked again"


def test_other_network_cards(start):
    card = {"id": "eni-0000000000000000c", "subnet": OTHER, "device": 1, "card": 1, "addresses": ["10.0.2.30"]}
    given = state(FIRST, card) | {"instance": {"id": INSTANCE, "type": "p4d.24xlarge"}}
    for options, managed in (((), False), (("--multi-nic", "true"), True)):
        for provider in ("ec2", "imds"):
            _, probe = start(given, "--provider", provider, *options)
            eni = probe.look()["eni-0000000000000000c"]
            assert (eni["card"], eni["device"], eni["managed"]) == (1, 1, managed)
    assert start(given)[1]("limits")["cards"] == [15, 15, 15, 15]


def test_efa_only_and_trunk(start):
    efa = {"id": "eni-0000000000000000e", "subnet": OTHER, "device": 2, "type": "efa-only"}
    _, probe = start(state(FIRST, NEXT | {"type": "trunk"}, efa))
    enis = probe.look()
    assert [(eni["efa_only"], eni["trunk"]) for eni in enis.values()] == [(False, False), (False, True), (True, False)]
    assert enis["eni-0000000000000000e"]["cidrs"] == []


def test_enis_of_excluded_subnets(start):
    _, probe = start(state(FIRST, NEXT, tags={ROLE: "0"}))
    assert [eni["excluded"] for eni in probe.look().values()] == [False, True]
    _, probe = start(state(FIRST, NEXT, tags={ROLE: "0"}), "--subnet-discovery", "false")
    assert [eni["excluded"] for eni in probe.look().values()] == [False, False]
    assert "DescribeSubnets" not in ec2_calls(probe)


def test_subnets_that_may_not_be_described_exclude_nothing(start):
    cloud, probe = start(state(FIRST, NEXT, tags={ROLE: "0"}))
    cloud.deny("DescribeSubnets")
    assert [eni["excluded"] for eni in probe.look().values()] == [False, False]
    assert len(probe.notes) == 1 and "UnauthorizedOperation" in probe.notes[0]
    assert probe("attach", 0, "ipv4", 1)["subnet"] == OWN
    assert cloud.count("DescribeSubnets") == 1, "not asked again for a while"


def test_metadata_that_show_what_is_gone(start):
    cloud, probe = start(state(FIRST, NEXT))
    probe("look")
    cloud.set(imds_stale=True)
    cloud.remove_eni(SECOND)
    assert SECOND in probe.look(), "the metadata's word is taken if nobody doubts it"
    assert probe.look("verify").keys() == {PRIMARY}
    assert len(probe.notes) == 1 and SECOND in probe.notes[0]
    _, fresh = start(cloud)
    assert fresh.look().keys() == {PRIMARY}


def test_metadata_that_lack_addresses(start):
    cloud, probe = start()
    cloud.set(imds_stale=True)
    cloud.assign(PRIMARY, "10.0.1.20")
    assert probe.look()[PRIMARY]["cidrs"] == ["10.0.1.20/32"], "EC2 was asked, and is right"
    assert probe.look()[PRIMARY]["cidrs"] == []
    assert probe.look("verify")[PRIMARY]["cidrs"] == ["10.0.1.20/32"]


# Metadata that cannot be had, or cannot be.


@pytest.mark.parametrize("how", ({"status": 503}, {"status": 500, "body": "html"}, {"end": "hang"}, {"end": "reset"}, {"end": "close"},
                                 {"end": "truncate"}, {"end": "garbage"}, {"body": "empty"}, {"body": "html"}, {"body": "bomb"},
                                 {"body": "{\"region\": \"us-west-2\""}), ids=str)
@pytest.mark.parametrize("path", ("dynamic/instance-identity/document", "PUT api/token",
                                  "meta-data/network/interfaces/macs/02:00:00:00:01:00/local-ipv4s"))
def test_a_fault_of_the_metadata(start, path, how):
    cloud, probe = start(None, *patience(how), "--provider", "imds")
    cloud.fail(f"imds:{path}", times=None, **how)
    error = refused(probe, "look")
    assert error.kind in ("unavailable", "nonsense")
    assert path.removeprefix("PUT ") in error.what and error.api == path.removeprefix("PUT ")
    assert len(error.what) < 500
    cloud.clear()
    before = probe.look()
    cloud.fail(f"imds:{path}", times=1, **how)
    assert probe.look() == before, "one fault is overcome"


def test_tokens_end(start):
    cloud, probe = start(None, "--provider", "imds")
    probe("look")
    assert cloud.count("PUT api/token") == 1
    probe("look")
    assert cloud.count("PUT api/token") == 1
    cloud.expire_tokens()
    probe("look")
    assert cloud.count("PUT api/token") == 2
    cloud.set(imds_token_uses=1)
    cloud.expire_tokens()
    probe("look")
    cloud.fail("imds:meta-data/*", status=401, times=None)
    error = refused(probe, "look")
    assert (error.kind, error.code) == ("unauthorized", "401")


def test_metadata_that_are_disabled(start):
    cloud, probe = start(None, "--provider", "imds")
    cloud.set(imds_tokens="disabled")
    error = refused(probe, "look")
    assert (error.kind, error.code) == ("unauthorized", "403") and "enable it" in error.what


def test_the_metadata_of_the_environment(start):
    name = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
    cloud, probe = start(None, "--provider", "imds", imds="", environment={name: "http://127.0.0.1:1/"})
    assert "http://127.0.0.1:1:" in refused(probe, "look").what
    _, probe = start(cloud, "--provider", "imds", imds="", environment={name: cloud.imds_url + "/"})
    assert probe("look")
    paths = {api for service, api, *_ in probe.calls if service == "imds"}
    assert "meta-data/network/interfaces/macs/*/local-ipv4s" in paths and not any("02:00" in path for path in paths)


def test_nobody_serves_metadata(start):
    cloud, probe = start(None, "--provider", "imds", imds="http://127.0.0.1:1")
    error = refused(probe, "look")
    assert error.kind == "unavailable" and "api/token" in error.what and "127.0.0.1:1" in error.what


MAC = "meta-data/network/interfaces/macs/02:00:00:00:01:0"


@pytest.mark.parametrize("path, text, told", (
    (f"{MAC}0/local-ipv4s", "10.0.9.10", "outside its subnet"),
    (f"{MAC}0/local-ipv4s", "10.0.1.10\n10.0.9.10", "outside its subnet"),
    (f"{MAC}0/local-ipv4s", "10.0.1.10\n10.0.1.10", "twice"),
    (f"{MAC}0/local-ipv4s", "10.0.1.1x", "IPv4"),
    (f"{MAC}1/device-number", "0", "both have device number 0"),
    (f"{MAC}0/device-number", "2", "no interface is the primary one"),
    (f"{MAC}1/interface-id", PRIMARY, f"two interfaces are {PRIMARY}"),
    (f"{MAC}1/local-ipv4s", "10.0.2.10\n10.0.2.20", "10.0.2.16/28"),
    (f"{MAC}1/subnet-ipv4-cidr-block", "10.0.1.0/24", "outside its subnet"),
    (f"{MAC}1/subnet-id", None, "subnet-id"),
    (f"{MAC}1/ipv4-prefix", "10.0.2.17/28", "prefix"),
    ("meta-data/network/interfaces/macs/02:00:00:00:01:0z/mac", "x", "macs"),
    ("dynamic/instance-identity/document", json.dumps({"instanceId": INSTANCE}), "instanceType"),
))
def test_metadata_that_contradict_themselves(start, path, text, told):
    cloud, probe = start(state(FIRST, NEXT | {"addresses": ["10.0.2.10"], "prefixes": ["10.0.2.16/28"]}), "--provider", "imds")
    before = probe.look()
    cloud.override(path, text)
    error = refused(probe, "look")
    assert error.kind == "nonsense" and told in error.what
    cloud.imds.overrides.clear()
    assert probe.look() == before


def test_metadata_and_ec2_contradict_each_other(start):
    cloud, probe = start(state(FIRST, NEXT))
    cloud.override(f"{MAC}1/subnet-id", OWN)
    error = refused(probe, "look")
    assert error.kind == "nonsense" and SECOND in error.what and OTHER in error.what


# EC2's answers.


def test_throttling_is_waited_out(start):
    cloud, probe = start()
    cloud.throttle("ec2:*", times=3)
    probe("look")
    assert cloud.counts()["DescribeNetworkInterfaces"] == 4
    cloud.forget()
    cloud.throttle("AssignPrivateIpAddresses", times=2, code="Throttling")
    assert len(probe("assign", PRIMARY, "ipv4", 2)) == 2
    assert [code for *_, code in probe.calls] == ["Throttling", "Throttling", ""]
    cloud.throttle("ec2:*", times=None)
    error = refused(probe, "assign", PRIMARY, "ipv4", 2)
    assert (error.kind, error.api, error.code) == ("throttled", "AssignPrivateIpAddresses", "RequestLimitExceeded")
    assert len(probe.calls) == 4 and f"AssignPrivateIpAddresses of {PRIMARY}" in error.what


@pytest.mark.parametrize("how", ({"code": "InternalError"}, {"code": "Unavailable"}, {"status": 502, "body": "html"}, {"end": "hang"},
                                 {"end": "reset"}, {"end": "close"}, {"end": "truncate"}, {"end": "garbage"}, {"body": "empty"},
                                 {"body": "html"}, {"body": "broken"}, {"body": "bomb"}), ids=str)
def test_a_call_that_changes_nothing_is_repeated(start, how):
    cloud, probe = start(None, *patience(how))
    before = probe.look()
    cloud.fail("DescribeNetworkInterfaces", times=3, **how)
    cloud.forget()
    assert probe.look("verify") == before
    assert cloud.counts() == {"DescribeNetworkInterfaces": 4}
    cloud.fail("DescribeNetworkInterfaces", times=None, **how)
    error = refused(probe, "look", "verify")
    assert error.kind in ("unavailable", "nonsense") and "DescribeNetworkInterfaces" in error.what and len(error.what) < 500
    assert len(ec2_calls(probe)) == 4, "of each attempt there is one, though libcurl may have sent it twice"
    assert probe.look() == before, "what the metadata say is enough"


@pytest.mark.parametrize("how", ({"code": "InternalError"}, {"end": "hang"}, {"end": "close"}, {"body": "empty"}, {"body": "html"}), ids=str)
def test_addresses_of_a_lost_answer_are_found(start, how):
    cloud, probe = start(None, *patience(how))
    probe("look")
    cloud.fail("AssignPrivateIpAddresses", after=True, **how)
    added = probe("assign", PRIMARY, "ipv4", 3)
    assert sorted(added) == sorted(f"{one}/32" for one in cloud.enis[PRIMARY].addresses[1:]) and len(added) == 3
    assert ec2_calls(probe) == ["AssignPrivateIpAddresses", "DescribeNetworkInterfaces"], "assigned once"
    cloud.fail("AssignPrivateIpAddresses", **how)
    assert refused(probe, "assign", PRIMARY, "ipv4", 3).kind in ("unavailable", "nonsense")
    assert len(cloud.enis[PRIMARY].addresses) == 4


def test_a_call_that_is_not_allowed(start):
    cloud, probe = start()
    probe("look")
    cloud.deny("AssignPrivateIpAddresses")
    error = refused(probe, "assign", PRIMARY, "ipv4", 1)
    assert (error.kind, error.code) == ("unauthorized", "UnauthorizedOperation")
    assert f"EC2's AssignPrivateIpAddresses of {PRIMARY}" in error.what and "policy" in error.what
    assert len(probe.calls) == 1


def test_ec2_is_away(start):
    _, probe = start(None, ec2="http://127.0.0.1:1")
    error = refused(probe, "look")
    assert error.kind == "unavailable" and "http://127.0.0.1:1" in error.what


def test_ec2_is_away_when_an_eni_is_new(start):
    cloud, probe = start(state(FIRST, NEXT))
    before = probe.look()
    cloud.fail("ec2:*", "Unavailable", times=None)
    third = cloud.add_eni(OTHER, INSTANCE, device=2)["id"]
    assert probe.look() == before, "nobody knows whether it is to be used"
    assert len(probe.notes) == 1 and "Unavailable" in probe.notes[0]
    cloud.clear()
    assert probe.look().keys() == {PRIMARY, SECOND, third}


# Addresses.


def test_prefixes_of_both_families(start):
    cloud, probe = start(None, "--ipv6", "true")
    probe("look")
    four, six = probe("assign", PRIMARY, "ipv4-prefix", 2), probe("assign", PRIMARY, "ipv6-prefix", 1)
    assert sorted(four) == sorted(cloud.enis[PRIMARY].prefixes) and len(four) == 2 and all(one.endswith("/28") for one in four)
    assert six == cloud.enis[PRIMARY].prefixes6 and six[0].endswith("/80")
    single = probe("assign", PRIMARY, "ipv4", 1)
    assert sorted(probe.look()[PRIMARY]["cidrs"]) == sorted(four + six + single)
    probe("unassign", PRIMARY, *four, *six)
    assert {call[1] for call in probe.calls} == {"UnassignPrivateIpAddresses", "UnassignIpv6Addresses"}
    assert probe.look()[PRIMARY]["cidrs"] == single


def test_only_what_the_caller_lacks_is_told(start):
    cloud, probe = start()
    probe("look")
    cloud.assign(PRIMARY, "10.0.1.77")
    cloud.set(ipv4_limit=4)
    assert len(probe("assign", PRIMARY, "ipv4", 2)) == 2, "not the one that somebody else assigned before"
    error_free = probe("assign", PRIMARY, "ipv4", 3)  # over the limit: what it really has
    assert error_free == ["10.0.1.77/32"]
    error = refused(probe, "assign", PRIMARY, "ipv4", 3)
    assert (error.kind, error.code) == ("limit_exceeded".replace("_", " "), "PrivateIpAddressLimitExceeded")


def test_a_reply_with_all_addresses(start):
    """As of moto: the ENI's own one, and those that it had."""
    cloud, probe = start(state(FIRST | {"addresses": ["10.0.1.10", "10.0.1.11"]}))
    probe("look")
    cloud.assign(PRIMARY, "10.0.1.12")
    items = "".join(f"<item><privateIpAddress>10.0.1.{last}</privateIpAddress></item>" for last in (10, 11, 12, 12))
    cloud.fail("AssignPrivateIpAddresses", body=f"<AssignPrivateIpAddressesResponse><assignedPrivateIpAddressesSet>{items}"
                                                "</assignedPrivateIpAddressesSet></AssignPrivateIpAddressesResponse>")
    assert probe("assign", PRIMARY, "ipv4", 1) == ["10.0.1.12/32"]
    assert probe("unassign", PRIMARY, "10.0.1.12/32") is None


@pytest.mark.parametrize("kind, code", (("ipv4", "InsufficientFreeAddressesInSubnet"), ("ipv4-prefix", "InsufficientCidrBlocks")))
def test_a_subnet_that_is_nearly_full(start, kind, code):
    cloud, probe = start()
    probe("look")
    cloud.fail("AssignPrivateIpAddresses", code)
    assert len(probe("assign", PRIMARY, kind, 5)) == 1, "one is asked for where five are not to be had"
    cloud.fail("AssignPrivateIpAddresses", code, times=None)
    error = refused(probe, "assign", PRIMARY, kind, 5)
    assert (error.kind, error.code) == ("no addresses", code) and len(probe.calls) == 2
    refused(probe, "assign", PRIMARY, kind, 1)
    assert len(probe.calls) == 1


def test_a_subnet_that_is_full(start):
    cloud, probe = start()
    probe("look")
    cloud.exhaust(OWN)
    assert refused(probe, "assign", PRIMARY, "ipv4", 5).kind == "no addresses"
    cloud.vacate(OWN)
    assert len(probe("assign", PRIMARY, "ipv4", 5)) == 5


def test_unassigning_what_is_not_there(start):
    cloud, probe = start(state(FIRST | {"addresses": ["10.0.1.10", "10.0.1.11", "10.0.1.12"], "prefixes": ["10.0.1.32/28"]}))
    probe("look")
    probe("unassign", PRIMARY, "10.0.1.11/32", "10.0.1.99/32", "10.0.1.32/28")
    assert (cloud.enis[PRIMARY].addresses, cloud.enis[PRIMARY].prefixes) == (["10.0.1.10", "10.0.1.12"], [])
    probe("unassign", PRIMARY, "10.0.1.99/32")
    probe("unassign", "eni-0000000000000000f", "10.0.1.12/32")
    assert cloud.enis[PRIMARY].addresses == ["10.0.1.10", "10.0.1.12"]


def test_security_groups_are_the_primary_ones(start):
    both = ["sg-00000000000000001", "sg-00000000000000002"]
    cloud, probe = start(state(FIRST | {"groups": both}, NEXT,
                               {"id": "eni-0000000000000000a", "subnet": OTHER, "device": 2, "tags": {NO_MANAGE: "true"}}))
    probe("look")
    assert probe("follow") == 1
    assert cloud.enis[SECOND].groups == both
    assert cloud.enis["eni-0000000000000000a"].groups == both[:1], "not managed"
    probe("look")
    assert probe("follow") == 0
    with cloud.lock:
        cloud.enis[PRIMARY].groups = both[1:]
        cloud.imds.shown[PRIMARY].groups = both[1:]
    probe("look")
    cloud.deny("ModifyNetworkInterfaceAttribute")
    assert probe("follow") == 0
    assert len(probe.notes) == 1 and "UnauthorizedOperation" in probe.notes[0] and SECOND in probe.notes[0]
