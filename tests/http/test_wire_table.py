"""What comes over the wire, byte for byte, and what is made of it.

Each row: what it is, the bytes, and the value: a body, or the outcome of an error. The value is the
RFC's where that decides, else what browsers do (Chromium's net/http). `LAX` rows are those that
aiohttp alone refuses: a test holds that as well, so that a parser that learns them shows itself.
"""

# ruff: noqa: E501 - a row is a line

import asyncio
import gzip
import os
import zlib
from typing import NamedTuple

import aiohttp
import brotli
import pytest
from backports import zstd
from fault_server import FaultServer, Script, Wire, says

from crawler.clients.transport import Transport
from crawler.config.fetch import FetchSettings
from crawler.config.layers import Config
from crawler.errors import FetchError

OK = b"HTTP/1.1 200 OK\r\n"
FIVE = b"Content-Length: 5\r\n"
HELLO = b"\r\nhello"
KNOWN = {"If-None-Match": '"a"'}
PART = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %s\r\n" + FIVE + HELLO
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


class Row(NamedTuple):
    what: str
    data: bytes
    value: bytes | str
    method: str = "GET"
    lax: bool = False
    sent: dict[str, str] | None = None


def head(*lines: bytes) -> bytes:
    """An answer with these header lines, and a body of five bytes."""
    return OK + b"".join(line + b"\r\n" for line in lines) + FIVE + HELLO


