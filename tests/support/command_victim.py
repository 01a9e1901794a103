"""Commands to be killed: for each line of JSON a fork of this process runs one, and a line answers.

A line is `{"arguments": […], "folder": …, "seconds": …}`: after so many seconds the command is
killed, null lets it end. The answer is its exit code, null where it was killed. All that commands
need is imported here once, before "ready" is said, so that a kill finds them at work and not at
imports; and they write in small steps, so that it finds them between two of them.
"""

import json
import os
import select
import signal
import sys

import crawler.cli.runner
import crawler.engine.assembly
import crawler.export.import_
import crawler.export.warc
import crawler.inspect.search
import crawler.reparse.pages
import crawler.reparse.writer
import crawler.store.revisit_queue
import crawler.store.sqlite
from crawler.cli import run

STEP = 10  # pages in one transaction


def command(arguments: list[str], folder: str, pipe: int) -> None:
    """Run a command, tell its exit code through the pipe, and end the process."""
    os.chdir(folder)
    log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(log, number)
    crawler.reparse.pages.CHUNK = crawler.export.import_._BATCH = crawler.inspect.search._BATCH = (
        STEP
    )
    crawler.store.revisit_queue.AT_ONCE = crawler.store.revisit_queue.LOW = STEP
    try:
        os.write(pipe, bytes([run(arguments)]))
    finally:
        os._exit(0)


def killed_after(seconds: float | None, arguments: list[str], folder: str) -> int | None:
    """Give the exit code of a command, None where it was killed first."""
    receiver, sender = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(receiver)
        command(arguments, folder, sender)
    os.close(sender)
    ready, _, _ = select.select([receiver], [], [], seconds)
    if not ready:
        os.kill(pid, signal.SIGKILL)
    told = os.read(receiver, 1)
    os.waitpid(pid, 0)
    os.close(receiver)
    return told[0] if told else None


def main() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        code = killed_after(asked["seconds"], asked["arguments"], asked["folder"])
        print(json.dumps(code), flush=True)


if __name__ == "__main__":
    main()
