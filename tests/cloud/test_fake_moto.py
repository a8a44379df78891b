"""The fake beside moto, which is others' work: the same calls have replies of the same shape."""

import pytest
from cloud_node import STATE

from support.fake_cloud import FakeCloud
from support.fake_cloud.keys import EXAMPLE

pytest.importorskip("botocore", reason="python3-botocore is not installed")
moto_server = pytest.importorskip("moto.server", reason="moto (PyPI: moto[server,ec2]) is not installed")

from botocore.config import Config  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402
from botocore.session import Session  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

# Of what an address daemon reads; moto takes prefixes for nothing, and its ENIs here have no IPv6.
MOTO_LACKS = {"Ipv4Prefixes", "Ipv6Prefixes", "Ipv6Addresses", "Ipv6CidrBlockAssociationSet", "ClientToken"}


class Cloud:
    """One of the two, with a VPC, a subnet and an instance."""

    def __init__(self, url: str, subnet: str, instance: str):
        self.ec2 = make_client(url)
        self.subnet, self.instance = subnet, instance
        self.replies = {}

    def ask(self, operation: str, **parameters):
        reply = getattr(self.ec2, operation)(**parameters)
        reply.pop("ResponseMetadata")
        self.replies[operation] = reply
        return reply

    def refused(self, operation: str, **parameters) -> tuple[int, str]:
        with pytest.raises(ClientError) as caught:
            getattr(self.ec2, operation)(**parameters)
        return caught.value.response["ResponseMetadata"]["HTTPStatusCode"], caught.value.response["Error"]["Code"]


def make_client(url: str):
    session = Session()
    session.set_credentials(*EXAMPLE)
    return session.create_client("ec2", "us-west-2", endpoint_url=url, config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture(scope="module")
def clouds():
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://%s:%d" % server.get_host_and_port()
    ec2 = make_client(url)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZone="us-west-2a")["Subnet"]["SubnetId"]
    image = ec2.describe_images()["Images"][0]["ImageId"]
    instance = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="m5.large", SubnetId=subnet)["Instances"][0]
    with FakeCloud(STATE) as fake:
        both = Cloud(fake.ec2_url, STATE["subnets"][0]["id"], STATE["instance"]["id"]), Cloud(url, subnet, instance["InstanceId"])
        yield both
        for client in (ec2, *(cloud.ec2 for cloud in both)):
            client.close()
    server.stop()


def use(cloud: Cloud) -> None:
    """The calls of growth and shrinking."""
    eni = cloud.ask("create_network_interface", SubnetId=cloud.subnet, Description="aws-K8S-i", SecondaryPrivateIpAddressCount=2,
                    TagSpecifications=[{"ResourceType": "network-interface", "Tags": [{"Key": "a", "Value": "b"}]}])
    id = eni["NetworkInterface"]["NetworkInterfaceId"]
    attachment = cloud.ask("attach_network_interface", DeviceIndex=5, InstanceId=cloud.instance, NetworkInterfaceId=id)["AttachmentId"]
    cloud.ask("modify_network_interface_attribute", NetworkInterfaceId=id,
              Attachment={"AttachmentId": attachment, "DeleteOnTermination": True})
    given = cloud.ask("assign_private_ip_addresses", NetworkInterfaceId=id, SecondaryPrivateIpAddressCount=2)
    cloud.ask("unassign_private_ip_addresses", NetworkInterfaceId=id,
              PrivateIpAddresses=[given["AssignedPrivateIpAddresses"][-1]["PrivateIpAddress"]])
    cloud.ask("create_tags", Resources=[id], Tags=[{"Key": "k", "Value": "v"}])
    cloud.ask("describe_network_interfaces", NetworkInterfaceIds=[id])
    cloud.ask("describe_instances", InstanceIds=[cloud.instance])
    cloud.ask("describe_instance_types", InstanceTypes=["m5.large"])
    cloud.ask("describe_subnets", SubnetIds=[cloud.subnet])
    cloud.ask("describe_tags", Filters=[{"Name": "resource-id", "Values": [id]}])
    cloud.ask("describe_security_groups")
    cloud.ask("detach_network_interface", AttachmentId=attachment)
    cloud.ask("delete_network_interface", NetworkInterfaceId=id)


def shape(value, path: str = "") -> dict[str, str]:
    """The kinds of what is in a reply, by path; lists by their first element."""
    if isinstance(value, dict):
        return {key: kind for name, one in value.items() for key, kind in shape(one, f"{path}/{name}").items()}
    if isinstance(value, list):
        return {f"{path}[]": "list"} | (shape(value[0], f"{path}[]") if value else {})
    return {path: type(value).__name__}


