"""Content codings: whole, in pieces, truncated, broken, layered, and larger than the cap."""

import gzip
import random
import time
import zlib

import brotli
import pytest
from backports import zstd

from crawler.errors import BadCoding, BodyTooLarge
from crawler.http.content_encoding import Decoder

NOISE = random.Random(7).randbytes(3000)
BODY = NOISE * 20 + b"x" * 700_000  # over the piece that a decoder gives at a time


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKED = {
    "gzip": ("gzip", gzip.compress(BODY)),
    "x-gzip": ("x-gzip", gzip.compress(BODY)),
    "zlib deflate": ("deflate", zlib.compress(BODY)),
    "raw deflate": ("deflate", raw_deflate(BODY)),
    "br": ("br", brotli.compress(BODY, quality=3)),
    "zstd": ("zstd", zstd.compress(BODY)),
}
STEPS = [1, 7, 1000, 65_536, 10**9]


def decode(coding: str, data: bytes, step: int = 10**9, cap: int = 10**9) -> bytes:
    decoder = Decoder(coding, cap)
    out = [decoder.feed(data[at : at + step]) for at in range(0, len(data), step)]
    decoder.finish()
    return b"".join(out)


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("step", STEPS)
def test_every_coding_comes_out_whole_however_it_arrives(name: str, step: int) -> None:
    coding, data = PACKED[name]
    assert decode(coding, data, step) == BODY


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("step", STEPS)
def test_a_body_that_ends_too_early_is_broken_and_not_short(name: str, step: int) -> None:
    coding, data = PACKED[name]
    for cut in (len(data) - 1, len(data) // 2, 1):
        with pytest.raises(BadCoding):
            decode(coding, data[:cut], step)


@pytest.mark.parametrize("name", PACKED)
def test_an_empty_body_is_empty_in_every_coding(name: str) -> None:
    assert decode(PACKED[name][0], b"") == b""


@pytest.mark.parametrize("step", STEPS)
def test_several_members_and_frames_are_one_body(step: int) -> None:
    members = gzip.compress(b"a") + gzip.compress(b"") + gzip.compress(b"b") + b"\0" * 9
    assert decode("gzip", members, step) == b"ab"
    assert decode("zstd", zstd.compress(b"a") + zstd.compress(b"b"), step) == b"ab"


@pytest.mark.parametrize("step", STEPS)
def test_what_stands_behind_the_end_is_padding(step: int) -> None:
    for coding, pack in (
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("br", brotli.compress),
    ):
        for body in (b"a", b"word " * 9_000 + NOISE):
            assert decode(coding, pack(body) + b"garbage", step) == body, coding


def test_what_is_wrong_in_a_long_br_is_told_once_and_what_follows_its_end_costs_little() -> None:
    packed = brotli.compress(random.Random(1).randbytes(900_000), quality=1)
    with pytest.raises(BadCoding):
        decode("br", packed[:700_000] + b"\xff" * 200_000)
    started = time.process_time()
    assert len(decode("br", packed + b"x" * 9_000_000)) == 900_000
    assert time.process_time() - started < 1


def test_layers_come_off_in_order() -> None:
    assert decode("gzip, br", brotli.compress(gzip.compress(b"a"))) == b"a"
    assert decode("identity, GZIP ,", gzip.compress(b"a")) == b"a"
    with pytest.raises(BadCoding, match="50 content codings"):
        Decoder(", ".join(["gzip"] * 50), 10)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
@pytest.mark.parametrize("data", [b"<html>plain</html>" * 9, bytes(100), b"\x1f\x8b"])
def test_what_is_no_such_coding_is_broken(coding: str, data: bytes) -> None:
    with pytest.raises(BadCoding):
        decode(coding, data)


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("step", [65_536, 10**9])
def test_a_bomb_stops_at_the_cap(name: str, step: int) -> None:
    coding, _ = PACKED[name]
    packers = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd.compress}
    bomb = packers.get(coding.removeprefix("x-"), brotli.compress)(bytes(30_000_000))
    with pytest.raises(BodyTooLarge):
        decode(coding, bomb, step, cap=1_000_000)
    decoder = Decoder(coding, 1_000_000, cut=True)
    kept = sum(len(decoder.feed(bomb[at : at + step])) for at in range(0, len(bomb), step))
    assert 1_000_000 <= kept <= 2_000_000


def test_a_window_larger_than_the_coding_allows_is_refused() -> None:
    """RFC 9659: 8 MB; a decoder that took more would be made to hold it."""
    options = {zstd.CompressionParameter.window_log: 27}
    packer = zstd.ZstdCompressor(options=options)
    with pytest.raises(BadCoding):
        decode("zstd", packer.compress(NOISE) + packer.flush())


def test_members_and_padding_without_end_take_linear_time() -> None:
    started = time.perf_counter()
    decode("gzip", gzip.compress(b"") * 50_000, 65_536)
    decode("gzip", gzip.compress(b"a") + b"G" * 10_000_000, 65_536)
    assert time.perf_counter() - started < 15
