"""The container image that installs the plugins on a node, run as its DaemonSet says: by podman, offline."""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.namespace import run, unique
from support.sandbox import MARK

from .conftest import need

pytestmark = pytest.mark.xdist_group("runtime")
ROOT = Path(__file__).resolve().parents[2]
BIN, CONF = Path("/opt/cni/bin"), Path("/etc/cni/net.d")


@pytest.fixture(scope="session")
def manifest() -> dict[str, dict]:
    """The objects of the manifest by kind."""
    yaml = pytest.importorskip("yaml", reason="python3-yaml is missing")
    return {one["kind"]: one for one in yaml.safe_load_all((ROOT / "packaging/image/daemonset.yaml").read_text())}


PAGE = "docs/install.md"
DOCUMENTED = re.search(r"^<!-- run: image -->\n```sh\n(.*?)^```$", (ROOT / PAGE).read_text(), re.MULTILINE | re.DOTALL)[1]


def documented(program: str, **words: str) -> list[str]:
    """A command of the page's, with other words in place of some."""
    line = next(line for line in DOCUMENTED.splitlines() if line.startswith(program + " "))
    assert all(word in line.split() for word in words)
    return [words.get(word, word) for word in line.split()]


@pytest.fixture(scope="session")
def staged(plugins, tmp_path_factory) -> Path:
    """What the image is built from."""
    tree = plugins.directory.parent
    if not (tree / "packaging/cmake_install.cmake").exists():
        pytest.skip(f"{tree} is no build tree")
    directory = tmp_path_factory.mktemp("image")
    run(*documented("cmake", **{"build/release": str(tree), "build/image": str(directory)}))
    return directory


@pytest.fixture(scope="session")
def image(podman, staged, manifest) -> str:
    name = manifest["DaemonSet"]["spec"]["template"]["spec"]["initContainers"][0]["image"]
    podman(*documented("podman", **{"registry.example/cnix-plugins:0.1.0": name, "build/image": str(staged)})[1:])
    return name


@pytest.fixture
def node():
    """Empty directories where a node has what CNI needs."""
    places = ("/opt/cni", "/etc/cni", "/var/lib/cni")
    for place in places:
        run("mount", "-t", "tmpfs", "-o", "mode=755", "cnix-image", place)
    yield
    for place in places:
        run("umount", "--recursive", place)


@pytest.fixture
def install(podman, image, manifest, node, tmp_path):
    """Runs a container of the DaemonSet's pod on the node `node-1`, as the manifest says. Options are podman's."""
    pod = manifest["DaemonSet"]["spec"]["template"]["spec"]
    networks = tmp_path / "networks"
    networks.mkdir()
    for name, text in manifest["ConfigMap"]["data"].items():
        (networks / name).write_text(text)
    sources = {volume["name"]: volume["hostPath"]["path"] if "hostPath" in volume else str(networks) for volume in pod["volumes"]}
    created = []

    def start(*options: str, container: dict = pod["initContainers"][0], check: bool = True) -> subprocess.CompletedProcess:
        security = container["securityContext"]
        capabilities = security["capabilities"]
        arguments = ["--network", "host"] if pod["hostNetwork"] else []
        arguments += ["--user", str(security["runAsUser"])]
        arguments += [f"--cap-drop={name}" for name in capabilities["drop"]]
        arguments += [f"--cap-add={name}" for name in capabilities.get("add", ())]
        arguments += ["--read-only", "--read-only-tmpfs=false"] if security["readOnlyRootFilesystem"] else []
        arguments += [] if security["allowPrivilegeEscalation"] else ["--security-opt", "no-new-privileges"]
        for mount in container.get("volumeMounts", ()):
            arguments += ["--volume", f"{sources[mount['name']]}:{mount['mountPath']}{':ro' if mount.get('readOnly') else ''}"]
        created.append(unique("install"))
        words = [word.replace("$(NODE_NAME)", "node-1") for word in container["args"]]
        return podman.run("run", "--name", created[-1], "--log-driver", "k8s-file", *arguments, *options, image, *words, check=check)

    start.networks = networks
    start.log = lambda: podman.run("logs", created[-1]).stderr
    start.wait = lambda: int(podman("wait", created[-1]))
    start.stop = lambda: podman("stop", "--time", "20", created[-1])
    yield start
    for name in created:
        podman("rm", "--force", "--time", "0", name, check=False)


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} if directory.is_dir() else set()


