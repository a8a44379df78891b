"""The fake's EC2: what each call does to the state and what it refuses. That SDKs understand it, test_judges.py tests."""

import pytest
from cloud_node import INSTANCE, LOOSE, PRIMARY, SECOND, STATE

from support.fake_cloud import ACTIONS, FakeCloud, client
from support.fake_cloud.ec2 import is_like
from support.fake_cloud.errors import Refusal

SUBNET1, SUBNET2, SUBNET3 = (one["id"] for one in STATE["subnets"])
DESCRIBED = {"DescribeNetworkInterfaces": "networkInterfaceSet", "DescribeSubnets": "subnetSet", "DescribeInstances": "reservationSet",
             "DescribeInstanceTypes": "instanceTypeSet", "DescribeTags": "tagSet", "DescribeSecurityGroups": "securityGroupInfo"}


def ask(cloud, action: str, **parameters):
    return client.call(cloud.ec2_url, action, **parameters)


def texts(element, path: str) -> list[str]:
    return [one.text for one in element.findall(path)]


def refused(cloud, action: str, **parameters) -> tuple[int, str, str]:
    before = cloud.state()
    with pytest.raises(Refusal) as caught:
        ask(cloud, action, **parameters)
    assert cloud.state() == before, "a call that is refused changes nothing"
    assert (cloud.calls[-1].status, cloud.calls[-1].error) == (caught.value.status, caught.value.code)
    return caught.value.status, caught.value.code, caught.value.text


def create(cloud, **parameters) -> str:
    return ask(cloud, "CreateNetworkInterface", **{"SubnetId": SUBNET1} | parameters).findtext("networkInterface/networkInterfaceId")


def attach(cloud, eni: str, device: int = 2) -> str:
    return ask(cloud, "AttachNetworkInterface", DeviceIndex=device, InstanceId=INSTANCE, NetworkInterfaceId=eni).findtext("attachmentId")


def ids(cloud, **parameters) -> list[str]:
    return texts(ask(cloud, "DescribeNetworkInterfaces", **parameters), "networkInterfaceSet/item/networkInterfaceId")


def test_the_life_of_an_eni(cloud):
    cloud.set(attach_delay=2, detach_delay=3)
    eni = create(cloud, Description="aws-K8S-i", SecurityGroupId__1="sg-00000000000000002", SecondaryPrivateIpAddressCount=4,
                 TagSpecification__1__ResourceType="network-interface", TagSpecification__1__Tag__1__Key="a",
                 TagSpecification__1__Tag__1__Value="b", ConnectionTrackingSpecification__UdpTimeout=40)
    item = ask(cloud, "DescribeNetworkInterfaces", NetworkInterfaceId__1=eni).find("networkInterfaceSet/item")
    assert [item.findtext(name) for name in ("status", "description", "subnetId", "groupSet/item/groupId", "tagSet/item/value",
                                             "connectionTrackingConfiguration/udpTimeout", "interfaceType")] == \
        ["available", "aws-K8S-i", SUBNET1, "sg-00000000000000002", "b", "40", "interface"]
    assert texts(item, "privateIpAddressesSet/item/primary") == ["true", "false", "false", "false", "false"]
    attachment = attach(cloud, eni)

    def status():
        item = ask(cloud, "DescribeNetworkInterfaces", NetworkInterfaceId__1=eni).find("networkInterfaceSet/item")
        return item.findtext("status"), item.findtext("attachment/status"), item.findtext("attachment/deleteOnTermination")

    assert status() == ("in-use", "attaching", "false")
    cloud.advance(2)
    assert status() == ("in-use", "attached", "false")
    ask(cloud, "ModifyNetworkInterfaceAttribute", NetworkInterfaceId=eni, Attachment__AttachmentId=attachment,
        Attachment__DeleteOnTermination="true")
    assert status() == ("in-use", "attached", "true")
    assert refused(cloud, "DeleteNetworkInterface", NetworkInterfaceId=eni) == \
        (400, "InvalidParameterValue", f"Network interface '{eni}' is currently in use.")
    ask(cloud, "DetachNetworkInterface", AttachmentId=attachment)
    assert status() == ("in-use", "detaching", "true")
    cloud.advance(3)
    assert status() == ("available", None, None)
    ask(cloud, "DeleteNetworkInterface", NetworkInterfaceId=eni)
    assert refused(cloud, "DescribeNetworkInterfaces", NetworkInterfaceId__1=eni) == \
        (400, "InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{eni}' does not exist")


