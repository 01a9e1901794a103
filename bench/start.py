"""How long a user waits: for `crawler --version`, and until a crawl asks for its first URL.

    .venv/bin/python bench/start.py

Median wall and CPU seconds of ten starts each, with the crawler installed as a user installs it. A
server on loopback notes when it is first asked for anything: with robots.txt on, that is asked for.
Exit code 1 when a median is over its limit.
"""

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from install import install
from run import system_named
from systems import OURS, OURS_COMMAND, ROOT, WORK

LIMITS = {"--version": 0.15, "crawl": 0.3, "run": 0.3}  # seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    WORK.mkdir(exist_ok=True)
    install([system_named(OURS)])
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = "http://{}:{}/".format(*server.getsockname())
        commands = {
            "--version": ["--version"],
            "crawl": ["crawl", url, "--quiet"],
            "run": ["run", "quotes", "-a", f"base={url}", "--quiet"],
        }
        one_start(commands["run"], server)  # compiles the spider, fills the disk's cache
        waits = {
            name: [one_start(command, server) for _ in range(rounds)]
            for name, command in commands.items()
        }
    print("| command | wall s | of them CPU | at most |\n|---|---|---|---|")
    late = False
    for name, pairs in waits.items():
        wall, cpu = (statistics.median(values) for values in zip(*pairs, strict=True))
        late = late or wall > LIMITS[name]
        print(f"| crawler {name} | {wall:.3f} | {cpu:.3f} | {LIMITS[name]} |")
    return 1 if late else 0


def one_start(arguments: list[str], server: socket.socket) -> tuple[float, float]:
    """Return wall and CPU seconds until the command asks the server for something, or ends."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory(dir=WORK) as directory:
        Path(directory, "spiders").symlink_to(ROOT / "spiders")
        began = time.monotonic()
        process = subprocess.Popen(
            [OURS_COMMAND, *arguments], cwd=directory, env=environment, stdout=subprocess.DEVNULL
        )
        if arguments != ["--version"]:
            server.settimeout(30.0)
            client, _ = server.accept()
            with client:
                client.recv(1)
                wall = time.monotonic() - began
                process.send_signal(signal.SIGKILL)
                _, _, usage = os.wait4(process.pid, 0)
        else:
            _, _, usage = os.wait4(process.pid, 0)
            wall = time.monotonic() - began
        process.returncode = 0
    return wall, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
