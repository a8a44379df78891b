"""EC2's query API: parameters, filters, pages and replies of the calls that an address daemon makes."""

import base64
import binascii
import copy
import ipaddress
import json
import re

from . import signature, xml
from .errors import Refusal, not_found
from .faults import Reply
from .model import Cloud, Eni

VERSION = "2016-11-15"
PAGE = ("MaxResults", "NextToken", r"Filter\.\d+\.Name", r"Filter\.\d+\.Value\.\d+")
# Of each action the parameters there are, as regular expressions; "!" marks those that must be there.
ACTIONS = {
    "AssignIpv6Addresses": ("!NetworkInterfaceId", "Ipv6AddressCount", r"Ipv6Addresses\.\d+", "Ipv6PrefixCount", r"Ipv6Prefix\.\d+"),
    "AssignPrivateIpAddresses": ("!NetworkInterfaceId", "SecondaryPrivateIpAddressCount", r"PrivateIpAddress\.\d+", "Ipv4PrefixCount",
                                 r"Ipv4Prefix\.\d+", "AllowReassignment"),
    "AttachNetworkInterface": ("!DeviceIndex", "!InstanceId", "!NetworkInterfaceId", "NetworkCardIndex"),
    "CreateNetworkInterface": ("!SubnetId", "Description", r"SecurityGroupId\.\d+", "SecondaryPrivateIpAddressCount", "PrivateIpAddress",
                               r"PrivateIpAddresses\.\d+\.(PrivateIpAddress|Primary)", "Ipv4PrefixCount", r"Ipv4Prefix\.\d+\.Ipv4Prefix",
                               "Ipv6AddressCount", r"Ipv6Addresses\.\d+\.Ipv6Address", "Ipv6PrefixCount",
                               r"Ipv6Prefix\.\d+\.Ipv6Prefix", "InterfaceType", r"TagSpecification\.\d+\.ResourceType",
                               r"TagSpecification\.\d+\.Tag\.\d+\.(Key|Value)", "ClientToken",
                               r"ConnectionTrackingSpecification\.(TcpEstablishedTimeout|UdpStreamTimeout|UdpTimeout)"),
    "CreateTags": (r"ResourceId\.\d+", r"Tag\.\d+\.(Key|Value)"),
    "DeleteNetworkInterface": ("!NetworkInterfaceId",),
    "DescribeInstances": (r"InstanceId\.\d+", *PAGE),
    "DescribeInstanceTypes": (r"InstanceType\.\d+", *PAGE),
    "DescribeNetworkInterfaces": (r"NetworkInterfaceId\.\d+", *PAGE),
    "DescribeSecurityGroups": (r"GroupId\.\d+", r"GroupName\.\d+", *PAGE),
    "DescribeSubnets": (r"SubnetId\.\d+", *PAGE),
    "DescribeTags": PAGE,
    "DetachNetworkInterface": ("!AttachmentId", "Force"),
    "ModifyNetworkInterfaceAttribute": ("!NetworkInterfaceId", "Attachment.AttachmentId", "Attachment.DeleteOnTermination",
                                        r"SecurityGroupId\.\d+", "Description.Value", "SourceDestCheck.Value"),
    "UnassignIpv6Addresses": ("!NetworkInterfaceId", r"Ipv6Addresses\.\d+", r"Ipv6Prefix\.\d+"),
    "UnassignPrivateIpAddresses": ("!NetworkInterfaceId", r"PrivateIpAddress\.\d+", r"Ipv4Prefix\.\d+"),
}
COMMON = ("Action", "Version", "DryRun")


