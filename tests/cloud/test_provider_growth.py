"""provider::ec2 against the fake cloud: ENIs that come and go, whose credentials sign, and how it stops."""

import re
import shutil
import ssl
import subprocess
import threading
import time

import pytest
from provider_probe import (CREATED, FIRST, INSTANCE, MADE_BY, NEVER, NEXT, OTHER, OWN, PRIMARY, ROLE, SECOND, ec2_calls, patience,
                            refused, start, state)

from support.fake_cloud import FakeCloud
from support.fake_cloud.keys import EXAMPLE
from support.fake_cloud.server import listen

__all__ = ["start"]

CLUSTER = "cluster.k8s.amazonaws.com/name"


def others(cloud) -> list:
    return [eni for id, eni in cloud.enis.items() if id != PRIMARY]


# ENIs that come.


def test_an_eni_of_a_cluster(start):
    cloud, probe = start(None, "--cluster", "blue", "--tag", "team=net", "--tag", "node.k8s.amazonaws.com/instance_id=other")
    told = probe("attach", 0, "ipv4", 4)
    eni, = others(cloud)
    assert (eni.attachment.instance, eni.attachment.device, eni.attachment.delete_on_termination) == (INSTANCE, 1, True)
    assert (eni.description, eni.groups) == (f"aws-K8S-{INSTANCE}", cloud.enis[PRIMARY].groups)
    assert eni.tags == {MADE_BY: INSTANCE, CREATED: told["created"], CLUSTER: "blue", "eks:eni:owner": "amazon-vpc-cni", "team": "net"}
    assert (told["id"], told["primary"], told["managed"]) == (eni.id, eni.addresses[0], True)
    assert sorted(told["cidrs"]) == sorted(f"{one}/32" for one in eni.addresses[1:]) and len(told["cidrs"]) == 4
    assert told == probe.look()[eni.id] == probe.look("verify")[eni.id]
    assert len(cloud.of("CreateNetworkInterface")[0].parameters["ClientToken"]) == 32


def test_an_eni_with_prefixes_of_both_families(start):
    cloud, probe = start(None, "--ipv6", "true")
    told = probe("attach", 0, "ipv4-prefix", 2, "ipv6-prefix", 1)
    eni, = others(cloud)
    assert sorted(told["cidrs"]) == sorted(eni.prefixes + eni.prefixes6) and (len(eni.prefixes), len(eni.prefixes6)) == (2, 1)


def test_other_cards_number_from_one(start):
    cloud, probe = start(state() | {"instance": {"id": INSTANCE, "type": "p4d.24xlarge"}}, "--multi-nic", "true")
    told = probe("attach", 2, "ipv4", 1)
    assert (told["card"], told["device"], told["managed"]) == (2, 1, True)


def test_the_metadata_show_it_late(start):
    cloud, probe = start()
    cloud.set(imds_delay=0.4)
    told = probe("attach", 0, "ipv4", 2)
    assert probe.seconds >= 0.4 and len(told["cidrs"]) == 2
    assert len(ec2_calls(probe)) == 5, "EC2 is not asked while the metadata are waited for"
    assert told["id"] in probe.look()


def test_the_metadata_never_show_it(start):
    cloud, probe = start(None, "--attach-timeout", "300")
    cloud.set(imds_stale=True)
    error = refused(probe, "attach", 0, "ipv4", 2)
    assert error.kind == "unavailable" and "metadata do not show it" in error.what
    assert others(cloud) == []
    assert "DetachNetworkInterface" in ec2_calls(probe) and "DeleteNetworkInterface" in ec2_calls(probe)


def test_the_metadata_show_it_without_its_addresses(start):
    cloud, probe = start(None, "--attach-timeout", "2000")
    probe("look")
    path = "meta-data/network/interfaces/macs/02:00:0a:00:00:{:02x}/local-ipv4s"
    for number in range(1, 30):  # the next ENI's MAC
        cloud.override(path.format(number), None)
    seen = threading.Event()

    def spoil():  # what is shown at first is its own address alone
        cloud.wait_for(lambda: others(cloud) and others(cloud)[0].attachment)
        with cloud.lock:
            cloud.imds.overrides.clear()
            cloud.override(f"meta-data/network/interfaces/macs/{others(cloud)[0].mac}/local-ipv4s", others(cloud)[0].addresses[0])
        seen.set()

    thread = threading.Thread(target=spoil)
    thread.start()
    told = probe("attach", 0, "ipv4", 2)
    thread.join()
    assert seen.is_set() and len(told["cidrs"]) == 2 and len(probe.notes) == 1


