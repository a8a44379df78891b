"""AWS Signature Version 4, computed and checked. Nothing of it is an SDK's."""

import datetime
import hashlib
import hmac
import re
from urllib.parse import parse_qsl, quote

from .errors import Refusal

MAX_SKEW = 900  # seconds
DATE = "%Y%m%dT%H%M%SZ"
_AUTHORIZATION = re.compile(r"AWS4-HMAC-SHA256\s+Credential=([^,\s/]+)/(\d{8})/([^,\s/]+)/([^,\s/]+)/aws4_request,\s*"
                            r"SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})\s*")
# What EC2's endpoint says where the other services say the former.
EC2_CODES = {"SignatureDoesNotMatch": "AuthFailure", "InvalidClientTokenId": "AuthFailure", "ExpiredToken": "RequestExpired"}


def sha256(data: bytes | str) -> str:
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def canonical_request(method: str, target: str, headers: dict[str, str], signed: list[str], body: bytes) -> str:
    """`headers` has lower-case names."""
    path, _, query = target.partition("?")
    arguments = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~"))
                       for name, value in parse_qsl(query, keep_blank_values=True))
    # Of all services but S3 the path is quoted once more than it is sent.
    return "\n".join((method, quote(path, safe="/-_.~") or "/", "&".join(f"{name}={value}" for name, value in arguments),
                      *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed), "", ";".join(signed), sha256(body)))


def signature(secret: str, stamp: str, region: str, service: str, canonical: str) -> str:
    """`stamp` as in x-amz-date."""
    text = "\n".join(("AWS4-HMAC-SHA256", stamp, f"{stamp[:8]}/{region}/{service}/aws4_request", sha256(canonical)))
    key = f"AWS4{secret}".encode()
    for part in (stamp[:8], region, service, "aws4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


def key_of(request) -> str:
    """The access key that it says it is signed with."""
    parts = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    return parts[1] if parts else ""


def authorization(key: str, secret: str, token: str, region: str, service: str, stamp: str, method: str, target: str,
                  headers: dict[str, str], body: bytes) -> dict[str, str]:
    """The headers of a signed request; `headers` has lower-case names, `host` among them."""
    headers = headers | {"x-amz-date": stamp} | ({"x-amz-security-token": token} if token else {})
    signed = sorted(headers)
    value = signature(secret, stamp, region, service, canonical_request(method, target, headers, signed, body))
    return headers | {"authorization": f"AWS4-HMAC-SHA256 Credential={key}/{stamp[:8]}/{region}/{service}/aws4_request, "
                                       f"SignedHeaders={';'.join(signed)}, Signature={value}"}


def check(request, credentials, region: str, service: str, now: float) -> str:
    """The access key that signed the request. `credentials` tells of a key (secret, session token or "", its end or None) or None.
    Raises Refusal."""
    given = request.headers.get("authorization")
    if not given:
        raise Refusal("MissingAuthenticationToken")
    parts = _AUTHORIZATION.fullmatch(given)
    stamp = request.headers.get("x-amz-date", "")
    if not parts or not re.fullmatch(r"\d{8}T\d{6}Z", stamp):
        raise Refusal("IncompleteSignature")
    key, day, scope_region, scope_service, names, claimed = parts.groups()
    signed = names.split(";")
    if "host" not in signed or signed != sorted(signed):
        raise Refusal("SignatureDoesNotMatch", "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    if missing := [name for name in request.headers if name.startswith("x-amz-") and name not in signed]:
        raise Refusal("SignatureDoesNotMatch", f"There were headers present in the request which were not signed: {missing}")
    if (scope_region, scope_service, day) != (region, service, stamp[:8]):
        raise Refusal("SignatureDoesNotMatch", f"Credential should be scoped to a valid region: '{region}', service: '{service}' "
                                               f"and date: '{stamp[:8]}'")
    at = datetime.datetime.strptime(stamp, DATE).replace(tzinfo=datetime.timezone.utc).timestamp()
    known = credentials(key)
    if known is None:
        raise Refusal("InvalidClientTokenId")
    secret, token, end = known
    if request.headers.get("x-amz-security-token", "") != token:
        raise Refusal("InvalidClientTokenId")
    expected = signature(secret, stamp, region, service,
                         canonical_request(request.method, request.target, request.headers, signed, request.body))
    if not hmac.compare_digest(expected, claimed):
        raise Refusal("SignatureDoesNotMatch")
    if request.headers.get("x-amz-content-sha256", sha256(request.body)) not in (sha256(request.body), "UNSIGNED-PAYLOAD"):
        raise Refusal("SignatureDoesNotMatch", "The payload's hash does not match x-amz-content-sha256.")
    if abs(now - at) > MAX_SKEW:
        raise Refusal("RequestExpired" if service == "ec2" else "SignatureDoesNotMatch",
                      None if service == "ec2" else f"Signature expired: {stamp} is not within 15 min of the server's time")
    if end is not None and now >= end:
        raise Refusal("ExpiredToken")
    return key
