"""What the programs here that time plugins have in common: namespaces, processes, rounds, tables. README.md says how they measure."""

import argparse
import json
import os
import pathlib
import platform
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent
RUN = pathlib.Path("/run/cnix-bench")  # on a tmpfs that only the program's own mount namespace has
INSIDE = "CNIX_BENCH_INSIDE"  # in the environment once the program is in its namespaces
WARM_UP = 3  # rounds before those that count
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def die(text):
    progress("")
    raise SystemExit(f"bench/{pathlib.Path(sys.argv[0]).name}: {text}")


@dataclass
class Ended:
    """How a program that the launcher ran ended; times in ns, memory in kB."""

    start: int
    end: int
    status: int
    maxrss: int
    output: pathlib.Path

    def check(self, what):
        if self.status != 0:
            die(f"{what} failed (wait status {self.status}): {self.output.read_text().strip()}")
        return self


class Node:
    """A network namespace in the part of a machine, and the launcher (spawn.c) in it."""

    def __init__(self, name, launcher):
        self.output = RUN / "output" / name
        self.output.mkdir(parents=True)
        self.launcher = subprocess.Popen(
            ["unshare", "--net", launcher], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, *jobs):
        """Starts all jobs, each (stdin, environment, argv), together. Returns an Ended for each."""
        outputs = [self.output / str(i) for i in range(len(jobs))]
        for (stdin, environment, argv), output in zip(jobs, outputs):
            variables = [f"{key}={value}" for key, value in environment.items()]
            line = "\t".join(map(str, (stdin, output, *variables, "--", *argv)))
            self.launcher.stdin.write(line + "\n")
        self.launcher.stdin.write("\n")
        self.launcher.stdin.flush()
        answers = [self.launcher.stdout.readline().split() for _ in jobs]
        if not all(answers):
            die("the launcher ended before its answer")
        return [Ended(*map(int, answer), output) for answer, output in zip(answers, outputs)]


@dataclass
class Pod:
    number: int  # names the container; the floors derive addresses from it. At most 16000.
    netns: pathlib.Path
    interface: str = "eth0"
    default_route: bool = True

    @property
    def container(self):
        return f"bench{self.number:059d}"


@dataclass
class Subject:
    """A row of the tables. `reference` is the key of the row it is to be faster than, `floor` of the one that it cannot be."""

    key: str
    title: str
    reference: str = ""
    floor: str = "floor"


def make_netns(name):
    path = RUN / name
    path.touch()
    subprocess.run(["unshare", f"--net={path}", "true"], check=True)
    return path


