"""CNI plugins run as processes, in a namespace that plays the node."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from .namespace import Namespace, Pod
from .sandbox import MARK

VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
CHECK_VERSIONS = VERSIONS[4:]
BRIDGES = ("bridge", "bridge-iptables", "bridge-delegate")
ADD_TIMEOUT = 60


@dataclass
class Outcome:
    """What a plugin process left: exit status and output."""

    verb: str
    code: int
    stdout: str
    stderr: str

    def __str__(self) -> str:
        return f"{self.verb}: exit {self.code}\nstdout: {self.stdout}\nstderr: {self.stderr}"

    @property
    def json(self) -> dict:
        try:
            return json.loads(self.stdout)
        except ValueError as error:
            raise AssertionError(f"not one JSON document ({error}): {self}") from None

    def success(self) -> dict | None:
        """The result of ADD and VERSION; DEL, CHECK, GC and STATUS print nothing."""
        assert self.code == 0, str(self)
        if self.verb in ("ADD", "VERSION"):
            return self.json
        assert self.stdout == "", str(self)
        return None

    def failure(self, code: int | None = None, *texts: str) -> dict:
        """The error object, with `code` if given and each of the texts in its message or details."""
        assert self.code == 1, str(self)
        error = self.json
        assert isinstance(error.get("code"), int) and error.get("msg"), str(self)
        assert code is None or error["code"] == code, str(self)
        said = error["msg"] + "\n" + error.get("details", "")
        for text in texts:
            assert text.lower() in said.lower(), f"{text!r} is not said: {self}"
        return error


# A command prefix for Node.cni: without the capability that all changes of the network need.
UNPRIVILEGED = ("setpriv", "--inh-caps=-net_admin", "--bounding-set=-net_admin", "--")


def hidden(*patterns: str) -> tuple[str, ...]:
    """A command prefix for Node.cni: the files that match the shell patterns are empty and cannot be executed."""
    return ("unshare", "--mount", "sh", "-c",
            f"for f in {' '.join(patterns)}; do mount --bind -o ro,noexec {MARK}/empty $f || exit 99; done; exec \"$@\"", "sh")


IPTABLES = "/usr/sbin/xtables-*-multi"
NFT = "/usr/sbin/nft"


class Plugins:
    """A directory of plugin binaries: ours, or the reference's."""

    def __init__(self, directory: Path):
        self.directory = directory.resolve()
        self.reference = not (self.directory / "bridge-iptables").exists()

    def __contains__(self, name: str | Path) -> bool:
        return self.path(name).exists()

    def path(self, name: str | Path) -> Path:
        # The reference's bridge masquerades with iptables and always delegates.
        return self.directory / ("bridge" if self.reference and name in BRIDGES else name)


class Node(Namespace):
    """A network namespace in the part of a node, with a directory for what plugins keep on disk."""

    def __init__(self, plugins: Plugins):
        super().__init__("node")
        self.plugins = plugins
        self.directory = MARK / self.name
        self.data = self.directory / "networks"
        self.directory.mkdir()
        self._resources: list = []

    def own(self, resource):
        """Closes it with the node."""
        self._resources.append(resource)
        return resource

    def pod(self) -> Pod:
        return self.own(Pod())

    def close(self) -> None:
        for resource in reversed(self._resources):
            resource.close()
        super().close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def config(self, **keys) -> dict:
        """A network of this node: keys replace the defaults below, None leaves one out."""
        config = {"cniVersion": "1.0.0", "name": "net", "type": "bridge", "bridge": "cni-test"} | keys
        return {key: value for key, value in config.items() if value is not None}

    def ipam(self, *subnets: str, **keys) -> dict:
        """host-local with one range set a subnet."""
        ipam = {"type": "host-local", "dataDir": str(self.data)}
        if subnets:
            ipam["ranges"] = [[{"subnet": subnet}] for subnet in subnets]
        return ipam | keys

    def leases(self, network: str = "net") -> dict[str, tuple[str, str]]:
        """(container, interface) by address, read from the files."""
        directory = self.data / network
        if not directory.is_dir():
            return {}
        found = {}
        for file in directory.iterdir():
            if file.name[0].isdigit() or ":" in file.name:
                container, _, interface = file.read_bytes().decode().strip().partition("\r\n")
                found[file.name] = (container, interface)
        return found

    def cni(self, verb: str, config: dict | str, plugin: str = "bridge", *, container: str = "", netns: str = "",
            ifname: str = "", args: str | None = None, path: str | None = None, env: dict | None = None,
            prefix: tuple[str, ...] = (), timeout: float = ADD_TIMEOUT) -> Outcome:
        """One run of a plugin. `env` is applied last (None removes a variable); `prefix` is a command before the binary's."""
        text = config if isinstance(config, str) else json.dumps(config)
        environment = {"PATH": os.environ.get("PATH", ""), "CNI_COMMAND": verb, "CNI_CONTAINERID": container,
                       "CNI_NETNS": netns, "CNI_IFNAME": ifname, "CNI_ARGS": args,
                       "CNI_PATH": str(self.plugins.directory) if path is None else path}
        environment |= {key: value for key, value in os.environ.items() if key.endswith("SAN_OPTIONS")}
        environment |= env or {}
        done = subprocess.run(
            self.argv(*prefix, str(self.plugins.path(plugin))), input=text, capture_output=True, text=True,
            timeout=timeout, env={key: value for key, value in environment.items() if value is not None})
        return Outcome(verb, done.returncode, done.stdout, done.stderr)

    def attach(self, config: dict, pod: Pod | None = None, **options) -> "Attachment":
        """A new attachment whose ADD has succeeded, of a new pod unless one is given."""
        attachment = Attachment(self, config, pod or self.pod(), **options)
        attachment.add()
        return attachment


@dataclass
class Attachment:
    """One interface of one pod on one network, through its verbs."""

    node: Node
    config: dict
    pod: Pod
    ifname: str = "eth0"
    plugin: str = "bridge"
    args: str | None = None
    result: dict = field(default_factory=dict)

    def run(self, verb: str, **options) -> Outcome:
        """The verb as a runtime would run it: with the result of ADD as prevResult, where the version has that, or `prev` is "always"."""
        config = dict(options.pop("config", self.config))
        if verb in ("CHECK", "DEL") and (prev := options.pop("prev", True)) and self.result:
            if config["cniVersion"] in CHECK_VERSIONS or prev == "always":
                config["prevResult"] = self.result
        options = {"container": self.pod.container, "netns": self.pod.path, "ifname": self.ifname, "args": self.args,
                   "plugin": self.plugin} | options
        return self.node.cni(verb, config, **options)

    def add(self, **options) -> dict:
        self.result = self.run("ADD", **options).success()
        return self.result

    def check(self, **options) -> None:
        self.run("CHECK", **options).success()

    def delete(self, **options) -> None:
        self.run("DEL", **options).success()

    # What ADD told.

    @property
    def host_interface(self) -> str:
        return self.result["interfaces"][1]["name"]

    @property
    def mac(self) -> str:
        return self.result["interfaces"][2]["mac"]

    @property
    def prefixes(self) -> list[str]:
        if "ips" in self.result:
            return [ip["address"] for ip in self.result["ips"]]
        return [self.result[key]["ip"] for key in ("ip4", "ip6") if key in self.result]

    @property
    def addresses(self) -> list[str]:
        return [prefix.partition("/")[0] for prefix in self.prefixes]

    @property
    def address(self) -> str:
        return self.addresses[0]

    @property
    def gateway(self) -> str:
        return self.result["ips"][0]["gateway"]
