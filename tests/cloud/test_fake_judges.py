"""The fake as clients see it that know nothing of it: botocore (its EC2, STS and metadata clients, its model of the interface) and curl."""

import itertools
import re
import shutil
import subprocess
import urllib.parse
import xml.etree.ElementTree as tree

import pytest
from cloud_node import INSTANCE, LOOSE, PRIMARY, SECOND, STATE

from support.fake_cloud import ACTIONS, signature
from support.fake_cloud.ec2 import Sts
from support.fake_cloud.keys import EXAMPLE

botocore = pytest.importorskip("botocore", reason="python3-botocore is not installed")

from botocore.auth import SigV4Auth  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.config import Config  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError  # noqa: E402
from botocore.serialize import create_serializer  # noqa: E402
from botocore.session import Session  # noqa: E402
from botocore.utils import IMDSFetcher, InstanceMetadataFetcher, InstanceMetadataRegionFetcher  # noqa: E402

# In one worker: reading botocore's models takes a second.
pytestmark = [pytest.mark.usefixtures("botocore_closes"), pytest.mark.xdist_group("botocore")]
KEY, SECRET = EXAMPLE
SUBNET1 = STATE["subnets"][0]["id"]


@pytest.fixture(scope="session")
def session() -> Session:
    session = Session()
    session.set_credentials(KEY, SECRET)
    return session


@pytest.fixture
def ec2(cloud, session):
    return client(session, cloud)


def client(session, cloud, service: str = "ec2", attempts: int = 1, timeout: float = 30, **credentials):
    return session.create_client(service, "us-west-2", endpoint_url=cloud.ec2_url, config=Config(
        retries={"mode": "standard", "total_max_attempts": attempts}, read_timeout=timeout), **credentials)


@pytest.fixture
def quick(monkeypatch):
    """botocore's pauses before it tries again."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)


@pytest.fixture
def calls(cloud):
    """The replies' texts, by action."""
    kept = {}
    serve = cloud._serve_call

    def keeping(service, request):
        reply = serve(service, request)
        kept.setdefault(cloud.calls[-1].action, []).append(reply.body)
        return reply

    cloud._serve_call = keeping
    return kept


def unknown_elements(shape, element, path: str = "") -> list[str]:
    """Elements of a reply that botocore's model of the interface does not have. Parsing it would only pass them over."""
    name = element.tag.partition("}")[2]
    if shape.type_name == "list":
        return [one for child in element for one in unknown_elements(shape.member, child, f"{path}/{name}")]
    if shape.type_name != "structure":
        return [] if not len(element) else [f"{path}/{name} is no {shape.type_name}"]
    members = {member.serialization.get("name", key): member for key, member in shape.members.items()}
    found = []
    for child in element:
        tag = child.tag.partition("}")[2]
        if tag not in members:
            found.append(f"{path}/{name}/{tag}")
        else:
            found += unknown_elements(members[tag], child, f"{path}/{name}")
    return found


