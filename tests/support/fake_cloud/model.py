"""What is in the cloud: subnets, instances, their types and ENIs, and the rules by which addresses are given out.

Functions of Cloud raise Refusal, as EC2 does. The caller holds `lock`."""

import copy
import ipaddress
import itertools
import threading
from dataclasses import dataclass, field

from .clock import Clock
from .errors import Refusal, not_found

UNATTACHED_LIMIT = 50  # addresses of an ENI that is on no instance: those of the largest


@dataclass
class InstanceType:
    name: str
    ipv4: int  # addresses per ENI, primary included; a prefix counts as one
    cards: tuple[int, ...]  # ENIs of each network card
    ipv6: int | None = None
    hypervisor: str | None = "nitro"  # None: bare metal

    def __post_init__(self):
        self.ipv6 = self.ipv4 if self.ipv6 is None else self.ipv6

    @property
    def enis(self) -> int:
        return sum(self.cards)


TYPES = (InstanceType("t3.nano", 2, (2,)), InstanceType("t3.medium", 6, (3,)), InstanceType("m4.large", 10, (2,), hypervisor="xen"),
         InstanceType("m5.large", 10, (3,)), InstanceType("m5.xlarge", 15, (4,)), InstanceType("m5.4xlarge", 30, (8,)),
         InstanceType("m5.24xlarge", 50, (15,)), InstanceType("m5.metal", 50, (15,), hypervisor=None),
         InstanceType("p4d.24xlarge", 50, (15, 15, 15, 15)))


@dataclass
class Subnet:
    id: str
    ipv4: str
    ipv6: str = ""
    zone: str = ""
    vpc: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)  # IPv4 addresses that have other users than this state's ENIs

    @property
    def network4(self) -> ipaddress.IPv4Network:
        return ipaddress.ip_network(self.ipv4)

    @property
    def network6(self) -> ipaddress.IPv6Network | None:
        return ipaddress.ip_network(self.ipv6) if self.ipv6 else None

    @property
    def reserved4(self) -> set[int]:
        """The first four addresses and the last are the cloud's."""
        net = self.network4
        return {int(net[0]), int(net[1]), int(net[2]), int(net[3]), int(net[-1])}


@dataclass
class Group:
    id: str
    name: str = ""
    vpc: str = ""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Attachment:
    id: str
    instance: str
    device: int
    card: int = 0
    status: str = "attached"
    delete_on_termination: bool = False


@dataclass
class Eni:
    id: str
    mac: str
    subnet: str
    description: str = ""
    groups: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)  # IPv4, the primary one first
    prefixes: list[str] = field(default_factory=list)
    addresses6: list[str] = field(default_factory=list)
    prefixes6: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    attachment: Attachment | None = None
    type: str = "interface"
    tracking: dict[str, str] = field(default_factory=dict)
    hidden_until: float = 0  # from Describe and the like: the cloud is eventually consistent
    hidden_reads: int = 0

    @property
    def assigned(self) -> list[str]:
        """All but the primary address."""
        return [*self.addresses[1:], *self.prefixes, *self.addresses6, *self.prefixes6]

    @property
    def status(self) -> str:
        return "in-use" if self.attachment else "available"


@dataclass
class Instance:
    id: str
    type: str
    zone: str
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Knobs:
    """What a test sets; seconds are of the cloud's clock."""

    attach_delay: float = 0  # until an ENI that is being attached is there
    detach_delay: float = 0
    hide_new_enis: float = 0  # EC2 knows a new ENI's id only then
    hide_new_enis_reads: int = 0  # or after so many calls that name it
    imds_delay: float = 0  # until the metadata tells of a change
    imds_delay_reads: int = 0  # and the list of MACs was read so often
    imds_delay_of: tuple[str, ...] = ("attach", "detach", "assign", "unassign")  # the changes that this holds for
    imds_stale: bool = False  # the metadata stays as it is
    ec2_stale: bool = False  # EC2's Describe calls tell of what was when this was set
    imds_tokens: str = "required"  # or "optional" (IMDSv1 answers, too), "disabled" (403)
    imds_token_uses: int | None = None  # requests after which a new token has expired
    credentials_life: float = 6 * 3600  # of the machine's time
    skew: float = 0  # of the cloud's time of day from the machine's: of signatures and of credentials' ends; advance() does not move it
    codes: str = "common"  # or "ec2": error codes for what is wrong with credentials, see signature.EC2_CODES
    page: int = 1000  # items of a page at most, whatever MaxResults says
    eni_limit: int | None = None  # per instance, in place of its type's
    ipv4_limit: int | None = None  # per ENI


