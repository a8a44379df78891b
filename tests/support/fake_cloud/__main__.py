"""The fake cloud as a program.

    python3 -m support.fake_cloud [--imds ADDRESS] [--ec2 ADDRESS] [--state FILE] [--hook COMMAND] [--frozen-clock]

It prints `ready`, then a line of JSON with its URLs, and ends with its standard input. Each line there is a control call, answered by
a line; the same can be POSTed to /control of either address:

    {"call": "throttle", "args": ["AssignPrivateIpAddresses"], "kwargs": {"times": 3}}

COMMAND is run by a shell for each event, with `attach`, `detach`, `assign` ... as $1, the ENI as JSON in its standard input, its MAC as
$2 and the addresses after it.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

from . import FakeCloud


def run_hook(command: str):
    def hook(event, eni, addresses):
        if event != "there":
            subprocess.run(["sh", "-c", f'{command} "$@"', "hook", event, eni.mac, *addresses], check=True, text=True,
                           input=json.dumps(dataclasses.asdict(eni)), stdout=sys.stderr)
    return hook


def main():
    parser = argparse.ArgumentParser(prog="fake_cloud", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--imds", default="127.0.0.1:0", help="HOST:PORT, [HOST]:PORT; empty for none")
    parser.add_argument("--ec2", default="127.0.0.1:0")
    parser.add_argument("--state", type=Path, help="JSON, see FakeCloud.build()")
    parser.add_argument("--hook", default="")
    parser.add_argument("--frozen-clock", action="store_true", help="time passes by the control `advance` only")
    options = parser.parse_args()
    state = json.loads(options.state.read_text()) if options.state else None
    with FakeCloud(state, options.imds, options.ec2, options.frozen_clock, run_hook(options.hook) if options.hook else None) as cloud:
        print("ready", flush=True)
        print(json.dumps({"imds": cloud.imds_url, "ec2": cloud.ec2_url}), flush=True)
        for line in sys.stdin:
            print(cloud.control(line)[1], flush=True)


if __name__ == "__main__":
    main()