def test_every_call(cloud, ec2, calls, session):
    eni = ec2.create_network_interface(
        SubnetId=SUBNET1, Description="aws-K8S-i & <co>", Groups=["sg-00000000000000001"], SecondaryPrivateIpAddressCount=3,
        TagSpecifications=[{"ResourceType": "network-interface", "Tags": [{"Key": "a", "Value": "b"}]}])["NetworkInterface"]
    id = eni["NetworkInterfaceId"]
    assert (eni["Description"], eni["TagSet"], len(eni["PrivateIpAddresses"])) == ("aws-K8S-i & <co>", [{"Key": "a", "Value": "b"}], 4)
    attachment = ec2.attach_network_interface(DeviceIndex=2, InstanceId=INSTANCE, NetworkInterfaceId=id, NetworkCardIndex=0)["AttachmentId"]
    ec2.modify_network_interface_attribute(NetworkInterfaceId=id, Attachment={"AttachmentId": attachment, "DeleteOnTermination": True})
    ec2.modify_network_interface_attribute(NetworkInterfaceId=id, Groups=["sg-00000000000000002"])
    given = ec2.assign_private_ip_addresses(NetworkInterfaceId=id, SecondaryPrivateIpAddressCount=2)
    addresses = [one["PrivateIpAddress"] for one in given["AssignedPrivateIpAddresses"]]
    prefixes = [one["Ipv4Prefix"] for one in ec2.assign_private_ip_addresses(NetworkInterfaceId=id, Ipv4PrefixCount=1)["AssignedIpv4Prefixes"]]
    six = ec2.assign_ipv6_addresses(NetworkInterfaceId=id, Ipv6AddressCount=1)["AssignedIpv6Addresses"]
    prefixes6 = ec2.assign_ipv6_addresses(NetworkInterfaceId=id, Ipv6PrefixCount=1)["AssignedIpv6Prefixes"]
    ec2.create_tags(Resources=[id], Tags=[{"Key": "k", "Value": "v"}])
    seen = ec2.describe_network_interfaces(NetworkInterfaceIds=[id])["NetworkInterfaces"][0]
    held = cloud.enis[id]
    assert [one["PrivateIpAddress"] for one in seen["PrivateIpAddresses"]] == held.addresses and held.addresses[-2:] == addresses
    assert [one["Ipv4Prefix"] for one in seen["Ipv4Prefixes"]] == held.prefixes == prefixes
    assert [one["Ipv6Address"] for one in seen["Ipv6Addresses"]] == held.addresses6 == six
    assert [one["Ipv6Prefix"] for one in seen["Ipv6Prefixes"]] == held.prefixes6 == prefixes6
    assert (seen["Attachment"]["DeviceIndex"], seen["Attachment"]["DeleteOnTermination"], seen["Attachment"]["Status"]) == (2, True, "attached")
    assert seen["TagSet"] == [{"Key": "a", "Value": "b"}, {"Key": "k", "Value": "v"}]
    assert seen["Groups"] == [{"GroupId": "sg-00000000000000002", "GroupName": "pods"}]
    assert (seen["MacAddress"], seen["Status"], seen["InterfaceType"]) == (held.mac, "in-use", "interface")
    enis = ec2.describe_instances(InstanceIds=[INSTANCE])["Reservations"][0]["Instances"][0]["NetworkInterfaces"]
    assert [one["Attachment"]["DeviceIndex"] for one in enis] == [0, 1, 2]
    network = ec2.describe_instance_types(InstanceTypes=["m5.large"])["InstanceTypes"][0]["NetworkInfo"]
    assert (network["MaximumNetworkInterfaces"], network["Ipv4AddressesPerInterface"]) == (3, 10)
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [cloud.cloud.vpc]}])["Subnets"]
    assert subnets[2]["Tags"] == [{"Key": "kubernetes.io/role/cni", "Value": "1"}] and subnets[1]["AvailableIpAddressCount"] == 58
    assert ec2.describe_security_groups(GroupIds=["sg-00000000000000002"])["SecurityGroups"][0]["GroupName"] == "pods"
    assert {one["Key"] for one in ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [id]}])["Tags"]} == {"a", "k"}
    ec2.unassign_private_ip_addresses(NetworkInterfaceId=id, PrivateIpAddresses=addresses, Ipv4Prefixes=prefixes)
    assert ec2.unassign_ipv6_addresses(NetworkInterfaceId=id, Ipv6Addresses=six, Ipv6Prefixes=prefixes6)["UnassignedIpv6Addresses"] == six
    assert (len(held.addresses), held.prefixes, held.addresses6, held.prefixes6) == (4, [], [], [])
    ec2.detach_network_interface(AttachmentId=attachment)
    ec2.get_waiter("network_interface_available").wait(NetworkInterfaceIds=[id], WaiterConfig={"Delay": 0})
    ec2.delete_network_interface(NetworkInterfaceId=id)

    assert set(calls) == set(ACTIONS), "each action was called"
    model = session.get_service_model("ec2")
    for action, replies in calls.items():
        for reply in replies:
            root = tree.fromstring(reply)
            assert root.tag == f"{{http://ec2.amazonaws.com/doc/2016-11-15/}}{action}Response"
            shape = model.operation_model(action).output_shape
            found = unknown_elements(shape, root) if shape else [f"/{one.tag.partition('}')[2]}" for one in root]
            assert [one for one in found if one.rpartition("/")[2] not in ("requestId", "return")] == []


def filled(shape, depth: int = 0):
    """An input with all that botocore knows."""
    if shape.type_name == "structure":
        return {name: filled(member, depth + 1) for name, member in shape.members.items()} if depth < 6 else {}
    if shape.type_name == "list":
        return [filled(shape.member, depth + 1)]
    return {"integer": 1, "long": 1, "boolean": True, "timestamp": "2026-01-01T00:00:00Z"}.get(shape.type_name, "1")


@pytest.mark.parametrize("action", ACTIONS)
def test_names_of_parameters(session, action):
    """Each that the fake takes is one that botocore sends."""
    operation = session.get_service_model("ec2").operation_model(action)
    sent = create_serializer("ec2", include_validation=False).serialize_to_request(filled(operation.input_shape), operation)["body"]
    for pattern in ACTIONS[action]:
        if pattern.startswith("ConnectionTracking") and "ConnectionTrackingSpecification" not in operation.input_shape.members:
            continue  # of 2023: an older botocore
        parts = re.split(r"\((.*?)\)", pattern.removeprefix("!").replace(r"\d+", "1").replace("\\", ""))
        assert {"".join(one) for one in itertools.product(*(part.split("|") for part in parts))} <= set(sent)
    assert sent["Version"] == "2016-11-15"