def test_a_device_number_that_the_metadata_do_not_know(start):
    cloud, probe = start()
    probe("look")
    cloud.set(imds_delay=0.3)
    cloud.add_eni(OTHER, INSTANCE, device=1)
    assert probe("attach", 0, "ipv4", 1)["device"] == 2
    assert ec2_calls(probe).count("AttachNetworkInterface") == 2


@pytest.mark.parametrize("action", ("AttachNetworkInterface", "ModifyNetworkInterfaceAttribute"))
def test_an_eni_that_cannot_be_used_is_deleted(start, action):
    cloud, probe = start()
    probe("look")
    cloud.deny(action)
    error = refused(probe, "attach", 0, "ipv4", 2)
    assert (error.kind, error.api) == ("unauthorized", action)
    assert others(cloud) == [] and probe.notes == []


def test_more_enis_than_the_instance_can_have(start):
    cloud, probe = start()
    cloud.set(eni_limit=1)
    error = refused(probe, "attach", 0, "ipv4", 2)
    assert (error.kind, error.code) == ("limit exceeded", "AttachmentLimitExceeded")
    assert others(cloud) == []


def test_an_eni_that_cannot_be_deleted_either_is_named(start):
    cloud, probe = start()
    cloud.deny("AttachNetworkInterface")
    cloud.deny("DeleteNetworkInterface")
    assert refused(probe, "attach", 0, "ipv4", 2).api == "AttachNetworkInterface"
    assert [others(cloud)[0].id in note and "DeleteNetworkInterface" in note for note in probe.notes] == [True]


def test_ec2_does_not_find_what_it_has_made(start):
    cloud, probe = start()
    cloud.set(hide_new_enis_reads=3)
    assert probe("attach", 0, "ipv4", 1)["device"] == 1


@pytest.mark.parametrize("how", ({"end": "close"}, {"end": "hang"}, {"code": "InternalError"}, {"body": "empty"}), ids=str)
@pytest.mark.parametrize("action", ("CreateNetworkInterface", "AttachNetworkInterface", "ModifyNetworkInterfaceAttribute"))
def test_a_lost_answer_makes_no_second_eni(start, action, how):
    cloud, probe = start(None, *patience(how))
    probe("look")
    cloud.fail(action, after=True, **how)
    told = probe("attach", 0, "ipv4", 3)
    eni, = others(cloud)
    assert told["id"] == eni.id and told["attachment"] == eni.attachment.id and len(told["cidrs"]) == 3
    assert eni.attachment.delete_on_termination


# Where they are.


def test_the_subnet_with_most_room_is_tried_first(start):
    cloud, probe = start()
    assert probe("attach", 0, "ipv4", 1)["subnet"] == OTHER, "the primary one's has an address less"
    cloud, probe = start(None, "--subnet-discovery", "false")
    assert probe("attach", 0, "ipv4", 1)["subnet"] == OWN
    assert "DescribeSubnets" not in ec2_calls(probe)
    cloud, probe = start(state(tags={"cni.networking.k8s.aws/cluster/green": ""}), "--cluster", "blue")
    assert probe("attach", 0, "ipv4", 1)["subnet"] == OWN


def test_the_next_subnet_is_tried(start):
    cloud, probe = start()
    probe("look")
    cloud.exhaust(OTHER)
    assert probe("attach", 0, "ipv4", 5)["subnet"] == OWN
    tokens = [call.parameters["ClientToken"] for call in cloud.of("CreateNetworkInterface")]
    assert len(tokens) == 2 and tokens[0] != tokens[1], "another request"


def test_less_than_was_asked_for(start):
    cloud, probe = start()
    probe("look")
    cloud.exhaust(OTHER, left=2)
    cloud.exhaust(OWN)
    assert len(probe("attach", 0, "ipv4", 5)["cidrs"]) == 1


