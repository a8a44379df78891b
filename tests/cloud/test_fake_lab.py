"""The fake cloud of a lab: what EC2 attaches and assigns is there, on the wire and in the metadata."""

import json
import threading
import urllib.request

import pytest

from support.eni_lab import EniLab
from support.fake_cloud import client
from support.fake_cloud.lab import LabCloud, lab_state
from support.namespace import Namespace


@pytest.fixture
def lab():
    node = Namespace("node")
    lab = EniLab(node)
    lab.enis[1].assign("10.0.2.55", "10.0.2.64/28")
    yield lab
    lab.close()
    node.close()


@pytest.fixture
def cloud(lab):
    with LabCloud(lab, frozen_clock=True) as cloud:
        yield cloud


def imds(lab, path: str) -> str:
    """As a program of the node reads it, at the well-known address."""
    def get():
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        put = urllib.request.Request("http://169.254.169.254/latest/api/token", method="PUT",
                                     headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
        token = opener.open(put, timeout=30).read().decode()
        return opener.open(urllib.request.Request(f"http://169.254.169.254/latest/meta-data/{path}",
                                                  headers={"X-aws-ec2-metadata-token": token}), timeout=30).read().decode()
    return lab.node.inside(get)


def ask(lab, cloud, action: str, **parameters):
    return lab.node.inside(lambda: client.call(cloud.ec2_url, action, **parameters))


def grow(lab, cloud, subnet: int = 0, device: int = 2) -> str:
    """Its id."""
    eni = ask(lab, cloud, "CreateNetworkInterface", SubnetId=list(cloud.cloud.subnets)[subnet],
              SecondaryPrivateIpAddressCount=2).findtext("networkInterface/networkInterfaceId")
    ask(lab, cloud, "AttachNetworkInterface", DeviceIndex=device, InstanceId=cloud.cloud.self_id, NetworkInterfaceId=eni)
    return eni


def test_the_metadata_is_the_labs(lab, cloud):
    for eni in lab.enis:
        below = f"network/interfaces/macs/{eni.mac}/"
        assert (imds(lab, below + "interface-id"), imds(lab, below + "device-number")) == (eni.id, str(eni.device))
        assert imds(lab, below + "subnet-ipv4-cidr-block") == str(eni.subnet4)
    assert imds(lab, below + "local-ipv4s") == "10.0.2.10\n10.0.2.55"
    assert imds(lab, below + "ipv4-prefix") == "10.0.2.64/28"
    assert imds(lab, "mac") == lab.enis[0].mac


def set_up(lab, eni) -> None:
    """As the driver of upstream's daemon does."""
    lab.node.ip(f"link set {eni.interface} up")
    lab.node.ip(f"addr add {eni.primary4}/24 dev {eni.interface} noprefixroute")
    lab.node.ip(f"route replace {eni.gateway4} dev {eni.interface} scope link table {eni.table}")
    lab.node.ip(f"route replace default via {eni.gateway4} dev {eni.interface} table {eni.table}")


@pytest.mark.parametrize("subnet", (0, 1))
def test_pods_on_an_eni_that_was_attached_reach_the_instance(lab, cloud, subnet):
    """Also if it shares the subnet of another: the router takes what comes from its addresses from it alone."""
    cloud.set(attach_delay=10)
    id = grow(lab, cloud, subnet)
    mac = cloud.enis[id].mac
    assert mac not in {link["address"] for link in lab.node.links().values()}
    cloud.advance(10)
    assert next(link for link in lab.node.links().values() if link["address"] == mac)["ifname"] == "eth2"
    eni = lab.enis[2]
    assert imds(lab, f"network/interfaces/macs/{mac}/local-ipv4s").split() == [eni.primary4, *eni.assigned]
    more = ask(lab, cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=id,
               SecondaryPrivateIpAddressCount=1).findtext("assignedPrivateIpAddressesSet/item/privateIpAddress")
    set_up(lab, eni)
    for address in (cloud.enis[id].addresses[1], more):
        pod = lab.pod(eni, address)
        pod.run("ping", "-c1", "-W5", lab.instance.address4)
    ask(lab, cloud, "UnassignPrivateIpAddresses", NetworkInterfaceId=id, PrivateIpAddress__1=more)
    assert pod.run("ping", "-c1", "-W1", lab.instance.address4, check=False).returncode != 0, "the cloud brings it nothing any more"


def test_what_is_detached_is_gone(lab, cloud):
    cloud.set(detach_delay=5)
    ask(lab, cloud, "DetachNetworkInterface", AttachmentId=cloud.enis[lab.enis[1].id].attachment.id)
    assert "eth1" in lab.node.links()
    cloud.advance(5)
    assert "eth1" not in lab.node.links() and len(lab.enis) == 1
    grow(lab, cloud, subnet=1, device=1)
    assert lab.node.link("eth1")["address"] == lab.enis[1].mac


def test_by_other_means(lab, cloud):
    """What happens in the console."""
    cloud.assign(lab.enis[1].id, "10.0.2.99")
    assert "10.0.2.99" in lab.enis[1].assigned and lab.vpc.ip("route show 10.0.2.99").stdout
    cloud.add_eni(0, cloud.cloud.self_id, addresses6=["fd00:0:0:1::77"])
    assert lab.node.link("eth2")
    cloud.remove_eni(lab.enis[2].id)
    assert not lab.node.link("eth2")


def test_both_families(lab):
    with LabCloud(lab, lab_state(lab, families=(4, 6), spare_subnets=1)) as cloud:
        eni = cloud.enis[lab.enis[0].id]
        assert imds(lab, f"network/interfaces/macs/{eni.mac}/ipv6s") == lab.enis[0].primary6
        prefix = ask(lab, cloud, "AssignIpv6Addresses", NetworkInterfaceId=eni.id,
                     Ipv6PrefixCount=1).findtext("assignedIpv6PrefixSet/item")
        assert prefix in lab.vpc.ip("-6 route show dev eni0").stdout and len(cloud.cloud.subnets) == 3


def test_an_attach_takes_no_one_elses_time(lab, cloud):
    """Control and metadata answer while calls are held."""
    cloud.fail("AttachNetworkInterface", hold=True)
    thread = threading.Thread(target=grow, args=(lab, cloud))
    thread.start()
    cloud.wait_for(lambda: cloud.waiting() == 1)
    assert imds(lab, "mac") == lab.enis[0].mac and len(lab.enis) == 2
    cloud.release()
    thread.join()
    assert json.loads(cloud.control('{"call": "count", "args": ["ec2"]}')[1]) == 2 and len(lab.enis) == 3
