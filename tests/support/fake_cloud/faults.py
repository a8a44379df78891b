"""What goes wrong on demand: a test plans it for the next calls of an action."""

import fnmatch
import threading
from dataclasses import dataclass, field, replace

from .errors import Refusal

HTML = "<html><head><title>503 Service Temporarily Unavailable</title></head><body><h1>503</h1></body></html>"
BROKEN_XML = '<?xml version="1.0"?>\n<Response><networkInterfaceSet><item></networkInterfaceSet>'
ENTITY_BOMB = ('<?xml version="1.0"?>\n<!DOCTYPE bomb [<!ENTITY a0 "aaaaaaaaaa">'
               + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
               + "]>\n<DescribeNetworkInterfacesResponse><nextToken>&a11;</nextToken></DescribeNetworkInterfacesResponse>")
BODIES = {"empty": "", "html": HTML, "broken": BROKEN_XML, "bomb": ENTITY_BOMB, "huge": "A" * (32 << 20)}
ENDS = ("hang", "reset", "close", "truncate", "stall", "garbage")


@dataclass(frozen=True)
class Reply:
    status: int
    body: str
    type: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = ()
    end: str = ""  # of the connection, instead of a whole reply: one of ENDS


@dataclass
class Fault:
    """See FakeCloud.fail()."""

    target: str
    times: int | None = 1
    skip: int = 0
    code: str = ""
    text: str | None = None
    status: int | None = None
    body: str | None = None
    delay: float = 0
    hold: bool = False
    end: str = ""
    after: bool = False
    where: dict = field(default_factory=dict)
    hit: int = 0  # calls that it met

    def __post_init__(self):
        if self.end not in ("", *ENDS):
            raise ValueError(f"end: {self.end!r} is none of {', '.join(ENDS)}")
        if not (self.code or self.status or self.body is not None or self.delay or self.hold or self.end):
            raise ValueError("a fault needs a code, status, body, delay, hold or end")

    def meets(self, service: str, action: str, parameters: dict) -> bool:
        name = f"{service}:{action}" if ":" in self.target.partition("/")[0] else action
        return fnmatch.fnmatchcase(name, self.target) and all(str(parameters.get(key)) == str(value)
                                                              for key, value in self.where.items())

    @property
    def answers(self) -> bool:
        """The action is not carried out, something else is said."""
        return not self.after and bool(self.code or self.status or self.body not in (None, "half") or
                                       self.end not in ("", "truncate", "stall"))

    def spoil(self, reply: Reply, refused) -> Reply:
        """What is sent in a good reply's place. `refused` makes a Reply of a Refusal."""
        if self.code:
            reply = refused(Refusal(self.code, self.text, self.status))
        elif self.status:
            reply = replace(reply, status=self.status, body="")
        if self.body == "half":
            reply = replace(reply, body=reply.body[:len(reply.body) // 2])
        elif self.body is not None:
            body = BODIES.get(self.body, self.body)
            reply = replace(reply, body=body, type="text/html" if self.body == "html" else reply.type)
        return replace(reply, end=self.end)


class Faults:
    """Planned faults, in order: the first that meets a call has it. The cloud's lock is held in each function."""

    def __init__(self):
        self.planned: list[Fault] = []
        self.waiting: list[threading.Event] = []  # of calls that are held or delayed

    def add(self, fault: Fault) -> Fault:
        self.planned.append(fault)
        return fault

    def take(self, service: str, action: str, parameters: dict) -> Fault | None:
        for fault in self.planned:
            if not fault.meets(service, action, parameters):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.hit += 1
            if fault.times is not None:
                fault.times -= 1
                if not fault.times:
                    self.planned.remove(fault)
            return fault
        return None

    def clear(self) -> None:
        self.planned.clear()
