"""Credentials: those handed out, and whose they are."""

import itertools
import secrets
import time

from .errors import Refusal
from .imds import iso
from .model import Cloud

EXAMPLE = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")  # of the signature's test vectors


class Keyring:
    def __init__(self, cloud: Cloud):
        self.cloud = cloud
        self.keys: dict[str, list] = {EXAMPLE[0]: [EXAMPLE[1], "", None]}  # secret, session token, end
        self.web_tokens: dict[str, str] = {}  # the token, its subject; "expired:..." as a subject for one that is over
        self.roles: set[str] = set()  # ARNs that web identities may take; empty: any
        self.current = ""  # the instance role's key
        self._serial = itertools.count(1)

    def now(self) -> float:
        """The cloud's time of day. Not that of its clock: what a test advances need not be the client's time."""
        return time.time() + self.cloud.knobs.skew

    def issue(self, life: float) -> tuple[str, str, str, float]:
        key, secret, token = f"ASIA{next(self._serial):016d}", secrets.token_urlsafe(30), secrets.token_urlsafe(200)
        end = float(int(self.now() + life))
        self.keys[key] = [secret, token, end]
        return key, secret, token, end

    def known(self, key: str) -> tuple[str, str, float | None] | None:
        return tuple(self.keys[key]) if key in self.keys else None

    def expire(self) -> None:
        """All session credentials are over; the metadata hands out new ones."""
        for state in self.keys.values():
            state[2] = state[2] and self.now()

    def document(self) -> dict:
        """As iam/security-credentials/ROLE; new credentials come when a tenth of the old ones' life is left."""
        life = self.cloud.knobs.credentials_life
        if not self.current or self.keys[self.current][2] - self.now() <= life / 10:
            self.current = self.issue(life)[0]
        secret, token, end = self.keys[self.current]
        return {"Code": "Success", "LastUpdated": iso(end - life), "Type": "AWS-HMAC", "AccessKeyId": self.current,
                "SecretAccessKey": secret, "Token": token, "Expiration": iso(end)}

    def assume(self, parameters: dict) -> dict:
        """STS's AssumeRoleWithWebIdentity, which is not signed."""
        for name in ("RoleArn", "RoleSessionName", "WebIdentityToken"):
            if not parameters.get(name):
                raise Refusal("ValidationError", f"1 validation error detected: Value null at '{name[0].lower()}{name[1:]}' failed to "
                                                 "satisfy constraint: Member must not be null")
        subject = self.web_tokens.get(parameters["WebIdentityToken"])
        if subject is None:
            raise Refusal("InvalidIdentityToken", "The ID Token provided is not a valid JWT.")
        if subject.startswith("expired:"):
            raise Refusal("ExpiredTokenException", "Token expired: current date/time must be before the expiration date/time")
        if self.roles and parameters["RoleArn"] not in self.roles:
            raise Refusal("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403)
        duration = parameters.get("DurationSeconds", "3600")
        if not duration.isascii() or not duration.isdigit() or not 900 <= int(duration) <= 43200:
            raise Refusal("ValidationError", f"1 validation error detected: Value '{duration}' at 'durationSeconds' failed to satisfy "
                                             "constraint: Member must have value greater than or equal to 900")
        key, secret, token, end = self.issue(int(duration))
        session = parameters["RoleSessionName"]
        arn = parameters["RoleArn"].replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
        return {"SubjectFromWebIdentityToken": subject, "Audience": "sts.amazonaws.com",
                "AssumedRoleUser": {"Arn": f"{arn}/{session}", "AssumedRoleId": f"AROA0123456789ABCDEF0:{session}"},
                "Credentials": {"AccessKeyId": key, "SecretAccessKey": secret, "SessionToken": token, "Expiration": iso(end)},
                "Provider": "arn:aws:iam::123456789012:oidc-provider/oidc.example"}