def test_what_the_hook_hears():
    heard = []
    with FakeCloud(STATE, hook=lambda event, eni, addresses: heard.append((event, eni.mac, addresses)), frozen_clock=True) as cloud:
        assert [event for event, *_ in heard] == ["there", "there"]
        heard.clear()
        cloud.set(attach_delay=2)
        eni = create(cloud, SecondaryPrivateIpAddressCount=1)
        mac, attachment = cloud.enis[eni].mac, attach(cloud, eni)
        ask(cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=eni, PrivateIpAddress__1="10.0.1.99")
        assert heard == []
        cloud.advance(2)
        ask(cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=eni, PrivateIpAddress__1="10.0.1.100")
        ask(cloud, "UnassignPrivateIpAddresses", NetworkInterfaceId=eni, PrivateIpAddress__1="10.0.1.99")
        ask(cloud, "ModifyNetworkInterfaceAttribute", NetworkInterfaceId=eni, SecurityGroupId__1="sg-00000000000000002")
        ask(cloud, "DetachNetworkInterface", AttachmentId=attachment)
        cloud.remove_eni(SECOND)
        cloud.add_eni(1, INSTANCE, mac="02:00:00:00:01:77")
        assert heard == [("attach", mac, []), ("assign", mac, ["10.0.1.100"]), ("unassign", mac, ["10.0.1.99"]), ("groups", mac, []),
                         ("detach", mac, []), ("detach", "02:00:00:00:01:01", []), ("attach", "02:00:00:00:01:77", [])]


@pytest.mark.parametrize("delay", (0, 1, 4))
def test_detached_while_it_was_being_attached(delay):
    """Its link is never there."""
    heard = []
    with FakeCloud(STATE, hook=lambda event, *_: heard.append(event), frozen_clock=True) as cloud:
        cloud.set(attach_delay=2, detach_delay=delay)
        eni = create(cloud)
        ask(cloud, "DetachNetworkInterface", AttachmentId=attach(cloud, eni))
        cloud.advance(3)
        assert cloud.enis[eni].status == ("in-use" if delay == 4 else "available")
        cloud.advance(1)
        assert heard == ["there", "there"] and cloud.enis[eni].status == "available"


@pytest.mark.parametrize("action, given, code, text", (
    ("AttachNetworkInterface", {"DeviceIndex": 1, "InstanceId": INSTANCE}, "InvalidParameterValue",
     f"Instance '{INSTANCE}' already has an interface attached at device index '1'."),
    ("AttachNetworkInterface", {"DeviceIndex": 2, "InstanceId": "i-0"}, "InvalidInstanceID.NotFound",
     "The instance ID 'i-0' does not exist"),
    ("AttachNetworkInterface", {"DeviceIndex": 2, "InstanceId": INSTANCE, "NetworkInterfaceId": SECOND}, "InvalidNetworkInterface.InUse",
     f"Interface: [{SECOND}] in use."),
    ("AttachNetworkInterface", {"DeviceIndex": 2, "InstanceId": INSTANCE, "NetworkInterfaceId": LOOSE}, "InvalidParameterCombination",
     "You may not attach a network interface to an instance if they are not in the same availability zone"),
    ("AttachNetworkInterface", {"DeviceIndex": 2, "InstanceId": INSTANCE, "NetworkCardIndex": 1}, "InvalidParameterValue",
     "Network card index '1' exceeds the limit for m5.large."),
    ("AttachNetworkInterface", {"InstanceId": INSTANCE}, "MissingParameter", "The request must contain the parameter deviceIndex"),
    ("AttachNetworkInterface", {"DeviceIndex": "x", "InstanceId": INSTANCE}, "InvalidParameterValue",
     "Value (x) for parameter DeviceIndex is invalid. Expecting a number."),
    ("DeleteNetworkInterface", {"NetworkInterfaceId": "eni-0"}, "InvalidNetworkInterfaceID.NotFound",
     "The networkInterface ID 'eni-0' does not exist"),
    ("ModifyNetworkInterfaceAttribute", {"SecurityGroupId__1": "sg-0"}, "InvalidGroup.NotFound",
     "The security group 'sg-0' does not exist"),
    ("ModifyNetworkInterfaceAttribute", {"Attachment__AttachmentId": "eni-attach-0"}, "InvalidAttachmentID.NotFound",
     "The attachment ID 'eni-attach-0' does not exist"),
    ("ModifyNetworkInterfaceAttribute", {"Color": "red"}, "UnknownParameter", "The parameter Color is not recognized"),
))
def test_what_an_eni_is_refused(cloud, action, given, code, text):
    assert refused(cloud, action, **{"NetworkInterfaceId": create(cloud)} | given) == (400, code, text)


