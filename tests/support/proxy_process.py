"""A proxy in a process of its own: HTTP (absolute URLs and CONNECT) and SOCKS5 on one port.

    python proxy_process.py [user:password]

Prints its port, then a line for each request. Every target leads to 127.0.0.1, whatever its name.
"""

import asyncio
import base64
import sys


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def join(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, head: bytes = b""
) -> None:
    there, back = await asyncio.open_connection("127.0.0.1", port)
    back.write(head)
    await asyncio.gather(pump(reader, back), pump(there, writer))


async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes) -> None:
    head = first + await reader.readuntil(b"\r\n\r\n")
    wanted = b"Basic " + base64.b64encode(KEY.encode())
    if KEY and wanted not in head:
        print("refused", flush=True)
        writer.write(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return writer.close()
    method, target, _ = head.split(b" ", 2)
    print(method.decode(), target.decode(), flush=True)
    if method == b"CONNECT":
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        return await join(reader, writer, int(target.rpartition(b":")[2]))
    authority, slash, path = target.removeprefix(b"http://").partition(b"/")
    lines = head.replace(target, slash + path, 1).split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith(b"proxy-")]
    plain = b"\r\n".join([kept[0], b"Connection: close", *kept[1:]])
    return await join(reader, writer, int(authority.partition(b":")[2] or 80), plain)


async def socks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """SOCKS5 without a password (RFC 1928), names only."""
    await reader.readexactly((await reader.readexactly(1))[0])
    writer.write(b"\x05\x00")
    kind = (await reader.readexactly(4))[3]
    size = (await reader.readexactly(1))[0] if kind == 3 else {1: 4, 4: 16}[kind]
    name = await reader.readexactly(size)
    port = int.from_bytes(await reader.readexactly(2), "big")
    print("SOCKS", name.decode() if kind == 3 else name.hex(), flush=True)
    writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
    await join(reader, writer, port)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        first = await reader.readexactly(1)
        await (socks(reader, writer) if first == b"\x05" else http(reader, writer, first))
    except (OSError, asyncio.IncompleteReadError):
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


KEY = sys.argv[1] if len(sys.argv) > 1 else ""

if __name__ == "__main__":
    asyncio.run(main())