class Parameters(dict):
    """The request's, by name."""

    def many(self, name: str, below: str = "") -> list[str]:
        """NAME.1, NAME.2 ..., or NAME.1.BELOW ..."""
        found = {}
        for key, value in self.items():
            if match := re.fullmatch(rf"{re.escape(name)}\.(\d+){re.escape(below and '.' + below)}", key):
                found[int(match[1])] = value
        return [found[number] for number in sorted(found)]

    def number(self, name: str, default: int = 0) -> int:
        text = self.get(name, "")
        if text and not re.fullmatch(r"\d{1,9}", text):
            raise Refusal("InvalidParameterValue", f"Value ({text}) for parameter {name} is invalid. Expecting a number.")
        return int(text) if text else default

    def flag(self, name: str) -> bool:
        text = self.get(name, "false").lower()
        if text not in ("true", "false"):
            raise Refusal("InvalidParameterValue", f"Value ({text}) for parameter {name} is invalid.")
        return text == "true"

    def tags(self, prefix: str = "") -> dict[str, str]:
        keys = self.many(f"{prefix}Tag", "Key")
        tags = dict(zip(keys, self.many(f"{prefix}Tag", "Value") + [""] * len(keys)))
        for key in tags:
            if key.startswith("aws:"):
                raise Refusal("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
        return tags

    def addresses(self, *names: tuple[str, str]) -> list[str]:
        found = [one for name in names for one in self.many(*name)]
        for one in found:
            try:
                ipaddress.ip_network(one)
            except ValueError:
                raise Refusal("InvalidParameterValue", f"Value ({one}) for parameter {names[0][0]} is invalid.") from None
        return found

    def filters(self) -> dict[str, list[str]]:
        names = {match[1]: value for key, value in self.items() if (match := re.fullmatch(r"Filter\.(\d+)\.Name", key))}
        return {name: self.many(f"Filter.{number}.Value") for number, name in names.items()}


def is_like(pattern: str, text: str) -> bool:
    """A filter's value: * is anything, ? a character, a backslash takes their meaning away."""
    parts = re.findall(r"\\[*?\\]|.", pattern, re.DOTALL)
    regex = "".join({"*": ".*", "?": "."}.get(part) or re.escape(part[-1]) for part in parts)
    return re.fullmatch(regex, text, re.DOTALL) is not None


def chosen(items: list, filters: dict[str, list[str]], values) -> list:
    """`values` tells of an item what it has, by the filter's name: text or a list. Tags are its `tag:KEY`."""
    for name, patterns in filters.items():
        if not name.startswith("tag:") and items and name not in values(items[0]):
            raise Refusal("InvalidParameterValue", f"The filter '{name}' is invalid")
        has = lambda item: (found if isinstance(found := values(item).get(name, []), list) else [found])
        items = [item for item in items if any(is_like(pattern, text) for pattern in patterns for text in has(item))]
    return items


def tag_values(tags: dict[str, str]) -> dict:
    return {"tag-key": list(tags), "tag-value": list(tags.values())} | {f"tag:{key}": value for key, value in tags.items()}


def tag_set(tags: dict[str, str]) -> list[dict]:
    return [{"key": key, "value": value} for key, value in tags.items()]


class Ec2:
    name = "ec2"

    def __init__(self, cloud: Cloud, keyring):
        self.cloud, self.keyring = cloud, keyring
        self.stale: Ec2 | None = None  # answers Describe calls in its place

    def frozen(self) -> "Ec2":
        """As it is now."""
        then = copy.copy(self.cloud)
        then.enis, then.subnets = copy.deepcopy((self.cloud.enis, self.cloud.subnets))
        return Ec2(then, self.keyring)

    def parse(self, request) -> tuple[str, dict]:
        parameters = Parameters(request.form())
        return parameters.get("Action", ""), parameters

    def refused(self, refusal: Refusal) -> Reply:
        return xml.ec2_error(refusal)

    def answer(self, request, action: str, parameters: Parameters) -> Reply:
        try:
            signature.check(request, self.keyring.known, self.cloud.region, "ec2", self.keyring.now())
        except Refusal as refusal:
            if self.cloud.knobs.codes == "ec2" and refusal.code in signature.EC2_CODES:
                raise Refusal(signature.EC2_CODES[refusal.code]) from None
            raise
        self._check(action, parameters)
        return xml.ec2_reply(action, getattr(self.stale if self.stale and action.startswith("Describe") else self, action)(parameters))

    def _check(self, action: str, parameters: Parameters) -> None:
        if not action:
            raise Refusal("MissingAction", "The request must contain the parameter Action")
        if action not in ACTIONS:
            raise Refusal("InvalidAction", f"The action {action} is not valid for this web service.")
        if parameters.get("Version") != VERSION:
            raise Refusal("NoSuchVersion", f"The requested version ({parameters.get('Version')}) of service AmazonEC2 does not exist")
        for name in ACTIONS[action]:
            if name.startswith("!") and not parameters.get(name[1:]):
                raise Refusal("MissingParameter", f"The request must contain the parameter {name[1:][0].lower()}{name[2:]}")
        known = [*COMMON, *(name.removeprefix("!") for name in ACTIONS[action])]
        for name in parameters:
            if not any(re.fullmatch(one, name) for one in known):
                raise Refusal("UnknownParameter", f"The parameter {name} is not recognized")
        if parameters.flag("DryRun"):
            raise Refusal("DryRunOperation")

    def _page(self, parameters: Parameters, items: list, named: bool, least: int = 5) -> tuple[list, str | None]:
        """Of the items those of this page, and the next page's token."""
        size = self.cloud.knobs.page
        if "MaxResults" in parameters:
            if named:
                raise Refusal("InvalidParameterCombination", "The parameter maxResults cannot be used with a list of IDs")
            asked = parameters.number("MaxResults")
            if not least <= asked <= 1000:
                raise Refusal("InvalidParameterValue", f"Value ( {asked} ) for parameter maxResults is invalid. Expecting a value "
                              + (f"greater than or equal to {least}." if asked < least else "less than or equal to 1000."))
            size = min(size, asked)
        elif "NextToken" not in parameters and named:
            size = len(items)
        question = json.dumps([(key, value) for key, value in sorted(parameters.items()) if key not in ("NextToken", "MaxResults")])
        at = 0
        if "NextToken" in parameters:
            try:
                of, at = json.loads(base64.urlsafe_b64decode(parameters["NextToken"]))
            except (ValueError, binascii.Error):
                of = None
            if of != question:
                raise Refusal("InvalidNextToken", "The specified nextToken is invalid.")
        more = base64.urlsafe_b64encode(json.dumps([question, at + size]).encode()).decode() if at + size < len(items) else None
        return items[at:at + size], more

    # ENIs.

    def _eni(self, eni: Eni, in_instance: bool = False) -> dict:
        cloud, attachment = self.cloud, eni.attachment
        subnet = cloud.subnets[eni.subnet]
        return {
            "networkInterfaceId": eni.id,
            "subnetId": eni.subnet,
            "vpcId": cloud.vpc,
            "availabilityZone": None if in_instance else subnet.zone,
            "description": eni.description,
            "ownerId": cloud.account,
            "requesterManaged": None if in_instance else False,
            "status": eni.status,
            "macAddress": eni.mac,
            "privateIpAddress": eni.addresses[0] if eni.addresses else None,
            "sourceDestCheck": True,
            "groupSet": [{"groupId": one, "groupName": cloud.groups[one].name if one in cloud.groups else ""} for one in eni.groups],
            "attachment": {"attachmentId": attachment.id, "instanceId": None if in_instance else attachment.instance,
                           "instanceOwnerId": None if in_instance else cloud.account, "deviceIndex": attachment.device,
                           "networkCardIndex": attachment.card, "status": attachment.status, "attachTime": "2026-01-01T00:00:00.000Z",
                           "deleteOnTermination": attachment.delete_on_termination} if attachment else None,
            "tagSet": None if in_instance else tag_set(eni.tags),
            "privateIpAddressesSet": [{"privateIpAddress": one, "primary": n == 0} for n, one in enumerate(eni.addresses)],
            "ipv4PrefixSet": [{"ipv4Prefix": one} for one in eni.prefixes],
            "ipv6AddressesSet": [{"ipv6Address": one} for one in eni.addresses6],
            "ipv6PrefixSet": [{"ipv6Prefix": one} for one in eni.prefixes6],
            "interfaceType": eni.type,
            "connectionTrackingConfiguration": {f"{key[0].lower()}{key[1:]}": value for key, value in eni.tracking.items()} or None,
        }

    def _eni_values(self, eni: Eni) -> dict:
        attachment = eni.attachment
        return {"network-interface-id": eni.id, "subnet-id": eni.subnet, "vpc-id": self.cloud.vpc, "status": eni.status,
                "availability-zone": self.cloud.subnets[eni.subnet].zone, "mac-address": eni.mac, "description": eni.description,
                "group-id": eni.groups, "interface-type": eni.type, "private-ip-address": eni.addresses[:1],
                "addresses.private-ip-address": eni.addresses, "ipv6-addresses.ipv6-address": eni.addresses6,
                "owner-id": self.cloud.account, "requester-managed": "false",
                "attachment.attachment-id": attachment.id if attachment else [],
                "attachment.instance-id": attachment.instance if attachment else [],
                "attachment.device-index": str(attachment.device) if attachment else [],
                "attachment.status": attachment.status if attachment else [],
                "attachment.delete-on-termination": str(attachment.delete_on_termination).lower() if attachment else [],
                } | tag_values(eni.tags)

    def DescribeNetworkInterfaces(self, parameters: Parameters) -> dict:
        ids = parameters.many("NetworkInterfaceId")
        missing, found = [], []
        for id in ids:
            try:
                found.append(self.cloud.eni(id))
            except Refusal:
                missing.append(id)
        if len(missing) > 1:
            raise Refusal("InvalidNetworkInterfaceID.NotFound", f"The networkInterface IDs '{', '.join(missing)}' do not exist")
        if missing:
            raise not_found("NetworkInterface", missing[0])
        items = found if ids else [eni for eni in self.cloud.enis.values() if self.cloud.is_visible(eni)]
        page, more = self._page(parameters, chosen(items, parameters.filters(), self._eni_values), bool(ids))
        return {"networkInterfaceSet": [self._eni(eni) for eni in page], "nextToken": more}

    def CreateNetworkInterface(self, parameters: Parameters) -> dict:
        cloud, subnet = self.cloud, self.cloud.subnet(parameters["SubnetId"])
        groups = [cloud.group(one).id for one in parameters.many("SecurityGroupId")]
        tags = {}
        for number, kind in enumerate(parameters.many("TagSpecification", "ResourceType"), 1):
            if kind != "network-interface":
                raise Refusal("InvalidParameterValue", f"'{kind}' is not a valid taggable resource type for this operation.")
            tags |= parameters.tags(f"TagSpecification.{number}.")
        assign = self._asked(parameters, [("PrivateIpAddresses", "PrivateIpAddress"), ("Ipv4Prefix", "Ipv4Prefix"),
                                          ("Ipv6Addresses", "Ipv6Address"), ("Ipv6Prefix", "Ipv6Prefix")])
        tracking = {key.partition(".")[2]: value for key, value in parameters.items() if key.startswith("ConnectionTracking")}
        primary = parameters.get("PrivateIpAddress", "")
        for number, flag in enumerate(parameters.many("PrivateIpAddresses", "Primary")):
            if flag == "true":
                primary = parameters.many("PrivateIpAddresses", "PrivateIpAddress")[number]
                assign["exactly"].remove(primary)
        eni = cloud.create(subnet, tuple(sorted(parameters.items())), parameters.get("ClientToken", ""), assign, primary,
                           description=parameters.get("Description", ""), groups=groups or list(cloud.groups)[:1], tags=tags,
                           type=parameters.get("InterfaceType", "interface"), tracking=tracking)
        return {"networkInterface": self._eni(eni) | ({"status": "pending"} if eni.attachment is None else {}),
                "clientToken": parameters.get("ClientToken")}

    def _asked(self, parameters: Parameters, names: list) -> dict:
        asked = {"count": parameters.number("SecondaryPrivateIpAddressCount"), "prefixes": parameters.number("Ipv4PrefixCount"),
                 "count6": parameters.number("Ipv6AddressCount"), "prefixes6": parameters.number("Ipv6PrefixCount"),
                 "exactly": parameters.addresses(*names)}
        if asked["count"] and asked["prefixes"]:
            raise Refusal("InvalidParameterCombination", "You cannot specify both secondaryPrivateIpAddressCount and ipv4PrefixCount")
        return asked

    def AttachNetworkInterface(self, parameters: Parameters) -> dict:
        cloud = self.cloud
        attachment = cloud.attach(cloud.eni(parameters["NetworkInterfaceId"]), cloud.instance(parameters["InstanceId"]),
                                  parameters.number("DeviceIndex"), parameters.number("NetworkCardIndex"))
        return {"attachmentId": attachment.id, "networkCardIndex": attachment.card}

    def DetachNetworkInterface(self, parameters: Parameters) -> dict:
        self.cloud.detach(self.cloud.attached_by(parameters["AttachmentId"]))
        return {"return": True}

    def DeleteNetworkInterface(self, parameters: Parameters) -> dict:
        self.cloud.delete(self.cloud.eni(parameters["NetworkInterfaceId"]))
        return {"return": True}

    def ModifyNetworkInterfaceAttribute(self, parameters: Parameters) -> dict:
        cloud, eni = self.cloud, self.cloud.eni(parameters["NetworkInterfaceId"])
        groups = [cloud.group(one).id for one in parameters.many("SecurityGroupId")]
        if id := parameters.get("Attachment.AttachmentId"):
            if cloud.attached_by(id) is not eni:
                raise not_found("Attachment", id)
            eni.attachment.delete_on_termination = parameters.flag("Attachment.DeleteOnTermination")
        if groups:
            eni.groups = groups
            cloud.changed("groups", eni)
        eni.description = parameters.get("Description.Value", eni.description)
        return {"return": True}

    # Addresses.

    def AssignPrivateIpAddresses(self, parameters: Parameters) -> dict:
        eni = self.cloud.eni(parameters["NetworkInterfaceId"])
        asked = self._asked(parameters, [("PrivateIpAddress", ""), ("Ipv4Prefix", "")])
        if not (asked["count"] or asked["prefixes"] or asked["exactly"]):
            raise Refusal("MissingParameter", "The request must contain at least one of privateIpAddress, secondaryPrivateIpAddressCount, "
                                              "ipv4Prefix, ipv4PrefixCount")
        given = self.cloud.assign(eni, reassign=parameters.flag("AllowReassignment"), **asked)
        return {"networkInterfaceId": eni.id,
                "assignedPrivateIpAddressesSet": [{"privateIpAddress": one} for one in given if "/" not in one] or None,
                "assignedIpv4PrefixSet": [{"ipv4Prefix": one} for one in given if "/" in one] or None, "return": True}

    def UnassignPrivateIpAddresses(self, parameters: Parameters) -> dict:
        eni = self.cloud.eni(parameters["NetworkInterfaceId"])
        self.cloud.unassign(eni, parameters.addresses(("PrivateIpAddress", ""), ("Ipv4Prefix", "")))
        return {"return": True}

    def AssignIpv6Addresses(self, parameters: Parameters) -> dict:
        eni = self.cloud.eni(parameters["NetworkInterfaceId"])
        given = self.cloud.assign(eni, **self._asked(parameters, [("Ipv6Addresses", ""), ("Ipv6Prefix", "")]))
        return {"networkInterfaceId": eni.id, "assignedIpv6Addresses": [one for one in given if "/" not in one] or None,
                "assignedIpv6PrefixSet": [one for one in given if "/" in one] or None}

    def UnassignIpv6Addresses(self, parameters: Parameters) -> dict:
        eni = self.cloud.eni(parameters["NetworkInterfaceId"])
        which = parameters.addresses(("Ipv6Addresses", ""), ("Ipv6Prefix", ""))
        self.cloud.unassign(eni, which)
        return {"networkInterfaceId": eni.id, "unassignedIpv6Addresses": [one for one in which if "/" not in one] or None,
                "unassignedIpv6PrefixSet": [one for one in which if "/" in one] or None}

    # The rest.

    def CreateTags(self, parameters: Parameters) -> dict:
        ids, tags = parameters.many("ResourceId"), parameters.tags()
        if not ids or not tags:
            raise Refusal("MissingParameter", f"The request must contain the parameter {'resourceIdSet' if not ids else 'tagSet'}")
        for existing in [self.cloud.tags_of(id) for id in ids]:
            if len(existing | tags) > 50:
                raise Refusal("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
            existing.update(tags)
        return {"return": True}

    def DescribeTags(self, parameters: Parameters) -> dict:
        cloud = self.cloud
        kinds = {"network-interface": cloud.enis, "subnet": cloud.subnets, "instance": cloud.instances, "security-group": cloud.groups}
        items = [{"resourceId": id, "resourceType": kind, "key": key, "value": value} for kind, resources in kinds.items()
                 for id, resource in resources.items() for key, value in resource.tags.items()]
        values = lambda item: {"resource-id": item["resourceId"], "resource-type": item["resourceType"], "key": item["key"],
                               "value": item["value"], f"tag:{item['key']}": item["value"]}
        page, more = self._page(parameters, chosen(items, parameters.filters(), values), False)
        return {"tagSet": page, "nextToken": more}

    def DescribeInstances(self, parameters: Parameters) -> dict:
        cloud, ids = self.cloud, parameters.many("InstanceId")
        items = [cloud.instance(id) for id in ids] or list(cloud.instances.values())

        def values(instance):
            return {"instance-id": instance.id, "instance-type": instance.type, "availability-zone": instance.zone, "vpc-id": cloud.vpc,
                    "instance-state-name": "running", "network-interface.network-interface-id":
                    [eni.id for eni in cloud.enis_of(instance.id)]} | tag_values(instance.tags)

        def form(instance):
            enis = cloud.enis_of(instance.id)
            return {"reservationId": f"r-{instance.id[2:]}", "ownerId": cloud.account, "groupSet": [], "instancesSet": [{
                "instanceId": instance.id, "imageId": "ami-0123456789abcdef0", "instanceState": {"code": 16, "name": "running"},
                "privateDnsName": "", "instanceType": instance.type, "launchTime": "2026-01-01T00:00:00.000Z",
                "placement": {"availabilityZone": instance.zone, "groupName": "", "tenancy": "default"},
                "subnetId": enis[0].subnet if enis else None, "vpcId": cloud.vpc,
                "privateIpAddress": enis[0].addresses[0] if enis and enis[0].addresses else None,
                "tagSet": tag_set(instance.tags), "networkInterfaceSet": [self._eni(eni, in_instance=True) for eni in enis]}]}

        page, more = self._page(parameters, chosen(items, parameters.filters(), values), bool(ids))
        return {"reservationSet": [form(instance) for instance in page], "nextToken": more}

    def DescribeInstanceTypes(self, parameters: Parameters) -> dict:
        names = parameters.many("InstanceType")
        if missing := [one for one in names if one not in self.cloud.types]:
            raise Refusal("InvalidInstanceType", f"The following supplied instance types do not exist: [{', '.join(missing)}]")
        items = [self.cloud.types[one] for one in names] or list(self.cloud.types.values())
        values = lambda type: {"instance-type": type.name, "bare-metal": str(type.hypervisor is None).lower(),
                               "hypervisor": type.hypervisor or []}
        page, more = self._page(parameters, chosen(items, parameters.filters(), values), bool(names))
        return {"instanceTypeSet": [{
            "instanceType": type.name, "currentGeneration": True, "bareMetal": type.hypervisor is None, "hypervisor": type.hypervisor,
            "networkInfo": {"maximumNetworkInterfaces": type.cards[0] if len(type.cards) == 1 else type.enis,
                            "maximumNetworkCards": len(type.cards), "defaultNetworkCardIndex": 0,
                            "networkCards": [{"networkCardIndex": card, "maximumNetworkInterfaces": enis}
                                             for card, enis in enumerate(type.cards)],
                            "ipv4AddressesPerInterface": type.ipv4, "ipv6AddressesPerInterface": type.ipv6, "ipv6Supported": True}}
            for type in page], "nextToken": more}

    def DescribeSubnets(self, parameters: Parameters) -> dict:
        cloud, ids = self.cloud, parameters.many("SubnetId")
        items = [cloud.subnet(id) for id in ids] or list(cloud.subnets.values())
        values = lambda subnet: {"subnet-id": subnet.id, "vpc-id": subnet.vpc, "availability-zone": subnet.zone, "state": "available",
                                 "cidr-block": subnet.ipv4, "ipv6-cidr-block-association.ipv6-cidr-block": subnet.ipv6 or []
                                 } | tag_values(subnet.tags)
        page, more = self._page(parameters, chosen(items, parameters.filters(), values), bool(ids))
        return {"subnetSet": [{
            "subnetId": subnet.id, "subnetArn": f"arn:aws:ec2:{cloud.region}:{cloud.account}:subnet/{subnet.id}", "state": "available",
            "ownerId": cloud.account, "vpcId": subnet.vpc, "cidrBlock": subnet.ipv4, "availabilityZone": subnet.zone,
            "availableIpAddressCount": cloud.available(subnet), "defaultForAz": False, "mapPublicIpOnLaunch": False,
            "assignIpv6AddressOnCreation": False, "ipv6CidrBlockAssociationSet": [
                {"ipv6CidrBlock": subnet.ipv6, "associationId": f"subnet-cidr-assoc-{subnet.id[7:]}",
                 "ipv6CidrBlockState": {"state": "associated"}}] if subnet.ipv6 else [],
            "tagSet": tag_set(subnet.tags)} for subnet in page], "nextToken": more}

    def DescribeSecurityGroups(self, parameters: Parameters) -> dict:
        cloud, ids, names = self.cloud, parameters.many("GroupId"), parameters.many("GroupName")
        items = [cloud.group(id) for id in ids] or [one for one in cloud.groups.values() if not names or one.name in names]
        values = lambda group: {"group-id": group.id, "group-name": group.name, "vpc-id": group.vpc} | tag_values(group.tags)
        page, more = self._page(parameters, chosen(items, parameters.filters(), values), bool(ids))
        return {"securityGroupInfo": [{"ownerId": cloud.account, "groupId": group.id, "groupName": group.name,
                                       "groupDescription": group.name, "vpcId": group.vpc, "tagSet": tag_set(group.tags),
                                       "ipPermissions": [], "ipPermissionsEgress": []} for group in page], "nextToken": more}


class Sts:
    """Beside EC2 at one address: actions of API version 2011-06-15."""

    name = "sts"
    ACTION = "AssumeRoleWithWebIdentity"

    def __init__(self, keyring):
        self.keyring = keyring

    def parse(self, request) -> tuple[str, dict]:
        parameters = Parameters(request.form())
        return parameters.get("Action", ""), parameters

    def refused(self, refusal: Refusal) -> Reply:
        return xml.sts_error(refusal)

    def answer(self, _, action: str, parameters: Parameters) -> Reply:
        if action != self.ACTION:
            raise Refusal("InvalidAction", f"Could not find operation {action} for version 2011-06-15")
        return xml.sts_reply(action, self.keyring.assume(parameters))