def test_the_first_eni_stays(cloud):
    attachment = cloud.enis[PRIMARY].attachment.id
    assert refused(cloud, "DetachNetworkInterface", AttachmentId=attachment)[1] == "OperationNotPermitted"


def test_enis_of_an_instance_are_limited(cloud):
    attach(cloud, create(cloud))
    assert refused(cloud, "AttachNetworkInterface", DeviceIndex=3, InstanceId=INSTANCE, NetworkInterfaceId=create(cloud)) == \
        (400, "AttachmentLimitExceeded", "Interface count 4 exceeds the limit for m5.large")
    cloud.set(eni_limit=2)
    cloud.remove_eni(SECOND)
    assert refused(cloud, "AttachNetworkInterface", DeviceIndex=1, InstanceId=INSTANCE,
                   NetworkInterfaceId=create(cloud))[1] == "AttachmentLimitExceeded"


def test_cards_have_limits_of_their_own():
    with FakeCloud({"instance": {"id": INSTANCE, "type": "p4d.24xlarge"}, "subnets": [{"id": SUBNET1, "ipv4": "10.0.1.0/24"}],
                    "enis": [{"device": 0}]}, frozen_clock=True) as cloud:
        for device in range(15):
            ask(cloud, "AttachNetworkInterface", DeviceIndex=device, InstanceId=INSTANCE, NetworkInterfaceId=create(cloud),
                NetworkCardIndex=1)
        assert refused(cloud, "AttachNetworkInterface", DeviceIndex=15, InstanceId=INSTANCE, NetworkInterfaceId=create(cloud),
                       NetworkCardIndex=1)[1] == "AttachmentLimitExceeded"
        ask(cloud, "AttachNetworkInterface", DeviceIndex=0, InstanceId=INSTANCE, NetworkInterfaceId=create(cloud), NetworkCardIndex=3)


# Addresses.

def test_addresses_are_given_and_taken(cloud):
    given = ask(cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=SECOND, SecondaryPrivateIpAddressCount=3)
    assert given.findtext("networkInterfaceId") == SECOND
    assert texts(given, "assignedPrivateIpAddressesSet/item/privateIpAddress") == ["10.0.2.4", "10.0.2.5", "10.0.2.6"], "the new ones only"
    assert given.find("assignedIpv4PrefixSet") is None
    ask(cloud, "UnassignPrivateIpAddresses", NetworkInterfaceId=SECOND, PrivateIpAddress__1="10.0.2.4", PrivateIpAddress__2="10.0.2.6")
    item = ask(cloud, "DescribeNetworkInterfaces", NetworkInterfaceId__1=SECOND).find("networkInterfaceSet/item")
    assert texts(item, "privateIpAddressesSet/item/privateIpAddress") == ["10.0.2.10", "10.0.2.5"]
    assert item.findtext("privateIpAddress") == "10.0.2.10"