def test_pages(cloud, ec2):
    cloud.set(page=2)
    pages = list(ec2.get_paginator("describe_network_interfaces").paginate())
    assert [[eni["NetworkInterfaceId"] for eni in page["NetworkInterfaces"]] for page in pages] == [[PRIMARY, SECOND], [LOOSE]]
    found = ec2.get_paginator("describe_network_interfaces").paginate(
        Filters=[{"Name": "status", "Values": ["in-use"]}], PaginationConfig={"PageSize": 5}).build_full_result()
    assert len(found["NetworkInterfaces"]) == 2 and cloud.calls[-1].parameters["MaxResults"] == "5"


def code(function, *arguments, **parameters) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        function(*arguments, **parameters)
    reply = caught.value.response
    return reply["Error"]["Code"], reply["ResponseMetadata"]["HTTPStatusCode"], reply["Error"]["Message"]


def test_errors(cloud, ec2):
    assert code(ec2.describe_network_interfaces, NetworkInterfaceIds=["eni-1"]) == \
        ("InvalidNetworkInterfaceID.NotFound", 400, "The networkInterface ID 'eni-1' does not exist")
    assert code(ec2.assign_private_ip_addresses, NetworkInterfaceId=PRIMARY, SecondaryPrivateIpAddressCount=20)[0] == \
        "PrivateIpAddressLimitExceeded"
    cloud.throttle()
    assert code(ec2.describe_instances) == ("RequestLimitExceeded", 503, "Request limit exceeded.")
    for code_, text in (("ExpiredToken", 403), ("UnauthorizedOperation", 403), ("InsufficientCidrBlocks", 400)):
        cloud.fail("DescribeInstances", code_)
        assert code(ec2.describe_instances)[:2] == (code_, text)


@pytest.mark.parametrize("how", ({"code": "RequestLimitExceeded"}, {"code": "Throttling"}, {"code": "InternalError"}, {"end": "reset"},
                                 {"end": "close"}, {"status": 503, "body": "html"}, {"end": "garbage"}))
def test_it_tries_again(cloud, session, quick, how):
    cloud.fail("DescribeInstances", times=2, **how)
    patient = client(session, cloud, attempts=3)
    assert patient.describe_instances()["ResponseMetadata"]["RetryAttempts"] == 2
    assert cloud.counts() == {"DescribeInstances": 3}


def test_a_create_whose_reply_is_lost_is_done_once(cloud, session, quick):
    """botocore makes a ClientToken of its own and keeps it when it tries again."""
    cloud.fail("CreateNetworkInterface", end="reset", after=True)
    created = client(session, cloud, attempts=2).create_network_interface(SubnetId=SUBNET1)
    assert len(cloud.enis) == 4 and cloud.count("CreateNetworkInterface") == 2
    assert created["NetworkInterface"]["NetworkInterfaceId"] == list(cloud.enis)[-1]


def test_no_answer(cloud, session):
    cloud.fail("DescribeInstances", end="hang")
    with pytest.raises(ReadTimeoutError):
        client(session, cloud, timeout=0.1).describe_instances()
    cloud.fail("DescribeInstances", end="close")
    with pytest.raises(ConnectionClosedError):
        client(session, cloud).describe_instances()


# Credentials.

def test_signatures(cloud, session):
    document = cloud.keyring.document()
    role = {"aws_access_key_id": document["AccessKeyId"], "aws_secret_access_key": document["SecretAccessKey"]}
    assert client(session, cloud, **role, aws_session_token=document["Token"]).describe_instances()["Reservations"]
    assert code(client(session, cloud, **role).describe_instances)[0] == "InvalidClientTokenId"
    assert code(client(session, cloud, **role | {"aws_secret_access_key": "x"}, aws_session_token=document["Token"]).describe_instances)[:2] \
        == ("SignatureDoesNotMatch", 403)
    assert [call.key for call in cloud.of("ec2")] == [document["AccessKeyId"]] * 3


@pytest.mark.parametrize("method, target, body", (
    ("POST", "/", b"Action=DescribeInstances&Version=2016-11-15"), ("POST", "/", b""), ("GET", "/?Action=x&Filter.1.Value.1=a%20b%2F~%2A", b""),
    ("GET", "/?b=2&a=1&a=0&c=&d=%C3%A9", b""), ("POST", "/a/b%20c/", b"\x00\xff" * 999)),
    ids=itertools.count())