CHOICES = {"imds_tokens": ("required", "optional", "disabled"), "codes": ("common", "ec2")}


class Cloud:
    REGION, ZONE, VPC = "us-west-2", "us-west-2a", "vpc-0c0ffee0c0ffee001"

    def __init__(self, frozen_clock: bool = False):
        self.lock = threading.RLock()
        self.clock = Clock(self.lock, frozen_clock)
        self.knobs = Knobs()
        self.region, self.account = self.REGION, "123456789012"
        self.vpc, self.vpc4, self.vpc6 = self.VPC, ["10.0.0.0/16"], ["fd00::/48"]
        self.types = {one.name: copy.copy(one) for one in TYPES}
        self.subnets: dict[str, Subnet] = {}
        self.groups: dict[str, Group] = {}
        self.instances: dict[str, Instance] = {}
        self.enis: dict[str, Eni] = {}
        self.self_id = ""  # the instance whose metadata is served
        self.created: dict[str, tuple[tuple, str]] = {}  # by ClientToken: its arguments, the ENI
        self.on_change: list = []  # functions (event, Eni, addresses); events: see changed()
        self._serial = itertools.count(1)

    # What there is.

    def new_id(self, kind: str) -> str:
        return f"{kind}-{next(self._serial) + 0xabc0000000000000:017x}"

    def new_mac(self) -> str:
        number = next(self._serial)
        return "02:00:0a:" + ":".join(f"{number >> shift & 255:02x}" for shift in (16, 8, 0))

    def add_subnet(self, ipv4: str, ipv6: str = "", id: str = "", zone: str = "", tags: dict | None = None) -> Subnet:
        subnet = Subnet(id or self.new_id("subnet"), ipv4, ipv6, zone or self.ZONE, self.vpc, dict(tags or {}))
        self.subnets[subnet.id] = subnet
        return subnet

    def add_group(self, id: str = "", name: str = "") -> Group:
        group = Group(id or self.new_id("sg"), name or "default", self.vpc)
        self.groups[group.id] = group
        return group

    def add_instance(self, type: str = "m5.large", id: str = "", zone: str = "") -> Instance:
        instance = Instance(id or self.new_id("i"), type, zone or self.ZONE)
        self.instances[instance.id] = instance
        self.self_id = self.self_id or instance.id
        return instance

    def add_eni(self, subnet: Subnet | str, instance: Instance | str | None = None, device: int | None = None, card: int = 0,
                event: str = "there", **fields) -> Eni:
        """By other means than a call; on the instance if one is given."""
        subnet = self.subnet(subnet) if isinstance(subnet, str) else subnet
        eni = Eni(fields.pop("id", "") or self.new_id("eni"), fields.pop("mac", "") or self.new_mac(), subnet.id, **fields)
        if not eni.addresses and eni.type != "efa-only":
            eni.addresses = self.free_addresses(subnet, 1)
        self.enis[eni.id] = eni
        if instance is not None:
            instance = self.instance(instance if isinstance(instance, str) else instance.id)
            taken = {one.attachment.device for one in self.enis_of(instance.id)}
            device = next(n for n in itertools.count() if n not in taken) if device is None else device
            eni.attachment = Attachment(self.new_id("eni-attach"), instance.id, device, card, delete_on_termination=device == 0)
        if eni.attachment:
            self.changed(event, eni)
        return eni

    def eni(self, id: str) -> Eni:
        """By its id, for a call that names it."""
        eni = self.enis.get(id)
        if eni is None:
            raise not_found("NetworkInterface", id)
        if eni.hidden_reads or self.clock.now() < eni.hidden_until:
            eni.hidden_reads = max(eni.hidden_reads - 1, 0)
            raise not_found("NetworkInterface", id)
        return eni

    def is_visible(self, eni: Eni) -> bool:
        return not eni.hidden_reads and self.clock.now() >= eni.hidden_until

    def subnet(self, id: str) -> Subnet:
        if id not in self.subnets:
            raise not_found("Subnet", id)
        return self.subnets[id]

    def instance(self, id: str) -> Instance:
        if id not in self.instances:
            raise not_found("Instance", id)
        return self.instances[id]

    def group(self, id: str) -> Group:
        if id not in self.groups:
            raise Refusal("InvalidGroup.NotFound", f"The security group '{id}' does not exist")
        return self.groups[id]

    def enis_of(self, instance: str) -> list[Eni]:
        return sorted((eni for eni in self.enis.values() if eni.attachment and eni.attachment.instance == instance),
                      key=lambda eni: eni.attachment.device)

    def tags_of(self, id: str) -> dict[str, str]:
        if id.startswith("eni-"):
            return self.eni(id).tags
        for kind in (self.subnets, self.instances, self.groups):
            if id in kind:
                return kind[id].tags
        raise Refusal("InvalidID", f"The ID '{id}' is not valid")

    def changed(self, event: str, eni: Eni, addresses: list[str] | None = None) -> None:
        """Events: there (from the start), attach (it is there now), detach (it is gone), assign, unassign, groups; the last three
        only while it is there."""
        if event in ("assign", "unassign", "groups") and not (eni.attachment and eni.attachment.status == "attached"):
            return
        for function in self.on_change:
            function(event, eni, addresses or [])

    # Addresses.

    def _taken4(self, subnet: Subnet) -> set[int]:
        taken = subnet.reserved4 | {int(ipaddress.ip_address(one)) for one in subnet.others}
        for eni in self.enis.values():
            if eni.subnet == subnet.id:
                taken |= {int(ipaddress.ip_address(one)) for one in eni.addresses}
                for prefix in eni.prefixes:
                    taken |= {int(one) for one in ipaddress.ip_network(prefix)}
        return taken

    def available(self, subnet: Subnet) -> int:
        return subnet.network4.num_addresses - len(self._taken4(subnet))

    def free_addresses(self, subnet: Subnet, count: int) -> list[str]:
        """The lowest ones."""
        taken = self._taken4(subnet)
        free = list(itertools.islice((str(one) for one in subnet.network4 if int(one) not in taken), count))
        if len(free) < count:
            raise Refusal("InsufficientFreeAddressesInSubnet")
        return free

    def free_prefixes(self, subnet: Subnet, count: int) -> list[str]:
        """The highest /28 blocks, away from single addresses."""
        taken = self._taken4(subnet)
        if subnet.network4.prefixlen > 28:
            raise Refusal("InsufficientCidrBlocks")
        blocks = range(int(subnet.network4[-1]) - 15, int(subnet.network4[0]) - 1, -16)
        free = list(itertools.islice((block for block in blocks if taken.isdisjoint(range(block, block + 16))), count))
        if len(free) < count:
            raise Refusal("InsufficientCidrBlocks")
        return [str(ipaddress.ip_network((block, 28))) for block in free]

    def _free6(self, subnet: Subnet, count: int, bits: int) -> list[str]:
        if not subnet.ipv6:
            raise Refusal("InvalidSubnet", f"The subnet '{subnet.id}' has no associated IPv6 CIDR block.")
        base, first = int(subnet.network6[0]), 16 if bits == 128 else 1  # the first /80 is for single addresses
        taken = {one for eni in self.enis.values() if eni.subnet == subnet.id for one in (*eni.addresses6, *eni.prefixes6)}
        candidates = (base + (n << (128 - bits)) for n in itertools.count(first))
        form = (lambda value: str(ipaddress.IPv6Address(value))) if bits == 128 else \
            (lambda value: f"{ipaddress.IPv6Address(value)}/{bits}")
        return list(itertools.islice((form(value) for value in candidates if form(value) not in taken), count))

    def limit(self, eni: Eni, family: int = 4) -> int:
        if eni.attachment is None:
            return UNATTACHED_LIMIT
        type = self.types[self.instances[eni.attachment.instance].type]
        return (self.knobs.ipv4_limit or type.ipv4) if family == 4 else type.ipv6

    def _owner(self, subnet: Subnet, address: str) -> Eni | None:
        return next((eni for eni in self.enis.values() if eni.subnet == subnet.id and address in eni.addresses), None)

    def assign(self, eni: Eni, count: int = 0, prefixes: int = 0, count6: int = 0, prefixes6: int = 0, exactly: tuple = (),
               reassign: bool = False) -> list[str]:
        """Secondary addresses and prefixes: so many of each kind, and these. What it gave; all or nothing."""
        subnet = self.subnet(eni.subnet)
        wanted = [str(ipaddress.ip_network(one) if "/" in one else ipaddress.ip_address(one)) for one in exactly]
        four, six = [one for one in wanted if ":" not in one], [one for one in wanted if ":" in one]
        if count + prefixes + len(four) + len(eni.addresses) + len(eni.prefixes) > max(self.limit(eni), 1):
            raise Refusal("PrivateIpAddressLimitExceeded")
        if count6 + prefixes6 + len(six) + len(eni.addresses6) + len(eni.prefixes6) > self.limit(eni, 6):
            raise Refusal("Ipv6AddressLimitExceeded")
        before = copy.deepcopy((eni.addresses, eni.prefixes, eni.addresses6, eni.prefixes6))
        moved: list[tuple[Eni, str]] = []
        try:
            for one in wanted:
                self._assign_exactly(eni, subnet, one, reassign, moved)
            given = list(wanted)
            for number, find, into in ((count, self.free_addresses, eni.addresses), (prefixes, self.free_prefixes, eni.prefixes),
                                       (count6, lambda s, n: self._free6(s, n, 128), eni.addresses6),
                                       (prefixes6, lambda s, n: self._free6(s, n, 80), eni.prefixes6)):
                if number:
                    new = find(subnet, number)
                    into += new
                    given += new
        except Refusal:
            eni.addresses, eni.prefixes, eni.addresses6, eni.prefixes6 = before
            for other, one in moved:
                other.addresses.append(one)
            raise
        for other, one in moved:
            self.changed("unassign", other, [one])
        if given:
            self.changed("assign", eni, given)
        return given

    def _assign_exactly(self, eni: Eni, subnet: Subnet, one: str, reassign: bool, moved: list) -> None:
        network = ipaddress.ip_network(one)
        of = subnet.network4 if network.version == 4 else subnet.network6
        if of is None or not network.subnet_of(of):
            raise Refusal("InvalidParameterValue", f"Address {one} does not fall within the subnet's address range")
        if network.version == 6:
            if any(one in (*other.addresses6, *other.prefixes6) for other in self.enis.values()):
                raise Refusal("InvalidIPAddress.InUse", f"Address {one} is in use.")
            (eni.prefixes6 if "/" in one else eni.addresses6).append(one)
            return
        owner = self._owner(subnet, one)
        if owner is not None and owner is not eni and reassign and owner.addresses[0] != one:
            owner.addresses.remove(one)
            moved.append((owner, one))
        elif not self._taken4(subnet).isdisjoint(range(int(network[0]), int(network[-1]) + 1)):
            raise Refusal("InvalidIPAddress.InUse", f"Address {one} is in use.")
        (eni.prefixes if "/" in one else eni.addresses).append(one)

    def unassign(self, eni: Eni, which: list[str]) -> None:
        which = [str(ipaddress.ip_network(one) if "/" in one else ipaddress.ip_address(one)) for one in which]
        if eni.addresses[:1] and eni.addresses[0] in which:
            raise Refusal("InvalidParameterValue", f"The primary address {eni.addresses[0]} of the interface {eni.id} cannot be unassigned")
        if missing := [one for one in which if one not in eni.assigned]:
            raise Refusal("InvalidParameterValue", f"Some of [{', '.join(missing)}] are not assigned to interface {eni.id}")
        for one in which:
            next(kind for kind in (eni.addresses, eni.prefixes, eni.addresses6, eni.prefixes6) if one in kind).remove(one)
        self.changed("unassign", eni, which)

    # The life of an ENI.

    def create(self, subnet: Subnet, arguments: tuple = (), token: str = "", assign: dict | None = None, primary: str = "",
               **fields) -> Eni:
        """`arguments` is what a repetition with the same token must repeat."""
        if token and token in self.created:
            before, id = self.created[token]
            if before != arguments:
                raise Refusal("IdempotentParameterMismatch")
            if id in self.enis:
                return self.enis[id]
            raise Refusal("IdempotentParameterMismatch", "The client token you have provided is associated with a resource that is "
                                                         "already deleted. Please use a different client token.")
        eni = Eni(self.new_id("eni"), self.new_mac(), subnet.id, **fields)
        if eni.type != "efa-only":
            if primary:
                self._assign_exactly(eni, subnet, primary, False, [])
            else:
                eni.addresses = self.free_addresses(subnet, 1)
        self.enis[eni.id] = eni
        try:
            self.assign(eni, **(assign or {}))
        except Refusal:
            del self.enis[eni.id]
            raise
        eni.hidden_until, eni.hidden_reads = self.clock.now() + self.knobs.hide_new_enis, self.knobs.hide_new_enis_reads
        if token:
            self.created[token] = (arguments, eni.id)
        return eni

    def attach(self, eni: Eni, instance: Instance, device: int, card: int = 0) -> Attachment:
        type, there = self.types[instance.type], self.enis_of(instance.id)
        if eni.attachment is not None:
            raise Refusal("InvalidNetworkInterface.InUse", f"Interface: [{eni.id}] in use.")
        if self.subnet(eni.subnet).zone != instance.zone:
            raise Refusal("InvalidParameterCombination",
                          "You may not attach a network interface to an instance if they are not in the same availability zone")
        if card not in range(len(type.cards)):
            raise Refusal("InvalidParameterValue", f"Network card index '{card}' exceeds the limit for {type.name}.")
        if len(there) >= (self.knobs.eni_limit or type.enis) or \
                sum(one.attachment.card == card for one in there) >= type.cards[card]:
            raise Refusal("AttachmentLimitExceeded", f"Interface count {len(there) + 1} exceeds the limit for {type.name}")
        if any((one.attachment.device, one.attachment.card) == (device, card) for one in there):
            raise Refusal("InvalidParameterValue",
                          f"Instance '{instance.id}' already has an interface attached at device index '{device}'.")
        eni.attachment = Attachment(self.new_id("eni-attach"), instance.id, device, card, "attaching")
        if len(eni.addresses) + len(eni.prefixes) > self.limit(eni):
            eni.attachment = None
            raise Refusal("PrivateIpAddressLimitExceeded")
        attachment = eni.attachment

        def there_now():
            if eni.attachment is attachment and attachment.status == "attaching":
                attachment.status = "attached"
                self.changed("attach", eni)

        self.clock.after(self.knobs.attach_delay, there_now)
        return attachment

    def attached_by(self, attachment: str) -> Eni:
        for eni in self.enis.values():
            if eni.attachment and eni.attachment.id == attachment:
                return eni
        raise not_found("Attachment", attachment)

    def detach(self, eni: Eni) -> None:
        attachment = eni.attachment
        if attachment.device == 0 and attachment.card == 0:
            raise Refusal("OperationNotPermitted", "The network interface at device index 0 cannot be detached.")
        if attachment.status == "detaching":
            return
        was_there, attachment.status = attachment.status == "attached", "detaching"

        def gone_now():
            if eni.attachment is attachment:
                eni.attachment = None
                if was_there:
                    self.changed("detach", eni)

        self.clock.after(self.knobs.detach_delay, gone_now)

    def delete(self, eni: Eni) -> None:
        if eni.attachment is not None:
            raise Refusal("InvalidParameterValue", f"Network interface '{eni.id}' is currently in use.")
        del self.enis[eni.id]
