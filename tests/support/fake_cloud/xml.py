"""Replies of the query protocol."""

import itertools
from xml.sax.saxutils import escape

from .errors import Refusal
from .faults import Reply

EC2 = "http://ec2.amazonaws.com/doc/2016-11-15/"
STS = "https://sts.amazonaws.com/doc/2011-06-15/"
_serial = itertools.count(1)


def request_id() -> str:
    return f"59dbff89-35bd-4eac-99ed-{next(_serial):012x}"


def elements(value) -> str:
    """A dict is elements, a list is <item>s, None is nothing."""
    if isinstance(value, dict):
        return "".join(f"<{name}>{elements(one)}</{name}>" for name, one in value.items() if one is not None)
    if isinstance(value, (list, tuple)):
        return "".join(f"<item>{elements(one)}</item>" for one in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else escape(str(value))


def ec2_reply(action: str, content: dict) -> Reply:
    return Reply(200, f'<?xml version="1.0" encoding="UTF-8"?>\n<{action}Response xmlns="{EC2}"><requestId>{request_id()}</requestId>'
                      f"{elements(content)}</{action}Response>", "text/xml;charset=UTF-8")


def ec2_error(refusal: Refusal) -> Reply:
    error = elements({"Errors": {"Error": {"Code": refusal.code, "Message": refusal.text}}, "RequestID": request_id()})
    return Reply(refusal.status, f'<?xml version="1.0" encoding="UTF-8"?>\n<Response>{error}</Response>', "text/xml;charset=UTF-8")


def sts_reply(action: str, content: dict) -> Reply:
    return Reply(200, f'<{action}Response xmlns="{STS}"><{action}Result>{elements(content)}</{action}Result><ResponseMetadata>'
                      f"<RequestId>{request_id()}</RequestId></ResponseMetadata></{action}Response>", "text/xml")


def sts_error(refusal: Refusal) -> Reply:
    error = elements({"Error": {"Type": "Sender" if refusal.status < 500 else "Receiver", "Code": refusal.code, "Message": refusal.text},
                      "RequestId": request_id()})
    return Reply(refusal.status, f'<ErrorResponse xmlns="{STS}">{error}</ErrorResponse>', "text/xml")