def test_prefixes_are_given_and_taken(cloud):
    given = ask(cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=PRIMARY, Ipv4PrefixCount=2)
    assert texts(given, "assignedIpv4PrefixSet/item/ipv4Prefix") == ["10.0.1.224/28", "10.0.1.208/28"]
    ask(cloud, "UnassignPrivateIpAddresses", NetworkInterfaceId=PRIMARY, Ipv4Prefix__1="10.0.1.32/28", Ipv4Prefix__2="10.0.1.208/28")
    assert cloud.enis[PRIMARY].prefixes == ["10.0.1.224/28"]
    six = ask(cloud, "AssignIpv6Addresses", NetworkInterfaceId=PRIMARY, Ipv6PrefixCount=1)
    assert texts(six, "assignedIpv6PrefixSet/item") == ["fd00:0:0:1:1::/80"]
    single = ask(cloud, "AssignIpv6Addresses", NetworkInterfaceId=PRIMARY, Ipv6AddressCount=1)
    assert texts(single, "assignedIpv6Addresses/item") == ["fd00:0:0:1::10"]
    ask(cloud, "UnassignIpv6Addresses", NetworkInterfaceId=PRIMARY, Ipv6Prefix__1="fd00:0:0:1:1::/80", Ipv6Addresses__1="fd00:0:0:1::10")
    assert (cloud.enis[PRIMARY].prefixes6, cloud.enis[PRIMARY].addresses6) == (["fd00:0:0:1:5::/80"], ["fd00:0:0:1::a"])


def test_nothing_is_given_twice(cloud):
    """Of all kinds, until the subnet has no more."""
    cloud.set(ipv4_limit=50)
    ask(cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=SECOND, Ipv4PrefixCount=1)
    ask(cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=SECOND, SecondaryPrivateIpAddressCount=42)
    eni = cloud.enis[SECOND]
    assert eni.prefixes == ["10.0.2.32/28"]
    assert sorted(int(one.rpartition(".")[2]) for one in eni.addresses) == [*range(4, 32), *range(48, 63)]
    assert cloud.state()["subnets"][1]["available"] == 0
    assert refused(cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=SECOND, SecondaryPrivateIpAddressCount=1) == \
        (400, "InsufficientFreeAddressesInSubnet", "The specified subnet does not have enough free addresses to satisfy the request.")
    assert refused(cloud, "CreateNetworkInterface", SubnetId=SUBNET2)[1] == "InsufficientFreeAddressesInSubnet"


def test_addresses_of_an_eni_are_limited(cloud):
    """10 on an m5.large; a prefix counts as one of them."""
    assert refused(cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=PRIMARY, SecondaryPrivateIpAddressCount=8) == \
        (400, "PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.")
    ask(cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=PRIMARY, Ipv4PrefixCount=7)
    for more in ({"Ipv4PrefixCount": 1}, {"PrivateIpAddress__1": "10.0.1.77"}):
        assert refused(cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=PRIMARY, **more)[1] == "PrivateIpAddressLimitExceeded"
    assert refused(cloud, "AssignIpv6Addresses", NetworkInterfaceId=PRIMARY, Ipv6PrefixCount=9)[1] == "Ipv6AddressLimitExceeded"
    assert refused(cloud, "AttachNetworkInterface", DeviceIndex=2, InstanceId=INSTANCE, NetworkInterfaceId=create(
        cloud, SecondaryPrivateIpAddressCount=10))[1] == "PrivateIpAddressLimitExceeded"


def test_a_fragmented_subnet_has_addresses_but_no_prefix(cloud):
    cloud.occupy(SUBNET2, "10.0.2.20", "10.0.2.40")
    assert refused(cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=SECOND, Ipv4PrefixCount=1) == \
        (400, "InsufficientCidrBlocks", "The specified subnet does not have enough free cidr blocks to satisfy the request.")
    ask(cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=SECOND, SecondaryPrivateIpAddressCount=1)
    cloud.vacate(SUBNET2)
    ask(cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=SECOND, Ipv4PrefixCount=1)


def test_an_exhausted_subnet(cloud):
    cloud.exhaust(SUBNET1, left=2)
    assert cloud.state()["subnets"][0]["available"] == 2
    assert refused(cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=PRIMARY,
                   SecondaryPrivateIpAddressCount=3)[1] == "InsufficientFreeAddressesInSubnet"
    ask(cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=PRIMARY, SecondaryPrivateIpAddressCount=2)


