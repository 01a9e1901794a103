"""A stand-in for the machine's resolver: names lead where a test says, or nowhere."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

Answer = list[str] | int | Callable[[], list[str]]
"""Addresses, an error of getaddrinfo (EAI_…), or what gives the addresses."""


class Names:
    """Answers by name; `asked` counts. A name without an answer does not exist."""

    def __init__(self, **answers: Answer) -> None:
        self.answers: dict[str, Answer] = {f"{name}.example": a for name, a in answers.items()}
        self.asked: dict[str, int] = {}
        self.silence = threading.Event()

    def hang(self) -> list[str]:
        """Give no answer until the test is over."""
        self.silence.wait(15)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    def __call__(self, host: Any, port: Any, *rest: Any, **options: Any) -> list[Any]:
        name = str(host.decode() if isinstance(host, bytes) else host).removesuffix(".")
        if not name.endswith(".example"):
            return real(host, port, *rest, **options)
        self.asked[name] = self.asked.get(name, 0) + 1
        answer = self.answers.get(name, socket.EAI_NONAME)
        if isinstance(answer, int):
            raise socket.gaierror(answer, "as the stub has it")
        found = answer() if callable(answer) else answer
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port or 0)) for each in found]


real = socket.getaddrinfo


@contextmanager
def names(**answers: Answer) -> Iterator[Names]:
    """Let names under .example lead where `answers` says; everything else is as it is."""
    stub = Names(**answers)
    with mock.patch("socket.getaddrinfo", stub):
        try:
            yield stub
        finally:
            stub.silence.set()


@contextmanager
def only_loopback() -> Iterator[list[str]]:
    """Refuse every connection that leaves the machine, and note the addresses in their order."""
    loop = asyncio.get_running_loop()
    asked: list[str] = []
    connect = loop.sock_connect

    async def guarded(sock: socket.socket, address: Any) -> None:
        asked.append(address[0])
        if not address[0].startswith("127."):
            raise ConnectionRefusedError(f"{address[0]} is not of this machine")
        await connect(sock, address)

    with mock.patch.object(loop, "sock_connect", guarded):
        yield asked