def test_botocore_signs_as_the_fake_does(method, target, body):
    request = AWSRequest(method, f"http://127.0.0.1:8080{target}", {"Content-Type": "application/x-www-form-urlencoded", "X-Odd": "  a   b "}, body)
    SigV4Auth(Credentials(KEY, SECRET, "the-token"), "ec2", "us-west-2").add_auth(request)
    given = {name.lower(): value for name, value in request.headers.items()} | {"host": "127.0.0.1:8080"}
    signed = re.search("SignedHeaders=([^,]+)", given["authorization"])[1].split(";")
    canonical = signature.canonical_request(method, target, given, signed, body)
    assert signature.signature(SECRET, given["x-amz-date"], "us-west-2", "ec2", canonical) == given["authorization"].rpartition("=")[2]


def test_the_metadata_clients(cloud):
    options = {"base_url": f"{cloud.imds_url}/", "num_attempts": 1}
    credentials = InstanceMetadataFetcher(**options).retrieve_iam_role_credentials()
    assert credentials["role_name"] == "node-role" and credentials["access_key"] == cloud.keyring.current
    assert InstanceMetadataRegionFetcher(**options).retrieve_region() == "us-west-2"
    fetcher = IMDSFetcher(**options)
    token = fetcher._fetch_metadata_token()
    assert fetcher._get_request("latest/meta-data/mac", None, token=token).text == "02:00:00:00:01:00"
    assert cloud.counts("imds")["PUT api/token"] == 3 and {call.status for call in cloud.of("imds")} == {200}
    cloud.set(imds_tokens="disabled")
    assert InstanceMetadataFetcher(**options).retrieve_iam_role_credentials() == {}


def test_the_instance_role_from_metadata_to_a_call(cloud, monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", cloud.imds_url)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    ec2 = client(Session(), cloud)
    assert ec2.describe_instances()["Reservations"]
    assert cloud.of("ec2")[0].key == cloud.keyring.current


def test_a_web_identity(cloud, session, tmp_path, monkeypatch):
    cloud.web_token("eyJ.good", "system:serviceaccount:kube-system:aws-node")
    cloud.web_token("eyJ.old", "expired:x")
    cloud.keyring.roles = {"arn:aws:iam::123456789012:role/cni"}
    sts = client(session, cloud, "sts")
    arguments = {"RoleArn": "arn:aws:iam::123456789012:role/cni", "RoleSessionName": "cnix", "WebIdentityToken": "eyJ.good"}
    reply = sts.assume_role_with_web_identity(**arguments)
    assert reply["AssumedRoleUser"]["Arn"] == "arn:aws:sts::123456789012:assumed-role/cni/cnix"
    root = tree.fromstring("<x>" + re.sub(' xmlns="[^"]*"', "", Sts(cloud.keyring).answer(None, Sts.ACTION, arguments).body) + "</x>")
    shape = session.get_service_model("sts").operation_model(Sts.ACTION).output_shape
    result = root.find(f"{Sts.ACTION}Response/{Sts.ACTION}Result")
    for element in result.iter():
        element.tag = "{}" + element.tag
    assert unknown_elements(shape, result) == []
    given = reply["Credentials"]
    assert client(session, cloud, aws_access_key_id=given["AccessKeyId"], aws_secret_access_key=given["SecretAccessKey"],
                  aws_session_token=given["SessionToken"]).describe_instances()["Reservations"]
    assert code(sts.assume_role_with_web_identity, **arguments | {"WebIdentityToken": "nonsense"})[:2] == ("InvalidIdentityToken", 400)
    assert code(sts.assume_role_with_web_identity, **arguments | {"WebIdentityToken": "eyJ.old"})[:2] == ("ExpiredTokenException", 400)
    assert code(sts.assume_role_with_web_identity, **arguments | {"RoleArn": "arn:aws:iam::123456789012:role/x"})[:2] == \
        ("AccessDenied", 403)
    assert code(sts.assume_role_with_web_identity, **arguments, DurationSeconds=899 + 42302)[:2] == ("ValidationError", 400)
    assert cloud.count("sts") == 5


# curl signs by itself, too: the library of it is what cnix-ipamd calls.

@pytest.mark.parametrize("token", (False, True))
def test_curl(cloud, token):
    if shutil.which("curl") is None:
        pytest.skip("curl is missing (Debian: curl)")
    document = cloud.keyring.document()
    key = f"{document['AccessKeyId']}:{document['SecretAccessKey']}" if token else f"{KEY}:{SECRET}"
    command = ["curl", "-sS", "--max-time", "30", "--noproxy", "*", "--aws-sigv4", "aws:amz:us-west-2:ec2", "--user", key, "--data",
               urllib.parse.urlencode({"Action": "DescribeInstances", "Version": "2016-11-15"}), "--write-out", "%{http_code}", cloud.ec2_url]
    if token:
        command += ["--header", f"X-Amz-Security-Token: {document['Token']}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr, done.stdout[-3:]) == (0, "", "200"), done.stdout
    wrong = subprocess.run([*command, "--user", f"{key}x"], capture_output=True, text=True)
    assert "SignatureDoesNotMatch" in wrong.stdout and wrong.stdout.endswith("403")