def first_decile(samples):
    return sorted(samples)[len(samples) // 10]


def ratio(samples, over):
    """How two rows compare: the ratio of medians, the range that 90 % of resamples of the rounds give it, and the
    ratio of first deciles."""
    rounds, dice = range(len(samples)), random.Random(1)
    again = []
    for _ in range(300):
        drawn = dice.choices(rounds, k=len(rounds))
        again.append(statistics.median(samples[i] for i in drawn) / statistics.median(over[i] for i in drawn))
    again.sort()
    median = statistics.median(samples) / statistics.median(over)
    return median, again[15], again[284], first_decile(samples) / first_decile(over)


class Bench:
    """A run. Who derives from it fills `contenders`, and has a method for each section."""

    beside = "reference"  # what it compares with
    needs = ("floor", "spawn")  # of the build directory's bench/

    @property
    def slower(self):
        return f"{self.beside} is x slower"

    def __init__(self, options):
        self.options = options
        self.tools, self.ours = options.build / "bench", options.installed
        self.records = []
        self.pods = []
        self.left_out = set()
        self.contenders = []

    def wants(self, key):
        return not self.options.who or key in self.options.who

    def there(self, program):
        if not program.exists() and program not in self.left_out:
            self.left_out.add(program)
            print(f"left out: {program} does not exist")
        return program.exists()

    # --- the parts of a measurement -------------------------------------------------------------------------------

    def pod(self, i):
        while len(self.pods) <= i:
            self.pods.append(Pod(len(self.pods) + 1, make_netns(f"pod{len(self.pods)}")))
        return self.pods[i]

    def interleave(self, subjects, rounds, once):
        """Calls once(subject), which returns a list of ns, for every subject in every round, in another order each
        round. Returns {key: [list of each round]}."""
        dice = random.Random(1)
        samples = {subject.key: [] for subject in subjects}
        for i in range(WARM_UP + rounds):
            progress(f"round {i + 1} of {WARM_UP + rounds}")
            for subject in dice.sample(subjects, len(subjects)):
                numbers = once(subject)
                if i >= WARM_UP:
                    samples[subject.key].append(numbers)
        progress("")
        return samples

    def table(self, what, subjects, samples, expected={}):
        """Prints the rows; a sample is in ns. `expected` has by row what stands behind the ratio to the floor, behind the one to the
        reference, and, if it has a third, behind the row."""
        if not samples:
            return
        rounds = len(next(iter(samples.values())))
        print(f"\n{what} ({rounds} rounds), ms")
        print(f"{'':36}{'min':>8}{'median':>9}{'p99':>9}   {'x floor':33}{self.slower:33}")
        for subject in subjects:
            row = samples[subject.key]
            p99 = sorted(row)[-(-99 * rounds // 100) - 1]
            text = f"{subject.title:36}{min(row) / 1e6:8.2f}{statistics.median(row) / 1e6:9.2f}{p99 / 1e6:9.2f}   "
            record = {"table": what, "row": subject.key, "ns": row}
            wishes = (*expected.get(subject.key, ()), "", "", "")
            compared = (
                ("floor", subject.key != subject.floor and samples.get(subject.floor), lambda over: ratio(row, over)),
                ("reference", samples.get(subject.reference), lambda over: ratio(over, row)),
            )
            for column, (name, other, of) in enumerate(compared):
                cell = ""
                if other:
                    middle, low, high, decile = record[f"ratio_{name}"] = of(other)
                    cell = f"{middle:.2f} ({low:.2f}-{high:.2f}) {decile:.2f} {wishes[column]}"
                text += f"{cell:33}"
            text += wishes[2]
            self.records.append(record)
            print(text.rstrip(), flush=True)

    def tidy(self, contender, pods):
        """Removes what a contender's DEL leaves."""

    def verbs(self, contenders, rounds, parallel, more="", expected={}):
        """ADD and DEL of as many pods at once. `more` is said of them in the tables' heads, `expected` of ADD's."""
        pods = [self.pod(i) for i in range(parallel)]

        def once(contender):
            times = []
            for verb in ("ADD", "DEL"):
                batch = contender.node.run(*(contender.job(verb, pod) for pod in pods))
                for ended in batch:
                    ended.check(f"{contender.title}: {verb}")
                times.append(max(e.end for e in batch) - min(e.start for e in batch))
            self.tidy(contender, pods)
            return times

        samples = self.interleave(contenders, rounds, once)
        pods_text = "one pod" if parallel == 1 else f"{parallel} pods at once, first start to last end"
        for i, verb in enumerate(("ADD", "DEL")):
            columns = {key: [numbers[i] for numbers in rows] for key, rows in samples.items()}
            self.table(f"{verb}, {pods_text}{more}", contenders, columns, expected if verb == "ADD" else {})

    def starts(self, programs, expected={}):
        """Of `programs`, (title, what to start, key of the reference) by key."""
        subjects = [Subject(key, title, of) for key, (title, argv, of) in programs.items() if self.there(argv[0])]
        node = Node("start", self.tools / "spawn")

        def once(subject):
            ended = node.run(("/dev/null", {"CNI_COMMAND": "VERSION", "PATH": PATH}, programs[subject.key][1]))[0]
            ended.check(f"{subject.title}: VERSION")
            return [ended.end - ended.start]

        samples = self.interleave(subjects, 2 * self.options.rounds, once)
        self.table("process start (VERSION)", subjects, {k: [n for (n,) in v] for k, v in samples.items()}, expected)


def machine():
    cpu = "unknown CPU"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
    load = " ".join(f"{n:.1f}" for n in os.getloadavg())
    return f"{os.cpu_count()} x {cpu}, Linux {platform.release()}, load {load}"


def first_line(*argv):
    try:
        ran = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, env={"PATH": PATH})
        return ((ran.stdout or ran.stderr).strip().splitlines() or [f"{argv[0]}: says nothing of itself"])[0]
    except OSError as error:
        return f"{argv[0]}: {error.strerror}"


def arguments(about, sections, rows, parallel):
    """The options that all of these programs have."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release", help="our build directory")
    parser.add_argument("--rounds", type=int, default=100, help="rounds, one pod at a time (parallel: a tenth)")
    parser.add_argument("--parallel", type=int, default=parallel, metavar="N", help="pods at once")
    parser.add_argument("--only", nargs="+", choices=sections, default=sections, help="sections to run")
    parser.add_argument("--who", nargs="+", metavar="ROW", help=f"rows to run: {rows}")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write every sample there too")
    return parser


def run(bench_type, options, versions):
    """The sections that the options name, in namespaces of their own. `versions` tells what else takes part."""
    options.build = options.build.resolve()
    for tool in bench_type.needs:
        if not (options.build / "bench" / tool).exists():
            die(f"no {options.build}/bench/{tool}; make it with: cmake --build {options.build} --target bench")
    if os.geteuid() != 0:
        die("needs root, for network namespaces of its own")
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        own = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        os.execvp("unshare", ["unshare", *own, sys.executable, *sys.argv])
    json_file = options.json and open(options.json, "w")  # before /run is covered

    os.nice(-20)  # for all rows alike: else what else runs decides the medians
    signal.signal(signal.SIGTERM, lambda *_: die("ended"))  # the first process of a PID namespace has no default
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run"], check=True)
    RUN.mkdir()
    options.installed = options.build / "bench" / "installed"
    shutil.rmtree(options.installed, ignore_errors=True)
    shutil.copytree(options.build / "bin", options.installed)
    versions = versions()
    print(f"{machine()}\n{bench_type.beside}: {'; '.join(versions)}")
    began, bench = time.time(), bench_type(options)
    for contender in bench.contenders:
        bench.verify(contender)
    for section in options.only:
        getattr(bench, section.replace("-", "_"))()
    print("\nRatios: of medians of interleaved rounds (where 90 % of resampled rounds put it), and of first deciles.")
    print(f"{time.time() - began:.0f} s, load {' '.join(f'{n:.1f}' for n in os.getloadavg())}")
    if json_file:
        json.dump({"machine": machine(), "versions": versions, "tables": bench.records}, json_file)