@pytest.fixture
def no_bridge():
    """`cni0` is another kind of interface: STATUS of the manifest's configuration fails."""
    run("ip", "link", "add", "cni0", "type", "veth", "peer", "name", "cni0-peer")
    yield lambda: run("ip", "link", "delete", "cni0", check=False)
    run("ip", "link", "delete", "cni0", check=False)


def test_installs_and_does_nothing_twice(install, plugins):
    BIN.mkdir()
    shutil.copy("/bin/sleep", BIN / "bridge")
    (BIN / "bridge.cnix-install").write_text("left by a run that was killed")
    (BIN / "portmap").write_text("another's")
    with subprocess.Popen([BIN / "bridge", "1000"]) as old:
        done = install()
        assert old.poll() is None, "what runs goes on"
        assert Path(f"/proc/{old.pid}/exe").readlink().name == "bridge (deleted)"
        old.kill()
    assert names(BIN) == {"bridge", "host-local", "portmap"} and names(CONF) == {"10-cnix.conflist"}
    for name in ("bridge", "host-local"):
        assert (BIN / name).stat().st_mode & 0o7777 == 0o755
        assert run(str(BIN / name), "--version").stdout.startswith(f"CNI {name} plugin 0.")
    assert (CONF / "10-cnix.conflist").read_text() == (install.networks / "node-1.conflist").read_text()
    assert (CONF / "10-cnix.conflist").stat().st_mode & 0o7777 == 0o644
    assert done.stderr.count(": installed\n") == 3
    assert run(str(BIN / "bridge"), "--check", str(CONF / "10-cnix.conflist")).stdout.endswith(": fits bridge\n")

    files = {path: path.stat() for path in (*BIN.iterdir(), *CONF.iterdir())}
    assert install().stderr.count(": is this one already\n") == 3
    assert {path: path.stat().st_ino for path in files} == {path: status.st_ino for path, status in files.items()}

    (install.networks / "node-1.conflist").write_text((install.networks / "node-1.conflist").read_text().replace("10.88.1.", "10.88.2."))
    assert install().stderr.count(": installed\n") == 1
    assert "10.88.2." in (CONF / "10-cnix.conflist").read_text()


def test_list_only_once_status_succeeds(install, wait, no_bridge):
    install("--detach")
    assert wait(lambda: "STATUS fails" in install.log()), install.log()
    assert "cni0" in install.log() and "tried again" in install.log()
    assert names(BIN) == {"bridge", "host-local"} and names(CONF) == set()
    no_bridge()
    assert install.wait() == 0, install.log()
    assert names(CONF) == {"10-cnix.conflist"}


def test_ends_when_it_is_told_to(install, wait, no_bridge):
    install("--detach")
    assert wait(lambda: "STATUS fails" in install.log()), install.log()
    before = time.monotonic()
    install.stop()
    assert time.monotonic() - before < 10, "SIGTERM"
    assert install.wait() == 1 and "told to end; /etc/cni/net.d/10-cnix.conflist is as it was" in install.log()
    assert names(CONF) == set() and names(BIN) == {"bridge", "host-local"}


def test_stays_and_leaves_the_node_as_it_is(install, manifest):
    install()
    before = names(BIN) | names(CONF)
    install("--detach", container=manifest["DaemonSet"]["spec"]["template"]["spec"]["containers"][0])
    install.stop()
    assert install.wait() == 0 and names(BIN) | names(CONF) == before


def test_read_only_node(install):
    CONF.mkdir()
    run("mount", "-t", "tmpfs", "-o", "ro", "cnix-image", str(CONF))
    done = install(check=False)
    assert done.returncode == 1 and 'write to the node\'s directory "/etc/cni/net.d": Read-only file system' in done.stderr
    assert names(BIN) == set(), "nothing is installed that no list will name"


# The same program without a container, on a directory that stands for the node's root.

