"""A client of the query API, for tests that only want something done; errors are Refusals."""

import http.client
import time
import urllib.parse
import xml.etree.ElementTree as tree

from . import signature
from .ec2 import VERSION
from .errors import Refusal
from .keys import EXAMPLE


def call(url: str, action: str, key: str = EXAMPLE[0], secret: str = EXAMPLE[1], token: str = "", region: str = "us-west-2",
         **parameters: object) -> tree.Element:
    """The reply without namespaces. A dot of a parameter's name is written as `__`: NetworkInterfaceId__1."""
    form = {"Action": action, "Version": VERSION} | {name.replace("__", "."): str(value) for name, value in parameters.items()}
    body = urllib.parse.urlencode(form).encode()
    where = urllib.parse.urlsplit(url)
    headers = {"host": where.netloc, "content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    headers = signature.authorization(key, secret, token, region, "ec2", time.strftime(signature.DATE, time.gmtime()), "POST", "/", headers,
                                      body)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
    try:
        connection.request("POST", "/", body, headers)
        reply = connection.getresponse()
        root = tree.fromstring(reply.read())
    finally:
        connection.close()
    for element in root.iter():
        element.tag = element.tag.partition("}")[2] or element.tag
    if reply.status != 200:
        raise Refusal(root.findtext(".//Code"), root.findtext(".//Message"), reply.status)
    return root