def test_all_or_nothing(cloud):
    """refused() compares the state."""
    eni = create(cloud, PrivateIpAddress="10.0.1.50", SecondaryPrivateIpAddressCount=1)
    cloud.exhaust(SUBNET1, left=2)
    moved = {"PrivateIpAddress__1": cloud.enis[eni].addresses[1], "AllowReassignment": "true"}
    for some in ({}, moved):
        assert refused(cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=PRIMARY, SecondaryPrivateIpAddressCount=3, **some)[1] == \
            "InsufficientFreeAddressesInSubnet"
    assert refused(cloud, "CreateNetworkInterface", SubnetId=SUBNET1, SecondaryPrivateIpAddressCount=2)[1] == \
        "InsufficientFreeAddressesInSubnet"
    create(cloud, SecondaryPrivateIpAddressCount=1)


def test_certain_addresses(cloud):
    eni = create(cloud, PrivateIpAddress="10.0.1.50", PrivateIpAddresses__1__PrivateIpAddress="10.0.1.51",
                 Ipv4Prefix__1__Ipv4Prefix="10.0.1.64/28", Ipv6Addresses__1__Ipv6Address="fd00:0:0:1::50")
    assert (cloud.enis[eni].addresses, cloud.enis[eni].prefixes, cloud.enis[eni].addresses6) == \
        (["10.0.1.50", "10.0.1.51"], ["10.0.1.64/28"], ["fd00:0:0:1::50"])
    for taken in ("10.0.1.50", "10.0.1.64", "10.0.1.1"):
        assert refused(cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=PRIMARY, PrivateIpAddress__1=taken)[1] == \
            "InvalidIPAddress.InUse"
    assert refused(cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=PRIMARY, PrivateIpAddress__1="10.0.2.50")[1] == \
        "InvalidParameterValue"
    assert refused(cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=PRIMARY, PrivateIpAddress__1="10.0.1")[1] == \
        "InvalidParameterValue"
    ask(cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=PRIMARY, PrivateIpAddress__1="10.0.1.51", AllowReassignment="true")
    assert (cloud.enis[eni].addresses, cloud.enis[PRIMARY].addresses[-1]) == (["10.0.1.50"], "10.0.1.51")


@pytest.mark.parametrize("which, text", (
    ({"PrivateIpAddress__1": "10.0.1.12"}, f"Some of [10.0.1.12] are not assigned to interface {PRIMARY}"),
    ({"PrivateIpAddress__1": "10.0.1.11", "Ipv4Prefix__1": "10.0.1.48/28"},
     f"Some of [10.0.1.48/28] are not assigned to interface {PRIMARY}"),
    ({"PrivateIpAddress__1": "10.0.1.10"}, f"The primary address 10.0.1.10 of the interface {PRIMARY} cannot be unassigned"),
))
def test_what_is_not_taken(cloud, which, text):
    assert refused(cloud, "UnassignPrivateIpAddresses", NetworkInterfaceId=PRIMARY, **which) == (400, "InvalidParameterValue", text)


# Asking twice, and asking too early.

def test_client_tokens(cloud):
    one = create(cloud, ClientToken="t1", SecondaryPrivateIpAddressCount=1)
    assert create(cloud, ClientToken="t1", SecondaryPrivateIpAddressCount=1) == one
    assert create(cloud, ClientToken="t2", SecondaryPrivateIpAddressCount=1) != one
    assert create(cloud) != create(cloud)
    assert refused(cloud, "CreateNetworkInterface", SubnetId=SUBNET1, ClientToken="t1")[:2] == (400, "IdempotentParameterMismatch")
    ask(cloud, "DeleteNetworkInterface", NetworkInterfaceId=one)
    assert refused(cloud, "CreateNetworkInterface", SubnetId=SUBNET1, ClientToken="t1",
                   SecondaryPrivateIpAddressCount=1)[1] == "IdempotentParameterMismatch"