LIST = {"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "bridge", "ipam": {"type": "host-local", "subnet": "10.88.0.0/16"}}]}


@pytest.fixture
def call(plugins, staged, tmp_path):
    """Runs it with a list (of text, of bytes, or none) and further arguments."""
    host = tmp_path / "host"
    host.mkdir()

    def call(content: str | bytes | dict | None, *arguments: str, path: Path = tmp_path / "pods.conflist"):
        if isinstance(content, dict):
            content = json.dumps(content)
        if content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return run(str(staged / "cnix-install"), "--plugins", str(staged / "plugins"), "--host", str(host), *arguments, str(path),
                   "bridge", "host-local", check=False)

    call.host, call.program = host, str(staged / "cnix-install")
    return call


def altered(**keys) -> dict:
    return LIST | {"plugins": [LIST["plugins"][0] | keys]}


REFUSED = {"missing": (None, "there is no network configuration list {}; is the ConfigMap mounted"),
           "empty": ("", "{}:1:1: the text ends where a value is expected"),
           "binary": (b"\x7fELF\0\xff", "{}:1:1: not a JSON value"),
           "cut off": (json.dumps(LIST)[:-2], "{}:1:"),
           "huge": ("{" + " " * (4 << 20), "has at most 4194304 bytes"),
           "no list": (LIST["plugins"][0], "not a list: it has no `plugins`"),
           "no plugin of ours": (LIST | {"plugins": [{"type": "ptp"}]}, "none of its plugins is one that is installed: bridge, host-local"),
           "misspelt": (altered(isGatway=True), "unknown key `isGatway`, did you mean `isGateway`?"),
           "another IPAM": (altered(ipam={"type": "dhcp"}), "bridge refuses the network configuration list:"),
           "hostile name": (LIST | {"name": '","x":"'}, "is not a name")}


@pytest.mark.parametrize("content, message", REFUSED.values(), ids=REFUSED)
def test_refused(call, tmp_path, content, message):
    done = call(content)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("cnix-install: ") and message.format(tmp_path / "pods.conflist") in done.stderr
    assert list(call.host.iterdir()) == []


WRONG = {("--bin-dir",): "--bin-dir has no value", ("--force", "x"): "unknown option --force",
         ("--give-up", "soon"): "--give-up takes a number of seconds, not `soon`",
         ("--as", "a\nb.conflist"): "the list's name has a control character; name it NAME.conflist, with --as\n",
         ("--as", "pods.json"): "runtimes would not read a list `pods.json`", ("--as", "../x.conflist"): "would not read a list `../x.conflist`"}


@pytest.mark.parametrize("arguments, message", WRONG.items(), ids=[" ".join(one) for one in WRONG])
def test_called_wrongly(staged, arguments, message):
    done = run(str(staged / "cnix-install"), *(arguments if len(arguments) == 1 else (*arguments, "/pods.conflist")), check=False)
    assert done.returncode == 2 and message in done.stderr


def test_unknown_plugin_or_host(call, staged, tmp_path):
    (tmp_path / "a.conflist").write_text(json.dumps(LIST))
    for name, message in (("ptp", "has no plugin `ptp`"), (".", "`.` is no plugin's name"), ("../cnix-install", "is no plugin's name")):
        done = run(str(staged / "cnix-install"), "--plugins", str(staged / "plugins"), str(tmp_path / "a.conflist"), name, check=False)
        assert done.returncode == (1 if name == "ptp" else 2) and message in done.stderr
    done = call(LIST, "--host", "/nowhere")
    assert done.returncode == 1 and 'enter the node\'s root directory "/nowhere"; mount it there' in done.stderr


def test_bin_directory_is_a_file(call):
    (call.host / "opt/cni").mkdir(parents=True)
    (call.host / "opt/cni/bin").write_text("")
    done = call(LIST)
    assert done.returncode == 1 and "/opt/cni/bin" in done.stderr and "Not a directory" in done.stderr
    assert not (call.host / "etc").exists()


def test_gives_up(call):
    """The directory has no /proc, /dev or programs; and no address is free."""
    full = altered(ipam={"type": "host-local", "ranges": [[{"subnet": "10.88.0.0/30", "rangeStart": "10.88.0.2", "rangeEnd": "10.88.0.2"}]]})
    leases = call.host / "var/lib/cni/networks/pods"
    leases.mkdir(parents=True)
    (leases / "10.88.0.2").write_text("c1\r\neth0")
    done = call(full, "--give-up", "1")
    assert done.returncode == 1 and "STATUS still fails, and the network configuration list is not installed: bridge: " in done.stderr
    assert names(call.host / "etc/cni/net.d") == set() and names(call.host / "opt/cni/bin") == {"bridge", "host-local"}
    (leases / "10.88.0.2").unlink()
    assert call(full, "--give-up", "1").returncode == 0
    assert names(call.host / "etc/cni/net.d") == {"pods.conflist"}


def test_directories_may_be_links_of_the_node(call):
    """An absolute link leads below the node's root, not the container's."""
    (call.host / "opt").mkdir()
    (call.host / "srv/cni/bin").mkdir(parents=True)
    (call.host / "opt/cni").symlink_to("/srv/cni")
    assert call(LIST, "--give-up", "1").returncode == 0
    assert names(call.host / "srv/cni/bin") == {"bridge", "host-local"}


def test_full_disk_leaves_the_former_plugin(call):
    (call.host / "opt/cni").mkdir(parents=True)
    run("mount", "-t", "tmpfs", "-o", "size=1m", "cnix-image", str(call.host / "opt/cni"))
    (call.host / "opt/cni/bin").mkdir()
    (call.host / "opt/cni/bin/bridge").write_text("the former")
    done = call(LIST)
    assert done.returncode == 1 and 'write the file "/opt/cni/bin/bridge.cnix-install": No space left on device' in done.stderr
    assert names(call.host / "opt/cni/bin") == {"bridge"} and (call.host / "opt/cni/bin/bridge").read_text() == "the former"
    assert names(call.host / "etc/cni/net.d") == set()
    run("umount", str(call.host / "opt/cni"))


def test_what_does_not_reach_the_disk_is_not_renamed(call, staged):
    need("strace")
    (call.host / "opt/cni/bin").mkdir(parents=True)
    (call.host / "opt/cni/bin/bridge").write_text("the former")
    (call.host / "pods.conflist").write_text(json.dumps(LIST))
    done = run("strace", "-qq", "-o", "/dev/null", "-e", "inject=fsync:error=EIO", str(staged / "cnix-install"), "--plugins",
               str(staged / "plugins"), "--host", str(call.host), str(call.host / "pods.conflist"), "bridge", check=False)
    assert done.returncode == 1 and 'write "/opt/cni/bin/bridge.cnix-install" to the disk: Input/output error' in done.stderr
    assert names(call.host / "opt/cni/bin") == {"bridge"} and (call.host / "opt/cni/bin/bridge").read_text() == "the former"


def test_several_at_once(call, staged):
    listed = call.host / "pods.conflist"
    listed.write_text(json.dumps(LIST))
    command = (staged / "cnix-install", "--plugins", staged / "plugins", "--host", call.host, listed)
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    told = [(one.communicate()[1], one.returncode)[::-1] for one in running]
    assert [status for status, _ in told] == [0] * 4, told
    assert sum(text.count("/opt/cni/bin/bridge: installed") for _, text in told) == 1, "the others find it there"
    assert names(call.host / "opt/cni/bin") == names(staged / "plugins") and names(call.host / "etc/cni/net.d") == {"pods.conflist"}


# Runs exclude each other, and nobody else keeps them from it.

LOCK = "run/cnix-install.lock"


@pytest.fixture
def start(call, staged):
    """Starts it on a node that has the plugins of the list already, with strace's words before it."""
    listed = call.host / "pods.conflist"
    listed.write_text(json.dumps(LIST))
    command = (staged / "cnix-install", "--plugins", staged / "plugins", "--host", call.host, listed, "bridge")
    assert run(*map(str, command)).returncode == 0
    shutil.rmtree(call.host / "etc/cni/net.d")
    running = []

    def start(*injected: str) -> subprocess.Popen:
        words = ("strace", "-qq", "-o", "/dev/null", *(f"--inject={one}" for one in injected)) if injected else ()
        running.append(subprocess.Popen((*words, *command), stderr=subprocess.PIPE, text=True))
        return running[-1]

    yield start
    for one in running:
        one.kill()
        one.communicate()


def test_lists_of_two_runs_at_once(call, start, wait):
    """The second neither takes the first's unfinished file for a leftover nor renames it."""
    need("strace")
    conf = call.host / "etc/cni/net.d"
    first = start("renameat:delay_enter=1500000")
    assert wait(lambda: names(conf) == {"pods.conflist.cnix-install"})
    second = start()
    told = {one: one.communicate(timeout=60)[1] for one in (second, first)}
    assert [one.returncode for one in told] == [0, 0], told
    assert 'waits for the lock "/run/cnix-install.lock", which another run holds\n' in told[second] and "waits" not in told[first]
    assert told[first].endswith("pods.conflist: installed\n") and told[second].endswith("pods.conflist: is this one already\n")
    assert names(conf) == {"pods.conflist"} and json.loads((conf / "pods.conflist").read_text()) == LIST


def test_waits_for_the_lock_until_it_is_told_to_end(call, start):
    with (call.host / LOCK).open() as held:
        assert os.fstat(held.fileno()).st_mode & 0o7777 == 0o600, "no other user can hold it"
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = start()
        assert "waits for the lock" in waiting.stderr.readline()
        waiting.send_signal(signal.SIGTERM)
        told = waiting.communicate(timeout=10)[1]
    assert waiting.returncode == 1 and told == "cnix-install: told to end; /etc/cni/net.d/pods.conflist is as it was\n"
    assert names(call.host / "etc/cni/net.d") == set()


def test_a_lock_on_a_directory_is_no_obstacle(call, start):
    """Any user can take one on a directory that it can read."""
    (call.host / "etc/cni/net.d").mkdir()
    held = [os.open(call.host / one, os.O_RDONLY) for one in ("opt/cni/bin", "etc/cni/net.d", "run")]
    for one in held:
        fcntl.flock(one, fcntl.LOCK_EX)
    done = start()
    told = done.communicate(timeout=10)[1]
    for one in held:
        os.close(one)
    assert done.returncode == 0 and "waits" not in told


@pytest.mark.parametrize("step", ("chroot", "renameat"))
def test_told_to_end_before_the_list_is_written(call, start, step):
    """Before the plugins, or after: also when STATUS succeeds at once and it never waits."""
    need("strace")
    (call.host / "opt/cni/bin/bridge").write_text("the former")
    done = start(f"{step}:signal=TERM")
    assert done.communicate(timeout=60)[1].endswith("told to end; /etc/cni/net.d/pods.conflist is as it was\n")
    assert done.returncode == 1 and names(call.host / "etc/cni/net.d") == set()


def test_runs_at_the_moment_that_it_is_in_place(call, start, wait):
    """Nobody has it open for writing any more, which would keep it from being started."""
    need("strace")
    bridge = call.host / "opt/cni/bin/bridge"
    bridge.unlink()
    running = start("renameat:delay_exit=1500000:when=1")
    assert wait(bridge.exists)
    assert run(str(bridge), "--version").stdout.startswith("CNI bridge plugin ")
    assert running.communicate(timeout=60)[0] is None and running.returncode == 0


def test_fifo_in_place_of_the_list(call, tmp_path):
    os.mkfifo(tmp_path / "pods.conflist")
    try:
        done = subprocess.run((call.program, tmp_path / "pods.conflist"), capture_output=True, text=True, timeout=10)
    except subprocess.TimeoutExpired:
        pytest.fail("it waits for somebody who writes")
    assert done.returncode == 1 and done.stderr == f"cnix-install: {tmp_path}/pods.conflist is not a file\n"


def test_another_owner_is_replaced(call):
    """A plugin or a list that somebody else could write to is not taken for what was installed."""
    assert call(LIST).returncode == 0
    files = [call.host / "opt/cni/bin/bridge", call.host / "etc/cni/net.d/pods.conflist"]
    for file in files:
        os.chown(file, 65534, 65534)
    assert call(LIST).stderr.count(": installed\n") == len(files)
    assert [file.stat().st_uid for file in files] == [0, 0]


@pytest.mark.parametrize("name", ("pods.json", "pods.conf", "pods"))
def test_form_is_that_of_the_name_on_the_node(call, tmp_path, name):
    """Also in what the plugin says of a fault: the file that was named."""
    assert call(LIST, "--as", "10-pods.conflist", path=tmp_path / name).returncode == 0
    assert names(call.host / "etc/cni/net.d") == {"10-pods.conflist"}
    done = call(altered(isGatway=True), "--as", "10-pods.conflist", path=tmp_path / name)
    assert f"\n{tmp_path / name}:1:" in done.stderr and "/proc" not in done.stderr


def test_what_is_checked_is_what_is_installed(call, staged, tmp_path):
    """The list is another as soon as it has been read: a ConfigMap's file is changed at any time."""
    plugins, listed, conf = tmp_path / "plugins", tmp_path / "pods.conflist", tmp_path / "conf"
    plugins.mkdir()
    (plugins / "bridge").write_text(f'#!/bin/sh\n[ "$1" != --check ] || echo "{{}}" >{listed}\nexec {staged}/plugins/bridge "$@"\n')
    (plugins / "bridge").chmod(0o755)
    listed.write_text(json.dumps(LIST))
    done = run(call.program, "--plugins", str(plugins), "--host", "/", "--bin-dir", str(tmp_path / "bin"), "--conf-dir", str(conf),
               "--give-up", "0", str(listed), check=False)
    assert done.returncode == 0, done.stderr
    assert listed.read_text() == "{}\n" and json.loads((conf / "pods.conflist").read_text()) == LIST


def test_hidden_files_are_no_plugins(call, staged, tmp_path):
    """Such as a volume's `..data`, or what an editor leaves."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    shutil.copy(staged / "plugins/bridge", plugins / "bridge")
    (plugins / ".bridge.swp").write_text("")
    (plugins / "..data").mkdir()
    (tmp_path / "pods.conflist").write_text(json.dumps(LIST))
    done = run(call.program, "--plugins", str(plugins), "--host", str(call.host), str(tmp_path / "pods.conflist"), check=False)
    assert done.returncode == 0, done.stderr
    assert names(call.host / "opt/cni/bin") == {"bridge"}


STEPS = {"renameat": 3, "fsync": 6, "write": 8, "openat": 20}  # what it does at most until all is installed


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step(call, staged, step):
    """Files are the old ones or the new ones, the list comes last, and the next run finishes."""
    need("strace")
    place, conf = call.host / "opt/cni/bin", call.host / "etc/cni/net.d"
    listed = call.host / "pods.conflist"
    listed.write_text(json.dumps(LIST))
    new = {name: (staged / "plugins" / name).read_bytes() for name in ("bridge", "host-local")}
    command = (str(staged / "cnix-install"), "--plugins", str(staged / "plugins"), "--host", str(call.host), str(listed), *new)
    killed = 0
    for number in range(1, STEPS[step] + 1):
        place.mkdir(parents=True, exist_ok=True)
        for name in new:
            (place / name).write_text("the former")
        done = run("strace", "-qq", "-o", "/dev/null", "-e", f"inject={step}:signal=KILL:when={number}", *command, check=False)
        killed += done.returncode != 0
        state = {name: (place / name).read_bytes() for name in new}
        assert all(state[name] in (b"the former", new[name]) for name in new), number
        assert names(conf) == set() or state == new, number
        run(*command, "--give-up", "0")
        assert {name: (place / name).read_bytes() for name in names(place)} == new, number
        assert (conf / "pods.conflist").read_text() == listed.read_text() and len(names(conf)) == 1
        shutil.rmtree(conf)
    assert killed > STEPS[step] // 2, "strace has not killed it where it works"


@pytest.mark.parametrize("versions, installed", (({"cniVersion": "1.0.0"}, True), ({"cniVersion": "1.1.0"}, False),
                                                 ({"cniVersion": "1.0.0", "cniVersions": ["0.4.0", "1.1.0"]}, False),
                                                 ({"cniVersion": "0.4.0", "cniVersions": ["0.4.0", "1.0.0", "9.9.9"]}, True)))
def test_delegate_that_has_no_status(staged, tmp_path, versions, installed):
    """In a list of versions without STATUS it cannot be asked, and is no obstacle."""
    directories = [tmp_path / "bin", tmp_path / "conf"]
    directories[0].mkdir()
    old = directories[0] / "old-ipam"
    old.write_text("""#!/bin/sh\ncat >/dev/null\necho '{"code": 1, "msg": "incompatible CNI versions"}'\nexit 1\n""")
    old.chmod(0o755)
    content = versions | {"name": "pods", "plugins": [{"type": "bridge-delegate", "ipam": {"type": "old-ipam"}}]}
    (tmp_path / "a.conflist").write_text(json.dumps(content))
    done = run(str(staged / "cnix-install"), "--plugins", str(staged / "plugins"), "--host", "/", "--bin-dir", str(directories[0]),
               "--conf-dir", str(directories[1]), "--give-up", "0", str(tmp_path / "a.conflist"), "bridge-delegate", check=False)
    assert done.returncode == (0 if installed else 1), done.stderr
    assert installed or "old-ipam: incompatible CNI versions" in done.stderr
    assert names(directories[1]) == ({"a.conflist"} if installed else set())