def test_replies_have_the_same_shape(clouds):
    for cloud in clouds:
        use(cloud)
    fake, moto = clouds
    assert list(fake.replies) == list(moto.replies)
    for operation in fake.replies:
        ours, theirs = shape(fake.replies[operation]), shape(moto.replies[operation])
        assert {path: kind for path, kind in ours.items() if theirs.get(path, kind) != kind} == {}
        more = {path for path in ours.keys() - theirs.keys() if not path.endswith("[]")}  # an empty list is left out by some
        assert {path for path in more if MOTO_LACKS.isdisjoint(path.replace("[]", "").split("/"))} == set(), operation


FIELDS = {
    "describe_network_interfaces": ("NetworkInterfaceId MacAddress PrivateIpAddress SubnetId VpcId Description Status InterfaceType "
                                    "Attachment/AttachmentId Attachment/DeviceIndex Attachment/NetworkCardIndex Attachment/InstanceId "
                                    "Attachment/Status Attachment/DeleteOnTermination PrivateIpAddresses[]/PrivateIpAddress "
                                    "PrivateIpAddresses[]/Primary Groups[]/GroupId Groups[]/GroupName TagSet[]/Key TagSet[]/Value"),
    "describe_subnets": "SubnetId VpcId CidrBlock AvailabilityZone AvailableIpAddressCount",
    "describe_instance_types": ("InstanceType BareMetal Hypervisor NetworkInfo/MaximumNetworkInterfaces NetworkInfo/Ipv4AddressesPerInterface "
                                "NetworkInfo/Ipv6AddressesPerInterface NetworkInfo/MaximumNetworkCards NetworkInfo/DefaultNetworkCardIndex "
                                "NetworkInfo/NetworkCards[]/NetworkCardIndex NetworkInfo/NetworkCards[]/MaximumNetworkInterfaces"),
}
ROOTS = {"describe_network_interfaces": "NetworkInterfaces", "describe_subnets": "Subnets", "describe_instance_types": "InstanceTypes"}


@pytest.mark.parametrize("operation", FIELDS)
def test_what_the_daemon_reads_is_in_both(clouds, operation):
    for cloud in clouds:
        if not cloud.replies:
            use(cloud)
        found = shape(cloud.replies[operation][ROOTS[operation]])
        assert {f"[]/{name}" for name in FIELDS[operation].split()} <= set(found)


@pytest.mark.parametrize("operation, parameters", (
    ("describe_network_interfaces", {"NetworkInterfaceIds": ["eni-0123456789abcdef0"]}),
    ("delete_network_interface", {"NetworkInterfaceId": "eni-0123456789abcdef0"}),
    ("create_network_interface", {"SubnetId": "subnet-0123456789abcdef0"}),
    ("describe_subnets", {"SubnetIds": ["subnet-0123456789abcdef0"]}),
    ("describe_instances", {"InstanceIds": ["i-0123456789abcdef0"]}),
    ("describe_instance_types", {"InstanceTypes": ["m5.none"]}),
    ("detach_network_interface", {"AttachmentId": "eni-attach-0123456789abcdef0"}),
    ("describe_security_groups", {"GroupIds": ["sg-0123456789abcdef0"]}),
))
def test_errors_are_the_same(clouds, operation, parameters):
    fake, moto = (cloud.refused(operation, **parameters) for cloud in clouds)
    assert fake == moto and fake[0] == 400


def test_limits_of_an_instance_are_the_same(clouds):
    """moto has EC2's own tables."""
    fake, moto = clouds
    types = {one.name for one in FakeCloud(imds="", ec2="").cloud.types.values()}

    def limits(cloud):
        return {one["InstanceType"]: [one["BareMetal"], one.get("Hypervisor")] + [one["NetworkInfo"].get(name) for name in (
                "MaximumNetworkInterfaces", "Ipv4AddressesPerInterface", "Ipv6AddressesPerInterface", "MaximumNetworkCards", "NetworkCards")]
                for one in cloud.ask("describe_instance_types", InstanceTypes=sorted(types))["InstanceTypes"]}

    theirs = limits(moto)
    for type, ours in limits(fake).items():
        cards = lambda found: [{key: one[key] for key in ("NetworkCardIndex", "MaximumNetworkInterfaces")} for one in found]
        assert ours[:6] + [cards(ours[6])] == theirs[type][:6] + [cards(theirs[type][6])], type
