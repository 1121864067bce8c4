"""What one request may do, against a real TLS server that misbehaves."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
import time
import tracemalloc

import httpx
import pytest

from dreamkicks.errors import Cancelled, FetchFailed, NotAllowed
from dreamkicks.stores.network import Line, Network, is_public

from .fakeshop import FakeShop, cut_short, drips, endless, gzip_bomb, sends


@pytest.fixture
def line(shop: FakeShop) -> Line:
    return Line(shop.network(seconds=1), threading.Event())


def ask(shop: FakeShop, line: Line, limit: int = 1_000_000) -> bytes:
    return line.ask(httpx.URL(f"{shop.site}/thing"), {}, limit).body


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b::a00:1", "not an address", "fe80::1%eth0"),
        *("fec0::1", "::10.0.0.1", "64:ff9b:1::a00:1", "2001:0:7f00:1::"),
    ],
)
def test_private_addresses(address: str) -> None:
    assert not is_public(address)


def test_a_body_comes_back_unpacked(shop: FakeShop, line: Line) -> None:
    shop.places["/thing"] = sends(gzip.compress(b"hello"), "text/plain", Content_Encoding="gzip")
    assert ask(shop, line) == b"hello"


def test_a_host_with_any_private_address_is_not_asked(shop: FakeShop, line: Line) -> None:
    shop.addresses["shop.test"] = ["127.0.0.1", "10.0.0.7"]
    with pytest.raises(NotAllowed, match=r"10\.0\.0\.7"):
        ask(shop, line)
    assert not shop.log


def test_the_real_network_refuses_this_machine(shop: FakeShop) -> None:
    with pytest.raises(NotAllowed, match="private"):
        Line(Network(), threading.Event()).ask(httpx.URL(f"https://localhost:{shop.port}/thing"), {}, 1000)
    assert not shop.log


def test_an_answer_of_the_dns_that_changes_is_checked_again(shop: FakeShop, line: Line) -> None:
    shop.places["/thing"] = sends(b"hello", "text/plain", Connection="close")
    assert ask(shop, line) == b"hello"
    shop.addresses["shop.test"] = ["169.254.169.254"]
    with pytest.raises(NotAllowed, match=r"169\.254\.169\.254"):
        ask(shop, line)


def test_another_address_is_tried_when_the_first_is_dead(shop: FakeShop) -> None:
    shop.addresses["shop.test"] = ["127.0.0.2", "127.0.0.1"]
    network = Network(shop.look_up, lambda address: address.startswith("127."), shop.trust, 5)
    shop.places["/thing"] = sends(b"hello", "text/plain")
    assert ask(shop, Line(network, threading.Event())) == b"hello"


def test_a_certificate_for_another_name_is_refused(shop: FakeShop, line: Line) -> None:
    shop.addresses["other.test"] = ["127.0.0.1"]
    with pytest.raises(FetchFailed, match="certificate"):
        line.ask(httpx.URL(f"https://other.test:{shop.port}/thing"), {}, 1000)
    assert not shop.log


def test_a_connection_is_used_again(shop: FakeShop, line: Line) -> None:
    shop.places["/thing"] = sends(b"hello", "text/plain")
    asked: list[str] = []
    look_up = shop.look_up
    shop.addresses["shop.test"] = ["127.0.0.1"]
    network = Network(lambda host: asked.append(host) or look_up(host), lambda address: True, shop.trust, 5)  # type: ignore[func-returns-value]
    line = Line(network, threading.Event())
    for _ in range(3):
        assert ask(shop, line) == b"hello"
    assert len(asked) == 1


@pytest.mark.parametrize("length", ["announced", "endless", "bomb"])
def test_large_bodies_are_refused_in_bounded_memory(shop: FakeShop, line: Line, length: str) -> None:
    shop.places["/thing"] = {
        "announced": sends(b"x" * 3_000_000, "text/plain"),
        "endless": endless("text/plain"),
        "bomb": gzip_bomb("text/plain", 50_000_000),
    }[length]
    tracemalloc.start()
    with pytest.raises(FetchFailed, match="over 1 MB") as caught:
        ask(shop, line)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.lasting
    assert peak < 20_000_000


def test_a_long_robots_file_is_cut(shop: FakeShop, line: Line) -> None:
    shop.places["/thing"] = sends(b"x" * 5000, "text/plain")
    assert len(line.ask(httpx.URL(f"{shop.site}/thing"), {}, 1000, cut=True).body) == 1000


@pytest.mark.parametrize("packed", [False, True])
def test_a_body_that_is_cut_short_fails(shop: FakeShop, line: Line, packed: bool) -> None:
    whole = gzip.compress(b"hello" * 1000)
    shop.places["/thing"] = (
        sends(whole[:-8], "text/plain", Content_Encoding="gzip") if packed else cut_short(b"hello", "text/plain")
    )
    with pytest.raises(FetchFailed) as caught:
        ask(shop, line)
    assert not caught.value.lasting


@pytest.mark.parametrize(("encoding", "body"), [("br", b"abc"), ("gzip", b"this is not gzip")])
def test_odd_packing_fails(shop: FakeShop, line: Line, encoding: str, body: bytes) -> None:
    shop.places["/thing"] = sends(body, "text/plain", Content_Encoding=encoding)
    with pytest.raises(FetchFailed, match="pack"):
        ask(shop, line)


@pytest.mark.parametrize("headers", [False, True])
def test_a_drip_ends_at_the_deadline(shop: FakeShop, line: Line, headers: bool) -> None:
    enough = threading.Event()
    shop.places["/thing"] = drips("text/plain", enough, headers)
    with pytest.raises(FetchFailed, match="not done after 1 s"):
        ask(shop, line)
    enough.set()


@pytest.mark.parametrize("full", [True, False], ids=["no answer", "no TLS"])
def test_silence_while_it_connects_ends_at_the_deadline(shop: FakeShop, full: bool) -> None:
    shop.addresses["shop.test"] = [f"127.0.0.{number}" for number in range(2, 8)]
    network = Network(shop.look_up, lambda address: address.startswith("127."), shop.trust, 1)
    with contextlib.ExitStack() as opened:
        for address in shop.addresses["shop.test"]:
            opened.enter_context(socket.create_server((address, shop.port), backlog=0))  # nobody takes its calls
            if full:
                opened.enter_context(socket.create_connection((address, shop.port)))
        begun = time.monotonic()
        with pytest.raises(FetchFailed, match="not done after 1 s" if full else "timed out"):
            ask(shop, Line(network, threading.Event()))
    assert time.monotonic() - begun < 8


def test_a_cancel_is_heard_in_the_middle_of_a_request(shop: FakeShop) -> None:
    enough, stopped = threading.Event(), threading.Event()
    shop.places["/thing"] = drips("text/plain", enough)
    threading.Timer(0.3, stopped.set).start()
    with pytest.raises(Cancelled):
        ask(shop, Line(shop.network(seconds=60), stopped))
    enough.set()