@pytest.mark.parametrize("action, given", (
    ("DescribeNetworkInterfaces", lambda eni: {"NetworkInterfaceId__1": eni}),
    ("AttachNetworkInterface", lambda eni: {"NetworkInterfaceId": eni, "DeviceIndex": 2, "InstanceId": INSTANCE}),
    ("CreateTags", lambda eni: {"ResourceId__1": eni, "Tag__1__Key": "a"}),
    ("AssignPrivateIpAddresses", lambda eni: {"NetworkInterfaceId": eni, "SecondaryPrivateIpAddressCount": 1}),
))
def test_a_new_eni_is_not_known_at_once(cloud, action, given):
    cloud.set(hide_new_enis=5)
    eni = create(cloud)
    assert eni not in ids(cloud)
    assert refused(cloud, action, **given(eni))[1:] == \
        ("InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{eni}' does not exist")
    cloud.advance(5)
    ask(cloud, action, **given(eni))
    cloud.set(hide_new_enis=0, hide_new_enis_reads=2)
    ask(cloud, "DeleteNetworkInterface", NetworkInterfaceId=eni) if cloud.enis[eni].attachment is None else cloud.remove_eni(eni)
    eni, outcomes = create(cloud), []
    for _ in range(3):
        try:
            outcomes.append(bool(ask(cloud, action, **given(eni)) is not None))
        except Refusal:
            outcomes.append(False)
    assert outcomes == [False, False, True]


def test_stale_descriptions(cloud):
    cloud.set(ec2_stale=True)
    eni = create(cloud)
    ask(cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=SECOND, SecondaryPrivateIpAddressCount=1)
    assert eni not in ids(cloud)
    item = ask(cloud, "DescribeNetworkInterfaces", NetworkInterfaceId__1=SECOND).find("networkInterfaceSet/item")
    assert len(item.findall("privateIpAddressesSet/item")) == 1
    assert texts(ask(cloud, "DescribeSubnets"), "subnetSet/item/availableIpAddressCount") == ["233", "58", "250"]
    attach(cloud, eni)
    cloud.set(ec2_stale=False)
    assert ids(cloud) == [PRIMARY, SECOND, LOOSE, eni]


def test_other_instances():
    """Their ENIs are EC2's, and not the metadata's."""
    with FakeCloud(STATE | {"others": [{"id": "i-00000000000000002"}], "enis": [*STATE["enis"], {
            "id": "eni-00000000000000009", "device": 0, "instance": "i-00000000000000002"}]}) as cloud:
        assert ids(cloud, Filter__1__Name="attachment.instance-id", Filter__1__Value__1="i-00000000000000002") == ["eni-00000000000000009"]
        assert set(cloud.imds.shown) == {PRIMARY, SECOND}
        assert len(texts(ask(cloud, "DescribeInstances"), "reservationSet/item")) == 2


def test_of_several_ids_the_missing_are_named(cloud):
    """As upstream's ipamd reads it: one in quotes."""
    assert refused(cloud, "DescribeNetworkInterfaces", NetworkInterfaceId__1=PRIMARY, NetworkInterfaceId__2="eni-1")[2] == \
        "The networkInterface ID 'eni-1' does not exist"
    assert refused(cloud, "DescribeNetworkInterfaces", NetworkInterfaceId__1="eni-2", NetworkInterfaceId__2="eni-1")[2] == \
        "The networkInterface IDs 'eni-2, eni-1' do not exist"


# Filters and pages.

