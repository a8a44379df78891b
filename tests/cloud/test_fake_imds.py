"""The fake's metadata service, word for word."""

import http.client
import json
import urllib.parse

import pytest
from cloud_node import INSTANCE, PRIMARY, SECOND

from support.fake_cloud import client
from support.fake_cloud.imds import TOKEN_TTL

MACS = "meta-data/network/interfaces/macs/"
FIRST_MAC, SECOND_MAC = "02:00:00:00:01:00", "02:00:00:00:01:01"


def ask(cloud, method: str, path: str, **headers: str):
    where = urllib.parse.urlsplit(cloud.imds_url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
    connection.request(method, f"/latest/{path}", headers={name.replace("_", "-"): value for name, value in headers.items()})
    reply = connection.getresponse()
    text = reply.read().decode()
    connection.close()
    return reply.status, text, reply.headers


def token(cloud, ttl: str = "21600") -> str:
    status, text, headers = ask(cloud, "PUT", "api/token", **{TOKEN_TTL: ttl})
    assert (status, headers[TOKEN_TTL]) == (200, ttl)
    return text


def get(cloud, path: str, with_token: str = "") -> str | int:
    """The text, or the status of what is no success."""
    status, text, _ = ask(cloud, "GET", path, X_aws_ec2_metadata_token=with_token or token(cloud))
    return text if status == 200 else status


@pytest.mark.parametrize("path, text", (
    ("meta-data/mac", FIRST_MAC),
    ("meta-data/mac/", FIRST_MAC),
    ("meta-data/local-ipv4", "10.0.1.10"),
    ("meta-data/ipv6", "fd00:0:0:1::a"),
    ("meta-data/instance-id", INSTANCE),
    ("meta-data/instance-type", "m5.large"),
    ("meta-data/placement/availability-zone", "us-west-2a"),
    ("meta-data/placement/region", "us-west-2"),
    (MACS, f"{FIRST_MAC}/\n{SECOND_MAC}/"),
    (MACS[:-1], f"{FIRST_MAC}/\n{SECOND_MAC}/"),
    (f"{MACS}{FIRST_MAC}/interface-id", PRIMARY),
    (f"{MACS}{FIRST_MAC}/device-number", "0"),
    (f"{MACS}{SECOND_MAC}/device-number", "1"),
    (f"{MACS}{FIRST_MAC}/subnet-id", "subnet-00000000000000001"),
    (f"{MACS}{FIRST_MAC}/subnet-ipv4-cidr-block", "10.0.1.0/24"),
    (f"{MACS}{FIRST_MAC}/subnet-ipv6-cidr-blocks", "fd00:0:0:1::/64"),
    (f"{MACS}{FIRST_MAC}/vpc-id", "vpc-0c0ffee0c0ffee001"),
    (f"{MACS}{FIRST_MAC}/vpc-ipv4-cidr-blocks", "10.0.0.0/16"),
    (f"{MACS}{FIRST_MAC}/vpc-ipv6-cidr-blocks", "fd00::/48"),
    (f"{MACS}{FIRST_MAC}/local-ipv4s", "10.0.1.10\n10.0.1.11"),
    (f"{MACS}{FIRST_MAC}/ipv4-prefix", "10.0.1.32/28"),
    (f"{MACS}{FIRST_MAC}/ipv6s", "fd00:0:0:1::a"),
    (f"{MACS}{FIRST_MAC}/ipv6-prefix", "fd00:0:0:1:5::/80"),
    (f"{MACS}{FIRST_MAC}/security-group-ids", "sg-00000000000000001"),
    # What is not there.
    (f"{MACS}{SECOND_MAC}/ipv4-prefix", 404),
    (f"{MACS}{SECOND_MAC}/ipv6s", 404),
    (f"{MACS}{SECOND_MAC}/ipv6-prefix", 404),
    (f"{MACS}{SECOND_MAC}/subnet-ipv6-cidr-blocks", 404),
    (f"{MACS}{FIRST_MAC}/network-card", 404),
    (f"{MACS}02:00:00:00:01:09/", 404),
    ("meta-data/nothing", 404),
))
def test_what_it_tells(cloud, path, text):
    assert get(cloud, path) == text


def test_keys_of_an_eni(cloud):
    assert set(get(cloud, f"{MACS}{SECOND_MAC}/").splitlines()) == {
        "device-number", "interface-id", "local-hostname", "local-ipv4s", "mac", "owner-id", "security-group-ids", "security-groups",
        "subnet-id", "subnet-ipv4-cidr-block", "vpc-id", "vpc-ipv4-cidr-block", "vpc-ipv4-cidr-blocks", "vpc-ipv6-cidr-blocks"}
    assert get(cloud, "") == "dynamic/\nmeta-data/"
    assert {"mac", "network/", "placement/", "iam/", "local-ipv4"} <= set(get(cloud, "meta-data").splitlines())


def test_identity_document(cloud):
    document = json.loads(get(cloud, "dynamic/instance-identity/document"))
    assert (document["region"], document["instanceId"], document["privateIp"]) == ("us-west-2", INSTANCE, "10.0.1.10")


@pytest.mark.parametrize("ttl", ("0", "21601", "-1", "", "1.5", "x", "٣"))
def test_a_bad_life_of_a_token(cloud, ttl):
    assert ask(cloud, "PUT", "api/token", **({TOKEN_TTL: ttl.encode()} if ttl else {}))[0] == 400


def test_tokens(cloud):
    for ttl in ("1", "21600"):
        assert get(cloud, "meta-data/mac", token(cloud, ttl)) == FIRST_MAC
    assert ask(cloud, "GET", "meta-data/mac")[0] == 401, "IMDSv1"
    assert get(cloud, "meta-data/mac", "no-token") == 401
    assert ask(cloud, "PUT", "api/token", **{TOKEN_TTL: "60", "X_Forwarded_For": "192.0.2.1"})[0] == 403
    short, long = token(cloud, "60"), token(cloud, "61")
    cloud.advance(60)
    assert (get(cloud, "meta-data/mac", short), get(cloud, "meta-data/mac", long)) == (401, FIRST_MAC)
    cloud.expire_tokens()
    assert get(cloud, "meta-data/mac", long) == 401


def test_tokens_may_be_optional_disabled_or_wear_out(cloud):
    cloud.set(imds_tokens="optional")
    assert ask(cloud, "GET", "meta-data/mac")[:2] == (200, FIRST_MAC)
    assert get(cloud, "meta-data/mac", "no-token") == 401
    cloud.set(imds_token_uses=2)
    worn = token(cloud)
    assert [get(cloud, "meta-data/mac", worn) for _ in range(3)] == [FIRST_MAC, FIRST_MAC, 401]
    cloud.set(imds_tokens="disabled")
    assert ask(cloud, "PUT", "api/token", **{TOKEN_TTL: "60"})[0] == ask(cloud, "GET", "meta-data/mac")[0] == 403


def attach_third(cloud) -> str:
    eni = client.call(cloud.ec2_url, "CreateNetworkInterface", SubnetId="subnet-00000000000000001").findtext(".//networkInterfaceId")
    client.call(cloud.ec2_url, "AttachNetworkInterface", DeviceIndex=2, InstanceId=INSTANCE, NetworkInterfaceId=eni)
    return cloud.enis[eni].mac


def test_an_eni_is_shown_once_it_is_attached(cloud):
    cloud.set(attach_delay=3)
    mac = attach_third(cloud)
    assert mac not in get(cloud, MACS)
    cloud.advance(2.9)
    assert mac not in get(cloud, MACS)
    cloud.advance(0.1)
    assert f"{mac}/" in get(cloud, MACS).splitlines()
    assert get(cloud, f"{MACS}{mac}/device-number") == "2"


def test_an_eni_is_shown_late(cloud):
    cloud.set(imds_delay=5)
    mac = attach_third(cloud)
    assert cloud.enis[list(cloud.enis)[-1]].attachment.status == "attached"
    cloud.advance(4)
    assert mac not in get(cloud, MACS) and get(cloud, f"{MACS}{mac}/mac") == 404
    cloud.advance(1)
    assert get(cloud, f"{MACS}{mac}/mac") == mac


def test_an_eni_is_shown_after_so_many_reads(cloud):
    cloud.set(imds_delay_reads=2)
    mac = attach_third(cloud)
    assert [mac in get(cloud, MACS) for _ in range(4)] == [False, False, True, True]


def test_changes_of_one_eni_are_shown_in_their_order(cloud):
    cloud.set(imds_delay=5, imds_delay_of=["attach"])
    mac = attach_third(cloud)
    client.call(cloud.ec2_url, "AssignPrivateIpAddresses", NetworkInterfaceId=list(cloud.enis)[-1], SecondaryPrivateIpAddressCount=2)
    assert get(cloud, f"{MACS}{mac}/local-ipv4s") == 404
    cloud.advance(5)
    assert len(get(cloud, f"{MACS}{mac}/local-ipv4s").splitlines()) == 3


def test_stale_metadata(cloud):
    cloud.set(imds_stale=True)
    client.call(cloud.ec2_url, "AssignPrivateIpAddresses", NetworkInterfaceId=SECOND, PrivateIpAddress__1="10.0.2.20")
    cloud.remove_eni(PRIMARY)
    assert get(cloud, f"{MACS}{SECOND_MAC}/local-ipv4s") == "10.0.2.10"
    assert FIRST_MAC in get(cloud, MACS)
    cloud.set(imds_stale=False)
    assert get(cloud, f"{MACS}{SECOND_MAC}/local-ipv4s") == "10.0.2.10\n10.0.2.20"
    assert get(cloud, MACS) == f"{SECOND_MAC}/"


def test_several_network_cards_and_efa(cloud):
    with type(cloud)({"instance": {"type": "p4d.24xlarge"}, "subnets": [{"ipv4": "10.0.1.0/24"}],
                      "enis": [{"device": 0, "mac": FIRST_MAC}, {"device": 1, "card": 1, "mac": SECOND_MAC, "type": "efa-only"}]}) as cloud:
        assert [get(cloud, f"{MACS}{mac}/network-card") for mac in (FIRST_MAC, SECOND_MAC)] == ["0", "1"]
        assert get(cloud, f"{MACS}{SECOND_MAC}/local-ipv4s") == 404


def test_contradictions(cloud):
    cloud.override("meta-data/mac", SECOND_MAC)
    cloud.override(f"{MACS}{FIRST_MAC}/local-ipv4s", None)
    assert get(cloud, "meta-data/mac") == SECOND_MAC
    assert get(cloud, f"{MACS}{FIRST_MAC}/local-ipv4s") == 404
    assert "local-ipv4s" not in get(cloud, f"{MACS}{FIRST_MAC}/")


def test_credentials_of_the_role(cloud):
    assert get(cloud, "meta-data/iam/security-credentials/") == "node-role"
    first = json.loads(get(cloud, "meta-data/iam/security-credentials/node-role"))
    assert set(first) == {"Code", "LastUpdated", "Type", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"}
    assert (first["Code"], first["Type"]) == ("Success", "AWS-HMAC")
    assert json.loads(get(cloud, "meta-data/iam/security-credentials/node-role")) == first
    cloud.expire_credentials()
    assert json.loads(get(cloud, "meta-data/iam/security-credentials/node-role"))["AccessKeyId"] != first["AccessKeyId"]
    cloud.imds.role = ""
    assert get(cloud, "meta-data/iam/security-credentials/") == 404
