"""The fake's signatures, and what it says of wrong ones."""

import http.client
import time
import urllib.parse

import pytest

from support.fake_cloud import client, signature
from support.fake_cloud.errors import Refusal
from support.fake_cloud.keys import EXAMPLE

KEY, SECRET = EXAMPLE
BODY = b"Action=DescribeInstances&Version=2016-11-15"
HEADERS = {"host": "ec2.us-west-2.amazonaws.com", "content-type": "application/x-www-form-urlencoded; charset=utf-8",
           "x-amz-date": "20261122T133900Z"}


def test_the_vector():
    """Of botocore 1.43.11's signer."""
    canonical = signature.canonical_request("POST", "/", HEADERS, ["content-type", "host", "x-amz-date"], BODY)
    assert canonical.splitlines()[-1] == "6171eb09865e32b0602af0f7957e26573a51f53caaedff02ff88883cb0275885"
    assert signature.sha256(canonical) == "7c7d5079f36e1c9910cad2c48f03e2e6b8333336cc43c058ad91c7819925f4c5"
    assert signature.signature(SECRET, HEADERS["x-amz-date"], "us-west-2", "ec2", canonical) == \
        "447f72756d0e1a0c11c9ab3d0aa47997646388e9d11be5cd776f3eb2f682da94"


def code(cloud, **options) -> str:
    try:
        client.call(cloud.ec2_url, "DescribeInstances", **options)
        return ""
    except Refusal as refusal:
        assert refusal.status == {"AuthFailure": 401, "RequestExpired": 400}.get(refusal.code, 403)
        return refusal.code


def session(cloud, **change) -> dict:
    document = cloud.keyring.document()
    return {"key": document["AccessKeyId"], "secret": document["SecretAccessKey"], "token": document["Token"]} | change


WRONG = {"secret": ({"secret": "other"}, "SignatureDoesNotMatch", "AuthFailure"),
         "key": ({"key": "AKIDNOBODY"}, "InvalidClientTokenId", "AuthFailure"),
         "no token": ({"token": ""}, "InvalidClientTokenId", "AuthFailure"),
         "other token": ({"token": "other"}, "InvalidClientTokenId", "AuthFailure"),
         "region": ({"region": "eu-west-1"}, "SignatureDoesNotMatch", "AuthFailure")}


@pytest.mark.parametrize("codes", ("common", "ec2"))
@pytest.mark.parametrize("case", WRONG)
def test_wrong_credentials(cloud, case, codes):
    change, common, ec2 = WRONG[case]
    cloud.set(codes=codes)
    assert code(cloud, **session(cloud)) == ""
    assert code(cloud, **session(cloud, **change)) == (common if codes == "common" else ec2)
    assert [call.error for call in cloud.of("ec2")] == ["", common if codes == "common" else ec2]


@pytest.mark.parametrize("codes, expired", (("common", "ExpiredToken"), ("ec2", "RequestExpired")))
def test_credentials_end(cloud, codes, expired):
    cloud.set(codes=codes)
    old = session(cloud)
    cloud.expire_credentials()
    assert code(cloud, **old) == expired
    assert code(cloud, **session(cloud)) == ""
    assert [call.key for call in cloud.of("ec2")] == [old["key"], session(cloud)["key"]]


@pytest.mark.parametrize("skew, expected", ((880, ""), (-880, ""), (920, "RequestExpired"), (-920, "RequestExpired")))
def test_a_clock_that_is_wrong(cloud, skew, expected):
    cloud.set(skew=skew)
    assert code(cloud) == expected


def test_credentials_are_renewed_in_time(cloud):
    cloud.set(credentials_life=100)
    first = session(cloud)
    cloud.set(skew=85)
    assert session(cloud) == first
    cloud.set(skew=95)
    assert session(cloud) != first
    assert code(cloud, **first) == "", "the old ones are good to their end"
    cloud.set(skew=101)
    assert code(cloud, **first) == "ExpiredToken"


def send(cloud, change) -> tuple[int, str]:
    """A signed request, changed after signing: change(headers)."""
    where = urllib.parse.urlsplit(cloud.ec2_url)
    headers = signature.authorization(KEY, SECRET, "", "us-west-2", "ec2", time.strftime(signature.DATE, time.gmtime()), "POST", "/",
                                      {"host": where.netloc}, BODY)
    body = change(headers) or BODY
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
    connection.request("POST", "/", body, headers)
    reply = connection.getresponse()
    text = reply.read().decode()
    connection.close()
    return reply.status, text.partition("<Code>")[2].partition("<")[0]


@pytest.mark.parametrize("change, expected", (
    (lambda headers: None, (200, "")),
    (lambda headers: BODY + b"&DryRun=true", (403, "SignatureDoesNotMatch")),
    (lambda headers: headers.update({"x-amz-date": "20261122T133900Z"}), (403, "SignatureDoesNotMatch")),
    (lambda headers: headers.update({"x-amz-target": "x"}), (403, "SignatureDoesNotMatch")),
    (lambda headers: headers.pop("x-amz-date") and None, (400, "IncompleteSignature")),
    (lambda headers: headers.pop("authorization") and None, (403, "MissingAuthenticationToken")),
    (lambda headers: headers.update(authorization="AWS4-HMAC-SHA256 nonsense"), (400, "IncompleteSignature")),
    (lambda headers: headers.update(authorization=headers["authorization"].replace("/ec2/", "/s3/")), (403, "SignatureDoesNotMatch")),
    (lambda headers: headers.update(authorization=headers["authorization"].replace("host;", "")), (403, "SignatureDoesNotMatch")),
))
def test_what_was_changed_on_the_way(cloud, change, expected):
    assert send(cloud, change) == expected


def test_sorting_and_quoting():
    canonical = signature.canonical_request("GET", "/a%20b/?b=2&a=x%20y&a=%7E", {"host": " h  x "}, ["host"], b"")
    assert canonical.splitlines()[:4] == ["GET", "/a%2520b/", "a=x%20y&a=~&b=2", "host:h x"]