def test_no_subnet_has_room(start):
    cloud, probe = start()
    for subnet in (OWN, OTHER):
        cloud.exhaust(subnet)
    error = refused(probe, "attach", 0, "ipv4", 5)
    assert (error.kind, error.code) == ("no addresses", "InsufficientFreeAddressesInSubnet")
    assert all(call.parameters["SubnetId"] != NEVER for call in cloud.of("CreateNetworkInterface"))
    assert others(cloud) == []


def test_no_subnet_is_for_enis(start):
    given = state()
    given["subnets"][0]["tags"] = {ROLE: "0"}
    given["subnets"][1]["tags"] = {}
    _, probe = start(given)
    error = refused(probe, "attach", 0, "ipv4", 1)
    assert error.kind == "no addresses" and ROLE in error.what and OWN in error.what


# ENIs that go.


def test_detaching(start):
    cloud, probe = start(state(FIRST, NEXT))
    probe("look")
    cloud.set(detach_delay=0.3)
    probe("detach", SECOND)
    assert SECOND not in cloud.enis and probe.seconds >= 0.3
    probe("detach", SECOND)
    assert ec2_calls(probe) == ["DescribeNetworkInterfaces"], "it does not exist: no error"
    assert probe.look().keys() == {PRIMARY}
    assert refused(probe, "detach", PRIMARY).kind == "other"
    assert probe.calls == [] and PRIMARY in cloud.enis


def test_detaching_what_nobody_looked_at(start):
    cloud, probe = start(state(FIRST, NEXT))
    probe("look")
    third = cloud.add_eni(OTHER, INSTANCE, device=2)["id"]
    probe("detach", third)
    assert cloud.enis.keys() == {PRIMARY, SECOND}


def test_detaching_what_was_attached_anew(start):
    cloud, probe = start(state(FIRST, NEXT))
    probe("look")
    with cloud.lock:
        cloud.enis[SECOND].attachment.id = "eni-attach-00000000000000099"
    probe("detach", SECOND)
    assert cloud.enis.keys() == {PRIMARY}


def test_detaching_what_is_another_instances(start):
    cloud, probe = start(state(FIRST, NEXT))
    probe("look")
    with cloud.lock:
        cloud.enis[SECOND].attachment.id, cloud.enis[SECOND].attachment.instance = "eni-attach-00000000000000099", "i-0000000000000000f"
    error = refused(probe, "detach", SECOND)
    assert error.kind == "other" and "i-0000000000000000f" in error.what
    assert SECOND in cloud.enis and cloud.enis[SECOND].attachment


def test_a_lost_answer_to_a_detach(start):
    cloud, probe = start(state(FIRST, NEXT))
    probe("look")
    for action in ("DetachNetworkInterface", "DeleteNetworkInterface"):
        cloud.fail(action, end="close", after=True)
    probe("detach", SECOND)
    assert cloud.enis.keys() == {PRIMARY}