@pytest.mark.parametrize("filters, expected", (
    ({"status": ["available"]}, [LOOSE]),
    ({"status": ["in-use"]}, [PRIMARY, SECOND]),
    ({"status": ["in-use", "available"]}, [PRIMARY, SECOND, LOOSE]),
    ({"tag-key": ["node.k8s.amazonaws.com/instance_id"]}, [PRIMARY]),
    ({"tag-key": ["node.k8s.amazonaws.com/*"]}, [PRIMARY]),
    ({"tag:old": ["yes"]}, [LOOSE]),
    ({"tag:old": ["y?s", "no"]}, [LOOSE]),
    ({"tag:old": ["y\\?s"]}, []),
    ({"tag:Old": ["yes"]}, []),
    ({"vpc-id": ["vpc-0c0ffee0c0ffee001"], "status": ["available"], "tag-key": ["old"]}, [LOOSE]),
    ({"vpc-id": ["vpc-0"]}, []),
    ({"attachment.instance-id": [INSTANCE]}, [PRIMARY, SECOND]),
    ({"attachment.device-index": ["1"]}, [SECOND]),
    ({"addresses.private-ip-address": ["10.0.1.11"]}, [PRIMARY]),
    ({"private-ip-address": ["10.0.1.11"]}, []),
    ({"subnet-id": [SUBNET2]}, [SECOND]),
    ({"availability-zone": ["us-west-2b"]}, [LOOSE]),
    ({"mac-address": ["02:00:00:00:01:*"]}, [PRIMARY, SECOND, LOOSE]),
    ({"status": []}, []),
))
def test_filters(cloud, filters, expected):
    given = {}
    for number, (name, values) in enumerate(filters.items(), 1):
        given |= {f"Filter__{number}__Name": name} | {f"Filter__{number}__Value__{n}": value for n, value in enumerate(values, 1)}
    assert ids(cloud, **given) == expected


@pytest.mark.parametrize("pattern, text, expected", (
    ("a*", "abc", True), ("a*", "a", True), ("a*", "ba", False), ("a?c", "abc", True), ("a?c", "ac", False), ("a\\*c", "a*c", True),
    ("a\\*c", "abc", False), ("a\\?c", "a?c", True), ("a\\?c", "ac", False), ("a\\\\*", "a\\x", True), ("a.c", "abc", False),
    ("a\\", "a\\", True), ("[ab]", "a", False), ("*", "a\nb", True), ("", "", True), ("", "a", False)))
def test_wildcards(pattern, text, expected):
    assert is_like(pattern, text) is expected


@pytest.mark.parametrize("action", DESCRIBED)
def test_filters_that_there_are_not(cloud, action):
    assert refused(cloud, action, Filter__1__Name="color", Filter__1__Value__1="red") == \
        (400, "InvalidParameterValue", "The filter 'color' is invalid")


@pytest.mark.parametrize("most", ("page", "MaxResults"))
def test_pages(cloud, most):
    every = [PRIMARY, SECOND, LOOSE, *(create(cloud) for _ in range(10))]
    given = {"MaxResults": 5} if most == "MaxResults" else {}
    cloud.set(page=5 if most == "page" else 1000)
    found, sizes, token = [], [], {}
    while True:
        page = ask(cloud, "DescribeNetworkInterfaces", **given, **token)
        found += texts(page, "networkInterfaceSet/item/networkInterfaceId")
        sizes.append(len(page.findall("networkInterfaceSet/item")))
        if page.find("nextToken") is None:
            break
        token = {"NextToken": page.findtext("nextToken")}
    assert (found, sizes) == (every, [5, 5, 3])


@pytest.mark.parametrize("given, code", (
    ({"MaxResults": 4}, "InvalidParameterValue"),
    ({"MaxResults": 1001}, "InvalidParameterValue"),
    ({"MaxResults": 5, "NetworkInterfaceId__1": PRIMARY}, "InvalidParameterCombination"),
    ({"NextToken": "x"}, "InvalidNextToken"),
    ({"NextToken": "WzEsIDJd"}, "InvalidNextToken"),
))
def test_pages_that_there_are_not(cloud, given, code):
    assert refused(cloud, "DescribeNetworkInterfaces", **given)[:2] == (400, code)


# The rest of the calls.

def test_instances_have_their_enis(cloud):
    enis = ask(cloud, "DescribeInstances", InstanceId__1=INSTANCE).findall("reservationSet/item/instancesSet/item/networkInterfaceSet/item")
    assert [(one.findtext("networkInterfaceId"), one.findtext("attachment/deviceIndex"), one.findtext("attachment/networkCardIndex"))
            for one in enis] == [(PRIMARY, "0", "0"), (SECOND, "1", "0")]