def chunks(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


def chunked(coding: bytes, body: bytes) -> bytes:
    return OK + b"Transfer-Encoding: " + coding + b"\r\n\r\n" + chunks(body) + END


def coded(names: bytes, body: bytes) -> bytes:
    line = b"Content-Encoding: " + names + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
    return OK + line + body


GZ = gzip.compress(b"hello")
BAD = "protocol_error"

ROWS = [
    # the length (RFC 9112 6.3, RFC 9110 8.6)
    Row("a length", OK + FIVE + HELLO, b"hello"),
    Row("no length: the end of the connection", OK + HELLO, b"hello"),
    Row("two lengths that are equal", OK + FIVE + FIVE + HELLO, b"hello", lax=True),
    Row("three lengths that are equal", OK + FIVE * 3 + HELLO, b"hello", lax=True),
    Row("a list of equal lengths", OK + b"Content-Length: 5, 5\r\n" + HELLO, b"hello", lax=True),
    Row("two lengths that differ", OK + FIVE + b"Content-Length: 6\r\n" + HELLO, BAD),
    Row("a list of lengths that differ", OK + b"Content-Length: 5, 6\r\n" + HELLO, BAD),
    Row("a length and chunks", OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(b"hello") + END, b"hello", lax=True),
    Row("chunks and a length", OK + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n" + chunks(b"hello") + END, b"hello", lax=True),
    Row("a length in white space", OK + b"Content-Length: \t 5 \t\r\n" + HELLO, b"hello"),
    Row("a length of zeros before", OK + b"Content-Length: 00005\r\n" + HELLO, b"hello"),
    Row("a length of thousands of zeros before", OK + b"Content-Length: %b5\r\n" % (b"0" * 5000) + HELLO, b"hello"),
    Row("a length with a sign", OK + b"Content-Length: +5\r\n" + HELLO, BAD),
    Row("a negative length", OK + b"Content-Length: -5\r\n" + HELLO, BAD),
    Row("a length in hex", OK + b"Content-Length: 0x5\r\n" + HELLO, BAD),
    Row("a length with a point", OK + b"Content-Length: 5.0\r\n" + HELLO, BAD),
    Row("a length that is empty", OK + b"Content-Length:\r\n" + HELLO, BAD),
    Row("a length beyond 64 bits", OK + b"Content-Length: 99999999999999999999\r\n" + HELLO, BAD),
    Row("less than the length", OK + b"Content-Length: 9\r\n" + HELLO, BAD),
    Row("more than the length", OK + FIVE + HELLO + b" and more", b"hello", lax=True),
    Row("more than a length of none", OK + b"Content-Length: 0\r\n" + HELLO, b"", lax=True),
    Row("more, and the connection closes", head(b"Connection: close") + b"xx", b"hello", lax=True),
    Row("a length of none", OK + b"Content-Length: 0\r\n\r\n", b""),
    # chunks (RFC 9112 7.1)
    Row("one chunk", CHUNKED + chunks(b"hello") + END, b"hello"),
    Row("five chunks", CHUNKED + chunks(*(b"hello"[n : n + 1] for n in range(5))) + END, b"hello"),
    Row("no chunk but the last", CHUNKED + END, b""),
    Row("a size in capitals", CHUNKED + b"A\r\nhellohello\r\n" + END, b"hellohello"),
    Row("a size in small letters", CHUNKED + b"a\r\nhellohello\r\n" + END, b"hellohello"),
    Row("a size with zeros before", CHUNKED + b"00000005\r\nhello\r\n" + END, b"hello"),
    Row("a size with spaces behind", CHUNKED + b"5  \r\nhello\r\n" + END, b"hello"),
    Row("a size with an extension", CHUNKED + b'5;a="b"\r\nhello\r\n' + END, b"hello"),
    Row("a size with 0x", CHUNKED + b"0x5\r\nhello\r\n" + END, BAD),
    Row("a size with a sign", CHUNKED + b"+5\r\nhello\r\n" + END, BAD),
    Row("a negative size", CHUNKED + b"-5\r\nhello\r\n" + END, BAD),
    Row("a size that is empty", CHUNKED + b"\r\nhello\r\n" + END, BAD),
    Row("a size that is a word", CHUNKED + b"five\r\nhello\r\n" + END, BAD),
    Row("a size beyond 64 bits", CHUNKED + b"fffffffffffffffff\r\nhello\r\n" + END, BAD),
    Row("chunk lines that end in LF", CHUNKED + b"5\nhello\n0\n\n", b"hello", lax=True),
    Row("chunk lines that end in LF under LF", b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n", b"hello", lax=True),
    Row("chunk lines that end in LF, with CR LF behind the data", CHUNKED + b"5\nhello\r\n0\r\n\r\n", b"hello", lax=True),
    Row("chunk lines that end in LF, an extension, a trailer", CHUNKED + b"2;a=b\nhe\n3 \nllo\n0\nX-Sum: 1\n\n", b"hello", lax=True),
    Row("chunk lines that end in LF, behind a line that is no header", OK + b"bad\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n", b"hello", lax=True),
    Row("chunk lines that end in LF, behind 103", b"HTTP/1.1 103 Hints\r\n\r\n" + CHUNKED + b"5\nhello\n0\n\n", b"hello", lax=True),
    Row("chunk lines that end in LF, no last chunk", CHUNKED + b"5\nhello\n", BAD),
    Row("chunk lines that end in LF, half a last chunk", CHUNKED + b"5\nhello\n0\n", BAD),
    Row("chunk lines that end in LF, a size that is none", CHUNKED + b"5\nhello\nfive\n", BAD),
    Row("chunk lines that end in LF, a chunk longer than its size", CHUNKED + b"3\nhello\n0\n\n", BAD),
    Row("LF alone as the first line of chunks", CHUNKED + b"\nhello\n0\n\n", BAD),
    Row("chunks with an empty line in them", CHUNKED + chunks(b"a\r\n\r\nb", b"c\n") + END, b"a\r\n\r\nbc\n"),
    Row("chunks with an empty line in them and LF", CHUNKED + b"6\na\r\n\r\nb\n0\n\n", b"a\r\n\r\nb", lax=True),
    Row("a chunk longer than its size", CHUNKED + b"3\r\nhello\r\n" + END, BAD),
    Row("a chunk shorter than its size", CHUNKED + b"9\r\nhello\r\n" + END, BAD),
    Row("a trailer", CHUNKED + chunks(b"hello") + b"0\r\nX-Sum: 1\r\n\r\n", b"hello"),
    Row("two trailers", CHUNKED + chunks(b"hello") + b"0\r\nA: 1\r\nB: 2\r\n\r\n", b"hello"),
    Row("no last chunk", CHUNKED + chunks(b"hello"), BAD),
    Row("half a last chunk", CHUNKED + chunks(b"hello") + b"0\r\n", BAD),
    Row("chunked in capitals", chunked(b"Chunked", b"hello"), b"hello"),
    Row("chunked said twice", OK + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n" + chunks(b"hello") + END, b"hello"),
    Row("a trailer without a colon", CHUNKED + chunks(b"hello") + b"0\r\nfoo\r\n\r\n", b"hello", lax=True),
    Row("a trailer with a length", CHUNKED + chunks(b"hello") + b"0\r\nContent-Length: 9\r\n\r\n", b"hello", lax=True),
    Row("a folded trailer", CHUNKED + chunks(b"hello") + b"0\r\nA: 1\r\n b\r\n\r\n", b"hello"),
    Row("a last chunk of three zeros", CHUNKED + chunks(b"hello") + b"000\r\n\r\n", b"hello"),
    Row("a last chunk with an extension", CHUNKED + chunks(b"hello") + b"0;a=b\r\n\r\n", b"hello"),
    Row("a size with spaces before", CHUNKED + b" 5\r\nhello\r\n" + END, BAD),
    Row("a size with a space in it", CHUNKED + b"0 5\r\nhello\r\n" + END, BAD),
    Row("a size that CR alone ends", CHUNKED + b"5\rhello\r\n" + END, BAD),
    Row("no line end behind a chunk", CHUNKED + b"5\r\nhello0\r\n\r\n", BAD),
    Row("more than the chunks", CHUNKED + chunks(b"hello") + END + b" more", b"hello", lax=True),
    Row("chunks in HTTP/1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(b"hello") + END, b"hello"),
    Row("chunks that a folded line names", OK + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + chunks(b"hello") + END, b"hello"),
    # codings of the transfer (RFC 9112 7.2)
    Row("chunked in a list with empty elements", OK + b"Transfer-Encoding: , chunked ,\r\n\r\n" + chunks(b"hello") + END, b"hello"),
    Row("chunked before identity", chunked(b"chunked, identity", b"hello"), b"hello"),
    Row("chunked before gzip", chunked(b"chunked, gzip", GZ), b"hello"),
    Row("chunked before gzip, in two lines", OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n" + chunks(GZ) + END, b"hello"),
    Row("gzip before chunked, in two lines", OK + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(GZ) + END, b"hello"),
    Row("a transfer nobody knows, and chunks", chunked(b"foo, chunked", b"hello"), b"hello"),
    Row("a transfer whose name holds chunked", OK + b"Transfer-Encoding: xchunked\r\n" + HELLO, b"hello"),
    Row("a transfer in gzip", OK + b"Transfer-Encoding: gzip\r\n\r\n" + GZ, b"hello"),
    Row("a transfer in gzip and chunks", chunked(b"gzip, chunked", GZ), b"hello"),
    Row("a transfer in x-gzip and chunks", chunked(b"x-gzip, chunked", GZ), b"hello"),
    Row("a transfer in deflate and chunks", chunked(b"deflate, chunked", zlib.compress(b"hello")), b"hello"),
    Row("half a transfer in gzip", OK + b"Transfer-Encoding: gzip\r\n\r\n" + GZ[:-4], "bad_coding"),
    Row("a transfer in compress", OK + b"Transfer-Encoding: compress\r\n\r\nhello", "bad_coding"),
    Row("a transfer as it is, and a length", head(b"Transfer-Encoding: identity"), b"hello", lax=True),
    Row("content and transfer in gzip", OK + b"Content-Encoding: gzip\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" + chunks(gzip.compress(GZ)) + END, b"hello"),
    # codings of the content (RFC 9110 8.4)
    Row("gzip", coded(b"gzip", GZ), b"hello"),
    Row("gzip in capitals", coded(b"GZIP", GZ), b"hello"),
    Row("x-gzip", coded(b"x-gzip", GZ), b"hello"),
    Row("deflate", coded(b"deflate", zlib.compress(b"hello")), b"hello"),
    Row("deflate without its header", coded(b"deflate", zlib.compress(b"hello")[2:-4]), b"hello"),
    Row("brotli", coded(b"br", brotli.compress(b"hello")), b"hello"),
    Row("zstd", coded(b"zstd", zstd.compress(b"hello")), b"hello"),
    Row("gzip twice", coded(b"gzip, gzip", gzip.compress(GZ)), b"hello"),
    Row("gzip over brotli", coded(b"br, gzip", gzip.compress(brotli.compress(b"hello"))), b"hello"),
    Row("gzip of two members", coded(b"gzip", GZ + GZ), b"hellohello"),
    Row("gzip with zeros behind", coded(b"gzip", GZ + b"\0" * 9), b"hello"),
    Row("gzip with a page behind", coded(b"gzip", GZ + b"<p>"), b"hello"),
    Row("identity", coded(b"identity", b"hello"), b"hello"),
    Row("gzip and identity", coded(b"gzip, identity", GZ), b"hello"),
    Row("gzip with a parameter", coded(b"gzip;q=1", GZ), GZ),
    Row("gzip with another sum", coded(b"gzip", GZ[:-8] + b"\0\0\0\0" + GZ[-4:]), "bad_coding"),
    Row("gzip that is zlib", coded(b"gzip", zlib.compress(b"hello")), "bad_coding"),
    Row("deflate with bytes behind", coded(b"deflate", zlib.compress(b"hello") + b"junk"), b"hello"),
    Row("deflate of nothing", coded(b"deflate", b""), b""),
    Row("brotli of nothing", coded(b"br", b""), b""),
    Row("half a brotli", coded(b"br", brotli.compress(b"hello" * 99)[:-3]), "bad_coding"),
    Row("zstd of two frames", coded(b"zstd", zstd.compress(b"hello") * 2), b"hellohello"),
    Row("zstd of nothing", coded(b"zstd", b""), b""),
    Row("half a zstd", coded(b"zstd", zstd.compress(b"hello" * 9)[:-2]), "bad_coding"),
    Row("a coding that is none", coded(b"utf-8", b"hello"), b"hello"),
    Row("an empty coding", coded(b"", b"hello"), b"hello"),
    Row("gzip that is none", coded(b"gzip", b"hello"), "bad_coding"),
    Row("half a gzip", coded(b"gzip", GZ[:-6]), "bad_coding"),
    Row("gzip of nothing", coded(b"gzip", b""), b""),
    Row("gzip in chunks", OK + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(GZ[:9], GZ[9:]) + END, b"hello"),
    Row("gzip up to the end of the connection", OK + b"Content-Encoding: gzip\r\n\r\n" + GZ, b"hello"),
    Row("a dictionary of brotli", coded(b"dcb", b"hello"), "bad_coding"),
    # header lines (RFC 9112 5, Chromium's HttpResponseHeaders)
    Row("white space behind a name", head(b"X-A : 1"), b"hello", lax=True),
    Row("a tab behind a name", head(b"X-A\t: 1"), b"hello", lax=True),
    Row("white space in a name", head(b"X A: 1"), b"hello", lax=True),
    Row("a length with white space behind its name", OK + b"Content-Length : 5\r\n" + HELLO + b"xx", b"hello", lax=True),
    Row("a line without a colon", head(b"garbage"), b"hello", lax=True),
    Row("a line without a colon, first", OK + b"<html>\r\n" + FIVE + HELLO, b"hello", lax=True),
    Row("a line without a name", head(b": 1"), b"hello", lax=True),
    Row("a line of a colon", head(b":"), b"hello", lax=True),
    Row("a name that is no token", head(b'"X": 1'), b"hello", lax=True),
    Row("a name in brackets", head(b"X[]: 1"), b"hello", lax=True),
    Row("a name in UTF-8", head("X-é: 1".encode()), b"hello", lax=True),
    Row("a status line twice", head(b"HTTP/1.1 200 OK"), b"hello", lax=True),
    Row("no value", head(b"X-A:"), b"hello"),
    Row("no space behind the colon", head(b"X-A:1"), b"hello"),
    Row("a value of spaces", head(b"X-A:    "), b"hello"),
    Row("a value in Latin-1", head(b"X-A: \xe9"), b"hello"),
    Row("a value in UTF-8", head("X-A: é".encode()), b"hello"),
    Row("a control character in a value", head(b"X-A: a\x01b"), b"hello"),
    Row("a tab in a value", head(b"X-A: a\tb"), b"hello"),
    Row("a folded value", head(b"X-A: a", b"  b"), b"hello"),
    Row("a line that begins with a space, first", OK + b" X: 1\r\n" + FIVE + HELLO, b"hello"),
    Row("NUL in a value", head(b"X-A: a\0b"), BAD),
    Row("NUL in a name", head(b"X\0A: 1"), BAD),
    Row("a bare CR in a value", head(b"X-A: a\rb"), BAD),
    Row("one name twice", head(b"X-A: 1", b"X-A: 2"), b"hello"),
    Row("two types", head(b"Content-Type: text/html", b"Content-Type: text/plain"), b"hello"),
    Row("a hundred lines", head(*(b"X-%d: 1" % n for n in range(100))), b"hello"),
    Row("more lines than are taken", head(*(b"X-%d: 1" % n for n in range(300))), BAD),
    Row("a long value", head(b"X-A: " + b"a" * 30_000), b"hello"),
    Row("a value that is too long", head(b"X-A: " + b"a" * 40_000), BAD),
    Row("lines that end in LF", b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", b"hello"),
    Row("lines that end in both ways", b"HTTP/1.1 200 OK\nContent-Length: 5\r\n\nhello", b"hello"),
    Row("lines that end in CR CR LF", b"HTTP/1.1 200 OK\r\r\nContent-Length: 5\r\r\n\r\r\nhello", b"hello", lax=True),
    # the status line (RFC 9112 4, Chromium's ParseStatusLine)
    Row("no reason", b"HTTP/1.1 200\r\n" + FIVE + HELLO, b"hello"),
    Row("no reason, with its space", b"HTTP/1.1 200 \r\n" + FIVE + HELLO, b"hello"),
    Row("a reason of many words", b"HTTP/1.1 200 All is well: 200\r\n" + FIVE + HELLO, b"hello"),
    Row("a reason in Latin-1", b"HTTP/1.1 200 \xe9t\xe9\r\n" + FIVE + HELLO, b"hello"),
    Row("a small http", b"http/1.1 200 OK\r\n" + FIVE + HELLO, b"hello", lax=True),
    Row("two spaces", b"HTTP/1.1  200  OK\r\n" + FIVE + HELLO, b"hello", lax=True),
    Row("a tab", b"HTTP/1.1\t200\tOK\r\n" + FIVE + HELLO, b"hello", lax=True),
    Row("HTTP/1.0", b"HTTP/1.0 200 OK\r\n" + FIVE + HELLO, b"hello"),
    Row("HTTP/1.2", b"HTTP/1.2 200 OK\r\n" + FIVE + HELLO, b"hello", lax=True),
    Row("HTTP/2.0", b"HTTP/2.0 200 OK\r\n" + FIVE + HELLO, b"hello"),
    Row("HTTP/2", b"HTTP/2 200 OK\r\n" + FIVE + HELLO, b"hello", lax=True),
    Row("HTTP alone", b"HTTP 200 OK\r\n" + FIVE + HELLO, b"hello", lax=True),
    Row("ICY, of radio stations", b"ICY 200 OK\r\n" + FIVE + HELLO, b"hello", lax=True),
    Row("empty lines before", b"\r\n\r\n" + OK + FIVE + HELLO, b"hello"),
    Row("four bytes of junk before", b"abc\n" + OK + FIVE + HELLO, b"hello", lax=True),
    Row("five bytes of junk before", b"abcde" + OK + FIVE + HELLO, BAD),
    Row("a status of two digits", b"HTTP/1.1 20 OK\r\n" + FIVE + HELLO, BAD),
    Row("a reason that stands at the status", b"HTTP/1.1 200OK\r\n" + FIVE + HELLO, b"hello", lax=True),
    Row("a comma behind the status", b"HTTP/1.1 200, OK\r\n" + FIVE + HELLO, b"hello", lax=True),
    Row("a status of four digits", b"HTTP/1.1 2000 OK\r\n" + FIVE + HELLO, BAD),
    Row("a status that is a word", b"HTTP/1.1 OK\r\n" + FIVE + HELLO, BAD),
    Row("no status", b"HTTP/1.1\r\n" + FIVE + HELLO, BAD),
    Row("HTTP/0.9", b"hello", BAD),
    Row("TLS", b"\x15\x03\x01\x00\x02\x02\x0a", BAD),
    Row("another protocol", b"220 mail.example ESMTP\r\n", BAD),
    Row("nothing", b"", "connect_error"),
    Row("half a status line", b"HTTP/1.", "connect_error"),
    Row("a head without its end", OK + FIVE, "connect_error"),
    # answers before the answer (RFC 9110 15.2)
    Row("100", b"HTTP/1.1 100 Continue\r\n\r\n" + OK + FIVE + HELLO, b"hello"),
    Row("102", b"HTTP/1.1 102 Processing\r\n\r\n" + OK + FIVE + HELLO, b"hello"),
    Row("103", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK + FIVE + HELLO, b"hello"),
    Row("103 in LF, with a length", b"HTTP/1.1 103 Hints\nContent-Length: 9\n\n" + OK + FIVE + HELLO, b"hello"),
    Row("101, which was not asked for", b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n" + OK + FIVE + HELLO, BAD),
    Row("ten of them", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10 + OK + FIVE + HELLO, b"hello"),
    Row("a bad line in 103", b"HTTP/1.1 103 Hints\r\nbad\r\n\r\n" + OK + FIVE + HELLO, b"hello", lax=True),
    Row("a bad line behind 103", b"HTTP/1.1 103 Hints\r\n\r\n" + head(b"bad"), b"hello", lax=True),
    Row("100 alone", b"HTTP/1.1 100 Continue\r\n\r\n", "connect_error"),
    # answers without a body (RFC 9112 6.3)
    Row("204", b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    Row("204 with a length", b"HTTP/1.1 204 No Content\r\n" + FIVE + b"\r\n", b""),
    Row("204 with a body", b"HTTP/1.1 204 No Content\r\n" + FIVE + HELLO, b"", lax=True),
    Row("304", b"HTTP/1.1 304 Not Modified\r\n" + FIVE + b"\r\n", b"", sent=KNOWN),
    Row("304 with a body", b"HTTP/1.1 304 Not Modified\r\n" + FIVE + HELLO, b"", lax=True, sent=KNOWN),
    # answers to what was not asked: a page that nobody has, and a part that would pass for a page
    Row("304 that nobody asked for", b"HTTP/1.1 304 Not Modified\r\n\r\n", "protocol_error"),
    Row("304 by date", b"HTTP/1.1 304 Not Modified\r\n\r\n", b"", sent={"If-Modified-Since": "x"}),
    Row("206 that nobody asked for", PART % b"0-4/100", "protocol_error"),
    Row("206 from the middle", PART % b"5-9/10", "protocol_error"),
    Row("206 of nobody knows how much", PART % b"0-4/*", "protocol_error"),
    Row("206 of all", PART % b"0-4/5", b"hello"),
    Row("206 of all, in numbers beyond all", PART % (b"0-" + b"9" * 5000 + b"/1"), "protocol_error"),
    Row("206 that was asked for", PART % b"0-4/100", b"hello", sent={"Range": "bytes=0-4"}),
    Row("HEAD", OK + FIVE + b"\r\n", b"", "HEAD"),
    Row("HEAD with a body", OK + FIVE + HELLO, b"", "HEAD", lax=True),
    Row("HEAD with a body and no length", OK + HELLO, b"", "HEAD", lax=True),
    Row("HEAD with chunks", CHUNKED + chunks(b"hello") + END, b"", "HEAD", lax=True),
    Row("HEAD that announces chunks", CHUNKED, b"", "HEAD"),
    Row("HEAD that announces gzip", OK + b"Content-Encoding: gzip\r\n" + FIVE + b"\r\n", b"", "HEAD"),
    Row("HEAD with a bad line", OK + b"bad\r\n" + FIVE + HELLO, b"", "HEAD", lax=True),
    Row("HEAD of a file over the cap", OK + b"Content-Length: 99999999999\r\n\r\n", b"", "HEAD"),
    Row("GET of a file over the cap", OK + b"Content-Length: 99999999999\r\n\r\n", "too_large"),
    # statuses, as they are
    *(
        Row(f"status {code}", b"HTTP/1.1 %d Any\r\n" % code + FIVE + HELLO, b"hello")
        for code in (200, 201, 203, 206, 226, 299, 300, 400, 402, 404, 418, 451, 499, 500, 511, 599)
    ),
    Row("a redirect without a Location", b"HTTP/1.1 302 Found\r\n" + FIVE + HELLO, b"hello"),
    Row("a redirect with an empty Location", b"HTTP/1.1 302 Found\r\nLocation: \r\n" + FIVE + HELLO, b"hello"),
    Row("a redirect to two places", b"HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\n" + FIVE + HELLO, "bad_redirect"),
    Row("a redirect to what is no URL", b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n" + FIVE + HELLO, "bad_redirect"),
    Row("a redirect to another scheme", b"HTTP/1.1 302 Found\r\nLocation: file:///etc\r\n" + FIVE + HELLO, "bad_redirect"),
]  # fmt: skip


def test_the_table_is_long_and_has_no_row_twice() -> None:
    assert len(ROWS) >= 150
    assert len({row.what for row in ROWS}) == len(ROWS)


async def told(caller: Transport, row: Row, url: str) -> bytes | str:
    try:
        answer = await caller.fetch(row.method, url, headers=row.sent, timeout=2)
    except FetchError as error:
        return str(error.outcome)
    return answer.body


def test_every_row_has_its_value() -> None:
    async def story() -> None:
        async with FaultServer() as server, Transport() as caller:
            urls = [server.at(f"/{n}", says(row.data)) for n, row in enumerate(ROWS)]
            found = [await told(caller, row, url) for row, url in zip(ROWS, urls, strict=True)]
            wrong = [
                (row.what, row.value, value)
                for row, value in zip(ROWS, found, strict=True)
                if row.value != value
            ]
            assert not wrong, "\n".join(map(str, wrong))

    asyncio.run(story())


def test_every_row_has_its_value_byte_by_byte() -> None:
    """Where the segments end makes no difference; past the end they do, as for browsers."""
    rows = [row for row in ROWS if len(row.data) < 300 and " more" not in row.what]

    async def story() -> None:
        # What comes after an answer would else meet the next one on its connection.
        once = Config(fetch=FetchSettings(keep_alive=0))
        async with FaultServer() as server, Transport(once) as caller:
            wrong = []
            for number, row in enumerate(rows):

                async def drip(wire: Wire, data: bytes = row.data) -> None:
                    for byte in data:
                        await wire.send(bytes([byte]))
                        await asyncio.sleep(0)

                value = await told(caller, row, server.at(f"/{number}", drip))
                if value != row.value:
                    wrong.append((row.what, row.value, value))
            assert not wrong, "\n".join(map(str, wrong))

    asyncio.run(story())


@pytest.mark.parametrize("row", [row for row in ROWS if row.lax], ids=lambda row: row.what)
def test_aiohttp_alone_refuses_what_is_mended(row: Row) -> None:
    async def story() -> None:
        async with FaultServer() as server, aiohttp.ClientSession() as session:
            url = server.at("/", says(row.data))
            with pytest.raises(aiohttp.ClientError):
                async with session.request(row.method, url) as answer:
                    await answer.read()

    asyncio.run(story())


def test_what_is_left_out_is_counted() -> None:
    async def story() -> None:
        async with FaultServer() as server, Transport() as caller:
            await caller.fetch("GET", server.at("/a", head(b"bad", b"X A: 1")))
            await caller.fetch("GET", server.at("/b", OK + FIVE + HELLO + b"more"))
            await caller.fetch("GET", server.at("/c", ROWS[7].data))
            assert caller.jars.refused == {
                "header_unreadable": 2,
                "body_unexpected": 1,
                "length_beside_chunks": 1,
            }

    asyncio.run(story())


def test_a_connection_with_bytes_left_over_is_not_used_again() -> None:
    async def story() -> None:
        async with FaultServer() as server, Transport() as caller:
            url = server.at("/a", says(OK + FIVE + HELLO + OK + FIVE + b"\r\nfalse", keep=True))
            for _ in range(3):
                assert (await caller.fetch("GET", url)).body == b"hello"
            assert server.connections == 3

    asyncio.run(story())


G = OK + FIVE + HELLO
EVIL = OK + FIVE + b"\r\nfalse"


async def late(wire: Wire) -> None:
    """Answer, and some time later once more, which nobody asked for."""
    await wire.send(G)
    wire.keep = True
    asyncio.get_running_loop().call_later(0.01, wire.writer.write, EVIL)


@pytest.mark.parametrize(
    "script",
    [
        says(G + EVIL, keep=True),
        says(G + EVIL[:30], keep=True),
        says(G + b"\r\nH", keep=True),
        says(CHUNKED + chunks(b"hello") + END + EVIL[:30], keep=True),
        late,
    ],
    ids=["whole", "half", "a letter", "behind chunks", "late"],
)
def test_what_nobody_asked_for_is_never_the_next_answer_and_is_counted(script: Script) -> None:
    async def story() -> None:
        async with FaultServer() as server, Transport() as caller:
            url = server.at("/a", script)
            for _ in range(3):
                assert (await caller.fetch("GET", url)).body == b"hello"
                await asyncio.sleep(0.03 if script is late else 0)
            assert server.connections == 3
            assert caller.jars.refused["body_unexpected"] >= 2  # the last is met by nobody

    asyncio.run(story())


def test_a_connection_is_left_where_bytes_wait_that_the_loop_has_not_read() -> None:
    async def story() -> None:
        async with FaultServer() as server, Transport() as caller:
            url = server.at("/a", says(G, keep=True))
            wires: list[Wire] = []

            async def noted(wire: Wire) -> None:
                wires.append(wire)
                await says(G, keep=True)(wire)

            url = server.at("/a", noted)
            await caller.fetch("GET", url)
            # Past the loop: what the kernel has, and no callback has seen, when the next one begins.
            os.write(wires[0].writer.get_extra_info("socket").fileno(), EVIL)
            assert (await caller.fetch("GET", url)).body == b"hello"
            assert server.connections == 2
            assert caller.jars.refused == {"body_unexpected": 1}

    asyncio.run(story())


def test_a_body_goes_out_although_100_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crawler.http.sessions._EXPECTED", 0.05)

    async def story() -> None:
        async with FaultServer() as server, Transport() as caller:
            url = server.at("/a", says(OK + FIVE + HELLO))
            headers = {"Expect": "100-continue"}
            answer = await caller.fetch("POST", url, headers=headers, body=b"sent", timeout=5)
            assert answer.body == b"hello" and server.hits[0].headers["expect"] == "100-continue"

    asyncio.run(story())