def test_leaked_enis(start):
    old, young = {CREATED: "2026-01-01T00:00:00Z"}, {CREATED: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    ours = {MADE_BY: "i-0000000000000000f", CLUSTER: "blue"}
    def leaked(number, tags, **more):
        return {"id": f"eni-0000000000000010{number}", "subnet": OTHER, "tags": tags, "description": "aws-K8S-i-0000000000000000f"} | more
    cloud, probe = start(state(FIRST, leaked(1, ours | old), leaked(2, ours | young), leaked(3, ours), leaked(4, old | {CLUSTER: "blue"}),
                               leaked(5, ours | old | {CLUSTER: "red"}), leaked(6, ours | old, device=1),
                               leaked(7, ours | old, description="a database"), leaked(8, ours | old)), "--cluster", "blue")
    before = set(cloud.enis)
    cloud.fail("DeleteNetworkInterface", "InvalidNetworkInterfaceID.NotFound", where={"NetworkInterfaceId": "eni-00000000000000108"})
    assert probe("clean") == 1
    assert before - set(cloud.enis) == {"eni-00000000000000101"}
    assert CREATED in cloud.enis["eni-00000000000000103"].tags, "its age counts from now"
    assert probe("clean") == 1, "the one that another node seemed to have deleted"
    _, anyone = start(cloud)
    assert anyone("clean") == 1, "a daemon that knows no cluster takes those of all"
    assert "eni-00000000000000105" not in cloud.enis


def test_leaked_enis_by_pages(start):
    tags = {MADE_BY: INSTANCE, CREATED: "2026-01-01T00:00:00Z"}
    cloud, probe = start(state(FIRST, *({"subnet": OTHER, "tags": tags, "description": "aws-K8S-x"} for _ in range(7))))
    cloud.set(page=3)
    assert probe("clean") == 7
    assert cloud.enis.keys() == {PRIMARY}


# Who signs.


def test_the_instances_role(start):
    cloud, probe = start()
    probe("look")
    assert {call.key[:4] for call in cloud.of("ec2")} == {"ASIA"}
    assert cloud.count("meta-data/iam/security-credentials/node-role") == 1
    cloud.imds.role = ""
    _, fresh = start(cloud)
    error = refused(fresh, "look")
    assert error.kind == "unauthorized" and "role" in error.what


@pytest.mark.parametrize("codes", ("common", "ec2"))
def test_credentials_that_end_before_their_time(start, codes):
    cloud, probe = start()
    cloud.set(codes=codes)
    probe("look")
    first = cloud.of("ec2")[-1].key
    cloud.expire_credentials()
    probe("look", "verify")
    assert len(ec2_calls(probe)) == 2 and cloud.of("ec2")[-1].key != first


def test_credentials_are_renewed_before_they_end(start):
    cloud, probe = start()
    cloud.set(credentials_life=240)  # seconds: less than the time before their end at which new ones are fetched
    probe("look")
    path = "meta-data/iam/security-credentials/node-role"
    had = cloud.count(path)
    probe("look", "verify")
    assert cloud.count(path) == had + 1
    cloud.fail(f"imds:{path}", status=500, times=None)
    probe("look", "verify")
    assert len(probe.notes) == 1 and "could not be renewed" in probe.notes[0]
    assert "unauthorized" not in str(probe.calls)


@pytest.mark.parametrize("text", ("", "<html>", "{}", '{"Code": "Failed"}', '{"Code":"Success","AccessKeyId":"SECRETKEY","SecretAccessKey":'
                                  '"SECRETSECRET","Token":"SECRETTOKEN","Expiration":"soon"}', '{"Code":"Success","SecretAccessKey":"SECRETSECRET"}'))
def test_credentials_that_cannot_be(start, text):
    cloud, probe = start()
    cloud.override("meta-data/iam/security-credentials/node-role", text)
    error = refused(probe, "look")
    assert error.kind in ("nonsense", "unauthorized") and "iam/security-credentials/node-role" in error.what
    assert "SECRET" not in error.what + str(probe.calls) + str(probe.notes)


def test_credentials_of_the_environment(start):
    key = {"AWS_ACCESS_KEY_ID": EXAMPLE[0], "AWS_SECRET_ACCESS_KEY": EXAMPLE[1]}
    cloud, probe = start(environment=key)
    probe("look")
    assert {call.key for call in cloud.of("ec2")} == {EXAMPLE[0]}
    assert not any(call.action.startswith("meta-data/iam") for call in cloud.of("imds"))
    _, wrong = start(cloud, environment=key | {"AWS_SECRET_ACCESS_KEY": "wrong"})
    error = refused(wrong, "look")
    assert (error.kind, error.code) == ("unauthorized", "SignatureDoesNotMatch")
    _, half = start(cloud, environment={"AWS_ACCESS_KEY_ID": EXAMPLE[0]})
    assert "AWS_SECRET_ACCESS_KEY" in refused(half, "look").what
    life = cloud.keyring.issue(600)
    _, session = start(cloud, environment={"AWS_ACCESS_KEY_ID": life[0], "AWS_SECRET_ACCESS_KEY": life[1], "AWS_SESSION_TOKEN": life[2]})
    assert session("look")


def test_a_web_identity(start, tmp_path):
    file = tmp_path / "token"
    file.write_text("good\n")
    environment = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(file), "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/cni"}
    cloud, probe = start(environment=environment)
    cloud.web_token("good", "system:serviceaccount:kube-system:aws-node")
    cloud.web_token("rotated", "system:serviceaccount:kube-system:aws-node")
    cloud.web_token("old", "expired:it")
    probe("look")
    call, = cloud.of("sts")
    assert (call.parameters["RoleArn"], call.parameters["RoleSessionName"], call.key) == (environment["AWS_ROLE_ARN"], "cnix-ipamd", "")
    probe("look", "verify")
    assert cloud.count("sts") == 1
    file.write_text("rotated")
    cloud.expire_credentials()
    probe("look", "verify")
    assert cloud.of("sts")[-1].parameters["WebIdentityToken"] == "rotated"
    file.write_text("old")
    cloud.expire_credentials()
    error = refused(probe, "look", "verify")
    assert (error.kind, error.api, error.code) == ("unauthorized", "AssumeRoleWithWebIdentity", "ExpiredTokenException")
    file.unlink()
    assert str(file) in refused(probe, "look", "verify").what
    _, roleless = start(cloud, environment={"AWS_WEB_IDENTITY_TOKEN_FILE": str(file)})
    assert "AWS_ROLE_ARN" in refused(roleless, "look").what