def test_subnets_by_vpc_and_zone(cloud):
    found = ask(cloud, "DescribeSubnets", Filter__1__Name="vpc-id", Filter__1__Value__1=cloud.cloud.vpc,
                Filter__2__Name="availability-zone", Filter__2__Value__1="us-west-2a").findall("subnetSet/item")
    # 256 less five of the cloud's, two addresses and a prefix; 64 less five and one
    assert [(one.findtext("subnetId"), one.findtext("availableIpAddressCount")) for one in found] == [(SUBNET1, "233"), (SUBNET2, "58")]
    assert refused(cloud, "DescribeSubnets", SubnetId__1="subnet-0")[1:] == \
        ("InvalidSubnetID.NotFound", "The subnet ID 'subnet-0' does not exist")


def test_instance_types(cloud):
    type = ask(cloud, "DescribeInstanceTypes", InstanceType__1="m5.large").find("instanceTypeSet/item")
    assert [type.findtext(name) for name in (
        "instanceType", "bareMetal", "hypervisor", "networkInfo/maximumNetworkInterfaces", "networkInfo/ipv4AddressesPerInterface",
        "networkInfo/ipv6AddressesPerInterface", "networkInfo/maximumNetworkCards", "networkInfo/networkCards/item/maximumNetworkInterfaces")] \
        == ["m5.large", "false", "nitro", "3", "10", "10", "1", "3"]
    metal = ask(cloud, "DescribeInstanceTypes", InstanceType__1="m5.metal").find("instanceTypeSet/item")
    assert (metal.findtext("bareMetal"), metal.find("hypervisor")) == ("true", None)
    assert refused(cloud, "DescribeInstanceTypes", InstanceType__1="m5.none")[1:] == \
        ("InvalidInstanceType", "The following supplied instance types do not exist: [m5.none]")


def test_tags(cloud):
    ask(cloud, "CreateTags", ResourceId__1=SECOND, ResourceId__2=LOOSE, Tag__1__Key="k", Tag__1__Value="v", Tag__2__Key="empty",
        Tag__2__Value="")
    assert cloud.enis[SECOND].tags == {"k": "v", "empty": ""}
    assert cloud.enis[LOOSE].tags == {"old": "yes", "k": "v", "empty": ""}
    found = ask(cloud, "DescribeTags", Filter__1__Name="resource-id", Filter__1__Value__1=LOOSE)
    assert texts(found, "tagSet/item/key") == ["old", "k", "empty"]
    assert refused(cloud, "CreateTags", ResourceId__1=SECOND, ResourceId__2="eni-0", Tag__1__Key="x")[1] == \
        "InvalidNetworkInterfaceID.NotFound"
    assert refused(cloud, "CreateTags", ResourceId__1=SECOND, Tag__1__Key="aws:x")[1] == "InvalidParameterValue"
    assert refused(cloud, "CreateTags", ResourceId__1=SECOND,
                   **{f"Tag__{n}__Key": f"k{n}" for n in range(1, 50)})[1] == "TagLimitExceeded"


def test_security_groups(cloud):
    assert texts(ask(cloud, "DescribeSecurityGroups", GroupId__1="sg-00000000000000002"), "securityGroupInfo/item/groupName") == ["pods"]
    ask(cloud, "ModifyNetworkInterfaceAttribute", NetworkInterfaceId=SECOND, SecurityGroupId__1="sg-00000000000000002")
    assert cloud.enis[SECOND].groups == ["sg-00000000000000002"]


@pytest.mark.parametrize("action", ACTIONS)
def test_a_dry_run_does_nothing(cloud, action):
    needed = {name[1:]: 1 for name in ACTIONS[action] if name.startswith("!")}
    assert refused(cloud, action, DryRun="true", **needed)[:2] == (412, "DryRunOperation")


@pytest.mark.parametrize("action, code", (("RunInstances", "InvalidAction"), ("", "MissingAction")))
def test_actions_that_there_are_not(cloud, action, code):
    assert refused(cloud, action)[:2] == (400, code)


def test_the_version_of_the_interface(cloud):
    assert refused(cloud, "DescribeInstances", Version="2012-01-01")[1] == "NoSuchVersion"
