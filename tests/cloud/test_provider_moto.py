"""provider::ec2 against moto, which is others' work: the protocol as they read it. The metadata are our fake's, told to be of moto's
instance."""

import threading
import time

import pytest
from provider_probe import refused, start

from support.fake_cloud import FakeCloud
from support.fake_cloud.keys import EXAMPLE

__all__ = ["start"]

pytest.importorskip("botocore", reason="python3-botocore is not installed")
moto_server = pytest.importorskip("moto.server", reason="moto (PyPI: moto[server,ec2]) is not installed")

from botocore.config import Config  # noqa: E402
from botocore.session import Session  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::DeprecationWarning")


class Node:
    """An instance of moto's, and metadata that tell of it."""

    def __init__(self, url: str):
        session = Session()
        session.set_credentials(*EXAMPLE)
        self.url, self.ec2 = url, session.create_client("ec2", "us-west-2", endpoint_url=url, config=Config(retries={"total_max_attempts": 1}))
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZone="us-west-2a")["Subnet"]["SubnetId"]
        image = self.ec2.describe_images()["Images"][0]["ImageId"]
        self.instance = self.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="m5.large",
                                               SubnetId=subnet)["Instances"][0]["InstanceId"]
        eni = self.enis()[0]
        self.primary = eni["NetworkInterfaceId"]
        self.cloud = FakeCloud({"vpc": {"id": vpc, "ipv4": ["10.0.0.0/16"]}, "subnets": [{"id": subnet, "ipv4": "10.0.1.0/24"}],
                                "groups": [{"id": one["GroupId"]} for one in eni["Groups"]],
                                "instance": {"id": self.instance, "type": "m5.large"},
                                "enis": [self.as_given(eni)]}, ec2="")

    def enis(self) -> list[dict]:
        return self.ec2.describe_network_interfaces(Filters=[{"Name": "attachment.instance-id", "Values": [self.instance]}])["NetworkInterfaces"]

    def eni(self, id: str) -> dict:
        return self.ec2.describe_network_interfaces(NetworkInterfaceIds=[id])["NetworkInterfaces"][0]

    @staticmethod
    def addresses(eni: dict) -> list[str]:
        return [one["PrivateIpAddress"] for one in sorted(eni["PrivateIpAddresses"], key=lambda one: not one["Primary"])]

    def as_given(self, eni: dict) -> dict:
        return {"id": eni["NetworkInterfaceId"], "mac": eni["MacAddress"], "device": eni["Attachment"]["DeviceIndex"],
                "addresses": list(dict.fromkeys(self.addresses(eni)))}

    def show_new(self, stop: threading.Event) -> None:
        """The metadata tell of what moto attaches."""
        while not stop.wait(0.05):
            for eni in self.enis():
                if eni["NetworkInterfaceId"] not in self.cloud.enis:
                    self.cloud.add_eni(0, self.instance, **self.as_given(eni))


@pytest.fixture(scope="module")
def moto():
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://%s:%d" % server.get_host_and_port()
    server.stop()


@pytest.fixture
def node(moto):
    node = Node(moto)
    yield node
    node.cloud.close()


@pytest.fixture
def probe(start, node):
    return start(node.cloud, "--cluster", "blue", "--timeout", "20000", ec2=node.url,
                 environment={"AWS_ACCESS_KEY_ID": EXAMPLE[0], "AWS_SECRET_ACCESS_KEY": EXAMPLE[1]})[1]


def test_what_the_node_has(node, probe):
    eni = probe.look()[node.primary]
    real = node.eni(node.primary)
    assert (eni["attachment"], eni["groups"]) == (real["Attachment"]["AttachmentId"], [one["GroupId"] for one in real["Groups"]])
    assert probe("limits") == {"enis": 3, "ipv4": 10, "ipv6": 10, "prefixes": True, "cards": [3]}


def test_addresses_come_and_go(node, probe):
    probe("look")
    first = probe("assign", node.primary, "ipv4", 4)
    assert {f"{one}/32" for one in node.addresses(node.eni(node.primary))[1:]} == set(first)
    second = probe("assign", node.primary, "ipv4", 3)
    assert second and not set(first) & set(second), "though moto replies with all of them, its own one too"
    probe("unassign", node.primary, *first)
    assert {f"{one}/32" for one in node.addresses(node.eni(node.primary))[1:]} == set(second)


def test_an_eni_comes_and_goes(node, probe):
    probe("look")
    stop = threading.Event()
    shower = threading.Thread(target=node.show_new, args=(stop,))
    shower.start()
    try:
        told = probe("attach", 0, "ipv4", 3)
    finally:
        stop.set()
        shower.join()
    real = node.eni(told["id"])
    assert real["Attachment"]["InstanceId"] == node.instance and real["Attachment"]["DeviceIndex"] == told["device"] == 1
    tags = {one["Key"]: one["Value"] for one in real["TagSet"]}
    assert tags["node.k8s.amazonaws.com/instance_id"] == node.instance and tags["cluster.k8s.amazonaws.com/name"] == "blue"
    assert set(told["cidrs"]) == {f"{one}/32" for one in node.addresses(real)[1:]}
    probe("detach", told["id"])
    assert [one["NetworkInterfaceId"] for one in node.enis()] == [node.primary]
    probe("detach", told["id"])


def test_errors(node, probe):
    probe("look")
    node.cloud.add_eni(0, node.instance, id="eni-0123456789abcdef0", device=1, addresses=["10.0.1.200"])
    assert probe.look().keys() == {node.primary}, "EC2 knows it not"
    assert len(probe.notes) == 1
    node.cloud.override("dynamic/instance-identity/document",
                        '{"instanceId": "%s", "instanceType": "m5.none", "region": "us-west-2", "availabilityZone": "us-west-2a"}' % node.instance)
    probe("look")
    error = refused(probe, "limits")
    assert (error.kind, error.api, error.code) == ("other", "DescribeInstanceTypes", "InvalidInstanceType")


def test_leaked_enis(node, probe):
    probe("look")
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))
    tags = {"node.k8s.amazonaws.com/instance_id": "i-0123456789abcdef0", "node.k8s.amazonaws.com/createdAt": made,
            "cluster.k8s.amazonaws.com/name": "blue"}
    subnet = node.eni(node.primary)["SubnetId"]
    leaked, other = (node.ec2.create_network_interface(
        SubnetId=subnet, Description="aws-K8S-i-0123456789abcdef0", TagSpecifications=[
            {"ResourceType": "network-interface", "Tags": [{"Key": key, "Value": value} for key, value in (tags | more).items()]}])
        ["NetworkInterface"]["NetworkInterfaceId"] for more in ({}, {"cluster.k8s.amazonaws.com/name": "red"}))
    assert probe("clean") == 1
    there = {one["NetworkInterfaceId"] for one in node.ec2.describe_network_interfaces()["NetworkInterfaces"]}
    assert leaked not in there and other in there