def test_the_endpoint_of_the_environment(start):
    for name in ("AWS_ENDPOINT_URL_EC2", "AWS_EC2_ENDPOINT", "AWS_ENDPOINT_URL"):
        cloud, probe = start(None, ec2="", environment={"AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
        assert "http://127.0.0.1:1" in refused(probe, "look").what
        _, probe = start(cloud, ec2="", environment={name: cloud.ec2_url + "/"})
        assert probe("look")


class Tls(ssl.SSLSocket):
    """A listener that takes it when clients do not like its certificate."""

    def accept(self):
        while True:
            try:
                return super().accept()
            except (ssl.SSLError, ConnectionError):
                pass


@pytest.mark.parametrize("of, trusted, taken", (("127.0.0.2", True, True), ("127.0.0.2", False, False), ("127.0.0.3", True, False)))
def test_who_answers_is_checked(start, tmp_path, of, trusted, taken):
    """Over TLS, by the certificate; the metadata service has none."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                    "/CN=cloud", "-addext", f"subjectAltName=IP:{of}", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    tls.sslsocket_class = Tls
    secured = lambda at: tls.wrap_socket(listen(at), server_side=True) if at.startswith("127.0.0.2") else listen(at)
    with FakeCloud(state(), ec2="127.0.0.2:0", listen=secured) as cloud:
        _, probe = start(cloud, ec2=cloud.ec2_url.replace("http:", "https:"),
                         environment={"AWS_CA_BUNDLE": str(certificate)} if trusted else {})
        if taken:
            assert probe("look")
        else:
            error = refused(probe, "look")
            assert error.kind == "unavailable" and re.search("certificate|subject name", error.what) and cloud.count("ec2") == 0
        probe.close()


# How it stops.


@pytest.mark.parametrize("words, target, how", (
    (("look",), "imds:dynamic/*", {"end": "hang"}),
    (("look", "verify"), "DescribeNetworkInterfaces", {"end": "hang"}),
    (("look", "verify"), "DescribeNetworkInterfaces", {"code": "RequestLimitExceeded"}),
    (("attach", 0, "ipv4", 1), "imds:meta-data/network/interfaces/macs/02:00:0a*", {"status": 404}),
    (("detach", SECOND), "DeleteNetworkInterface", {"code": "InvalidNetworkInterface.InUse"}),
), ids=lambda value: None if isinstance(value, dict) else str(value))
def test_a_stop_is_obeyed_within_two_seconds(start, words, target, how):
    cloud, probe = start(state(FIRST, NEXT), "--timeout", "60000", "--retry", "10000", "--attach-timeout", "60000")
    probe("look")
    fault = cloud.fail(target, times=None, **how)
    probe.start(*words)
    cloud.wait_for(lambda: fault.hit > 0)
    time.sleep(0.1)
    asked = time.monotonic()
    probe.stop()
    with pytest.raises(Exception) as caught:
        probe.finish()
    assert caught.value.kind == "stopped" and time.monotonic() - asked < 2
