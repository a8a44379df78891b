"""The instance metadata service: what it tells, and its tokens."""

import copy
import datetime
import json
import secrets

from .errors import Refusal
from .faults import Reply
from .model import Cloud, Eni

TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}
ROLE = "node-role"
TOKEN_TTL = "X-aws-ec2-metadata-token-ttl-seconds"


def iso(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def error(status: int) -> Reply:
    title = TITLES.get(status, "Error")
    return Reply(status, '<?xml version="1.0" encoding="iso-8859-1"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"\n'
                         '\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n<html xmlns="http://www.w3.org/1999/xhtml" '
                         f'xml:lang="en" lang="en">\n <head>\n  <title>{status} - {title}</title>\n </head>\n <body>\n  '
                         f'<h1>{status} - {title}</h1>\n </body>\n</html>\n', "text/html")


class Imds:
    name = "imds"

    def __init__(self, cloud: Cloud, keyring):
        self.cloud, self.keyring = cloud, keyring
        self.shown: dict[str, Eni] = {}  # ENIs as the metadata tells of them: copies of former states
        self.coming: list[list] = []  # [due, reads, id, its state then or None]
        self.tokens: dict[str, list] = {}  # [end, requests left or None]
        self.overrides: dict[str, str | None] = {}  # by path after latest/: other text, None: 404
        self.role = ROLE
        cloud.on_change.append(self._changed)

    # What is shown, and when.

    def _changed(self, event: str, eni: Eni, _) -> None:
        knobs = self.cloud.knobs
        attached = eni.attachment is not None and eni.attachment.instance == self.cloud.self_id
        late = event in knobs.imds_delay_of
        self.coming.append([self.cloud.clock.now() + (knobs.imds_delay if late else 0), knobs.imds_delay_reads if late else 0, eni.id,
                            copy.deepcopy(eni) if attached else None])
        self.refresh()

    def refresh(self) -> None:
        if self.cloud.knobs.imds_stale:
            return
        waiting = set()  # changes of one ENI are seen in their order
        for change in list(self.coming):
            due, reads, id, state = change
            if due > self.cloud.clock.now() or reads > 0:
                waiting.add(id)
            elif id not in waiting:
                self.coming.remove(change)
                self.shown.pop(id, None)
                if state is not None:
                    self.shown[id] = state

    def _lines(self, items) -> str | None:
        return "\n".join(items) or None

    def _of(self, eni: Eni) -> dict[str, str | None]:
        cloud, subnet = self.cloud, self.cloud.subnets[eni.subnet]
        groups = [cloud.groups[one] for one in eni.groups if one in cloud.groups]
        cards = len(cloud.types[cloud.instances[cloud.self_id].type].cards)
        return {
            "device-number": str(eni.attachment.device),
            "interface-id": eni.id,
            "ipv4-prefix": self._lines(eni.prefixes),
            "ipv6-prefix": self._lines(eni.prefixes6),
            "ipv6s": self._lines(eni.addresses6),
            "local-hostname": f"ip-{eni.addresses[0].replace('.', '-')}.{cloud.region}.compute.internal" if eni.addresses else None,
            "local-ipv4s": self._lines(eni.addresses),
            "mac": eni.mac,
            "network-card": str(eni.attachment.card) if cards > 1 else None,
            "owner-id": cloud.account,
            "security-group-ids": self._lines(eni.groups),
            "security-groups": self._lines(one.name for one in groups),
            "subnet-id": subnet.id,
            "subnet-ipv4-cidr-block": subnet.ipv4,
            "subnet-ipv6-cidr-blocks": subnet.ipv6 or None,
            "vpc-id": cloud.vpc,
            "vpc-ipv4-cidr-block": cloud.vpc4[0],
            "vpc-ipv4-cidr-blocks": self._lines(cloud.vpc4),
            "vpc-ipv6-cidr-blocks": self._lines(cloud.vpc6),
        }

    def texts(self) -> dict[str, str]:
        """By path after latest/."""
        cloud = self.cloud
        self.refresh()
        instance = cloud.instances[cloud.self_id]
        enis = sorted(self.shown.values(), key=lambda eni: (eni.attachment.card, eni.attachment.device))
        primary = next((eni for eni in enis if eni.attachment.device == 0 and eni.attachment.card == 0), None)
        four = primary.addresses[0] if primary else None
        texts = {
            "ami-id": "ami-0123456789abcdef0",
            "hostname": f"ip-{four.replace('.', '-')}.{cloud.region}.compute.internal" if four else None,
            "instance-id": instance.id,
            "instance-type": instance.type,
            "ipv6": primary.addresses6[0] if primary and primary.addresses6 else None,
            "local-ipv4": four,
            "mac": primary.mac if primary else None,
            "placement/availability-zone": instance.zone,
            "placement/region": cloud.region,
            "security-groups": self._lines(cloud.groups[one].name for one in primary.groups if one in cloud.groups) if primary else None,
            "services/domain": "amazonaws.com",
            "services/partition": "aws",
        }
        for eni in enis:
            texts |= {f"network/interfaces/macs/{eni.mac}/{key}": text for key, text in self._of(eni).items()}
        if self.role:
            texts |= {"iam/info": json.dumps({"Code": "Success", "LastUpdated": iso(cloud.clock.now()), "InstanceProfileArn":
                                              f"arn:aws:iam::{cloud.account}:instance-profile/{self.role}",
                                              "InstanceProfileId": "AIPA0123456789ABCDEF0"}, indent=2),
                      f"iam/security-credentials/{self.role}": "?"}
        texts = {f"meta-data/{path}": text for path, text in texts.items()}
        texts["dynamic/instance-identity/document"] = json.dumps({
            "accountId": cloud.account, "architecture": "x86_64", "availabilityZone": instance.zone, "billingProducts": None,
            "devpayProductCodes": None, "marketplaceProductCodes": None, "imageId": "ami-0123456789abcdef0", "instanceId": instance.id,
            "instanceType": instance.type, "kernelId": None, "pendingTime": "2026-01-01T00:00:00Z", "privateIp": four, "ramdiskId": None,
            "region": cloud.region, "version": "2017-09-30"}, indent=2)
        return {path: text for path, text in (texts | self.overrides).items() if text is not None}

    # Requests.

    def parse(self, request) -> tuple[str, dict]:
        path = request.target.partition("?")[0]
        return (f"{request.method} {path.removeprefix('/latest/')}" if request.method != "GET" else
                path.removeprefix("/latest/").rstrip("/") or "/"), {}

    def refused(self, refusal: Refusal) -> Reply:
        return error(refusal.status)

    def answer(self, request, action: str, _) -> Reply:
        knobs = self.cloud.knobs
        if knobs.imds_tokens == "disabled":
            return error(403)
        if request.target == "/latest/api/token":
            return self._token(request)
        if request.method != "GET":
            return error(405)
        token = request.headers.get("x-aws-ec2-metadata-token")
        if token is None and knobs.imds_tokens == "required" or token is not None and not self._is_valid(token):
            return error(401)
        return self._get(request.target.partition("?")[0])

    def _token(self, request) -> Reply:
        ttl = request.headers.get(TOKEN_TTL.lower(), "")
        if request.method != "PUT":
            return error(405)
        if "x-forwarded-for" in request.headers:
            return error(403)
        if not ttl.isascii() or not ttl.isdigit() or not 1 <= int(ttl) <= 21600:
            return error(400)
        token = secrets.token_urlsafe(40)
        self.tokens[token] = [self.cloud.clock.now() + int(ttl), self.cloud.knobs.imds_token_uses]
        return Reply(200, token, headers=((TOKEN_TTL, ttl),))

    def _is_valid(self, token: str) -> bool:
        state = self.tokens.get(token)
        if state is None or self.cloud.clock.now() >= state[0] or state[1] == 0:
            return False
        if state[1] is not None:
            state[1] -= 1
        return True

    def _get(self, target: str) -> Reply:
        if target == "/":
            return Reply(200, "latest")
        if not target.startswith("/latest"):
            return error(404)
        path = target.removeprefix("/latest").strip("/")
        texts = self.texts()
        if path == f"meta-data/iam/security-credentials/{self.role}" and path not in self.overrides:
            return Reply(200, json.dumps(self.keyring.document(), indent=2))
        if path in texts:
            return Reply(200, texts[path])
        below = f"{path}/" if path else ""
        names = sorted({name.partition("/")[0] + ("/" if "/" in name else "") for one in texts if one.startswith(below)
                        for name in [one.removeprefix(below)]})
        if path == "meta-data/network/interfaces/macs":
            for change in self.coming:
                change[1] -= 1
        return Reply(200, "\n".join(names)) if names else error(404)
