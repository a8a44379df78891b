"""What the cloud refuses with: error codes, their HTTP status and text as EC2 words them."""

# Without a status: 400.
TEXTS = {
    "RequestLimitExceeded": (503, "Request limit exceeded."),
    "Throttling": (400, "Rate exceeded"),
    "InternalError": (500, "An internal error has occurred"),
    "InternalFailure": (500, "The request processing has failed because of an unknown error, exception or failure."),
    "ServiceUnavailable": (503, "The service is unavailable. Please try again shortly."),
    "Unavailable": (503, "The service is unavailable. Please try again shortly."),
    "UnauthorizedOperation": (403, "You are not authorized to perform this operation."),
    "DryRunOperation": (412, "Request would have succeeded, but DryRun flag is set."),
    "InsufficientFreeAddressesInSubnet":
        (400, "The specified subnet does not have enough free addresses to satisfy the request."),
    "InsufficientCidrBlocks": (400, "The specified subnet does not have enough free cidr blocks to satisfy the request."),
    "PrivateIpAddressLimitExceeded": (400, "Number of private addresses will exceed limit."),
    "Ipv6AddressLimitExceeded": (400, "Number of IPv6 addresses will exceed limit."),
    "IdempotentParameterMismatch":
        (400, "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."),
    "MissingAuthenticationToken": (403, "Request is missing Authentication Token"),
    "IncompleteSignature": (400, "The request signature does not conform to AWS standards."),
    "SignatureDoesNotMatch": (403, "The request signature we calculated does not match the signature you provided. Check your AWS "
                                   "Secret Access Key and signing method. Consult the service documentation for details."),
    "ExpiredToken": (403, "The security token included in the request is expired"),
    "InvalidClientTokenId": (403, "The security token included in the request is invalid."),
    "AuthFailure": (401, "AWS was not able to validate the provided access credentials"),
    "RequestExpired": (400, "Request has expired."),
}


class Refusal(Exception):
    """An error reply. Without a text, the one that belongs to the code."""

    def __init__(self, code: str, text: str | None = None, status: int | None = None):
        known_status, known_text = TEXTS.get(code, (400, code))
        self.code, self.text, self.status = code, known_text if text is None else text, status or known_status
        super().__init__(f"{self.code}: {self.text}")


def not_found(kind: str, id: str) -> Refusal:
    """`kind` as in InvalidNetworkInterfaceID.NotFound: "NetworkInterface"."""
    code, what = {"NetworkInterface": ("InvalidNetworkInterfaceID.NotFound", "networkInterface ID"),
                  "Subnet": ("InvalidSubnetID.NotFound", "subnet ID"),
                  "Instance": ("InvalidInstanceID.NotFound", "instance ID"),
                  "Attachment": ("InvalidAttachmentID.NotFound", "attachment ID"),
                  "Group": ("InvalidGroup.NotFound", "security group"),
                  "Resource": ("InvalidID", "ID")}[kind]
    return Refusal(code, f"The {what} '{id}' {'does not exist' if kind != 'Resource' else 'is not valid'}")
