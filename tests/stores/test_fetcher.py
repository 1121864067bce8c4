"""Manners: the fake shop writes down when it was asked what, and its clock runs only while the fetcher waits."""

from __future__ import annotations

import email.utils
import re
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from dreamkicks.errors import Cancelled, FetchFailed, NotAllowed, StoreClosed
from dreamkicks.stores.cache import Cache
from dreamkicks.stores.fetcher import JSON, PAGE, Fetcher
from dreamkicks.stores.network import Network

from .fakeshop import FakeClock, FakeShop, drips, endless, gzip_bomb, page, redirects, refuses, sends

Fetchers = Callable[..., Fetcher]


def gaps(shop: FakeShop, host: str = "shop.test") -> list[float]:
    return [after.at - before.at for before, after in pairwise(one for one in shop.log if one.host == host)]


# ------------------------------------------------------------------ pace


def test_requests_keep_their_distance(shop: FakeShop, fetcher: Fetcher) -> None:
    for number in range(4):
        fetcher.get(shop.store(delay=1.5), page(shop, f"/{number}"), PAGE)
    assert len(shop.log) == 5
    assert all(gap == pytest.approx(1.5) for gap in gaps(shop))


def test_the_distance_follows_the_latency(shop: FakeShop, clock: FakeClock, fetcher: Fetcher) -> None:
    def slow(handler: object) -> None:
        clock.advance(8)
        sends(b"slow", "text/html")(handler)  # type: ignore[arg-type]

    fetcher.get(shop.store(), page(shop, "/first"), PAGE)
    shop.places["/slow"] = slow
    fetcher.get(shop.store(), shop.site + "/slow", PAGE)
    fetcher.get(shop.store(), page(shop, "/next"), PAGE)
    assert gaps(shop)[-1] >= 8 + 4  # eight seconds of answering, then half of the smoothed latency at least


@pytest.mark.parametrize("rule", [b"Crawl-delay: 7", b"Request-rate: 1/7"])
def test_the_delay_of_robots_txt_is_kept_from_the_first_page_on(shop: FakeShop, fetcher: Fetcher, rule: bytes) -> None:
    shop.robots = b"User-agent: *\n" + rule + b"\n"
    for number in range(3):
        fetcher.get(shop.store(), page(shop, f"/{number}"), PAGE)
    assert all(gap >= 7 for gap in gaps(shop))


@pytest.mark.parametrize(
    "rule", [b"Crawl-delay: 86400", b"Crawl-delay: 999999999999", b"Request-rate: 1/" + b"9" * 400]
)
def test_a_shop_that_wants_hours_between_requests_is_left_alone(shop: FakeShop, fetcher: Fetcher, rule: bytes) -> None:
    shop.robots = b"User-agent: *\n" + rule + b"\n"
    with pytest.raises(StoreClosed, match="between two requests"):
        fetcher.get(shop.store(), page(shop, "/a"), PAGE)
    assert [one.path for one in shop.log] == ["/robots.txt"]


def test_a_host_gets_one_request_at_a_time(shop: FakeShop, fetcher: Fetcher) -> None:
    inside, most, guard = 0, 0, threading.Lock()

    def count(handler: object) -> None:
        nonlocal inside, most
        with guard:
            inside += 1
            most = max(most, inside)
        threading.Event().wait(0.02)
        with guard:
            inside -= 1
        sends(b"x", "text/html")(handler)  # type: ignore[arg-type]

    for number in range(8):
        shop.places[f"/{number}"] = count
    threads = [
        threading.Thread(target=fetcher.get, args=(shop.store(), f"{shop.site}/{number}", PAGE)) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert len(shop.asked("/robots.txt")) == 1
    assert all(gap >= 1 for gap in gaps(shop))


# ------------------------------------------------------------------ being told to wait


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Far from Greenwich."""
    with monkeypatch.context() as there:
        there.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize("form", ["seconds", "date", "old date"])
@pytest.mark.parametrize("code", [429, 503])
def test_retry_after_is_obeyed(
    shop: FakeShop, clock: FakeClock, fetcher: Fetcher, in_tokyo: None, code: int, form: str
) -> None:
    url = page(shop, "/a")
    fetcher.get(shop.store(), page(shop, "/before"), PAGE)
    after = {
        "seconds": "90",
        "date": email.utils.formatdate(clock.now() + 91, usegmt=True),
        "old date": time.asctime(time.gmtime(clock.now() + 91)),
    }[form]
    shop.vice("/a", refuses(code, Retry_After=after))
    assert fetcher.get(shop.store(), url, PAGE) == b"/a"
    assert gaps(shop)[-1] >= 89


def test_without_retry_after_the_wait_grows(shop: FakeShop, fetcher: Fetcher) -> None:
    url = page(shop, "/a")
    shop.vice("/a", *[refuses(429)] * 2, *[refuses(500)] * 2)
    assert fetcher.get(shop.store(), url, PAGE) == b"/a"
    waits = gaps(shop)[1:]
    assert all(wait >= least for wait, least in zip(waits, (2, 4, 8, 16), strict=True))


def test_no_two_programs_come_back_at_the_same_moment(shop: FakeShop, fetchers: Fetchers) -> None:
    waits = []
    for name in ("/a", "/b"):
        shop.vice(name, *[refuses(503)] * 4)
        fetchers().get(shop.store(), page(shop, name), PAGE)
        waits.append([after.at - before.at for before, after in pairwise(shop.asked(name))])
        assert all(least <= wait < least + 2 for wait, least in zip(waits[-1], (2, 4, 8, 16), strict=True))
    assert all(one != other for one, other in zip(*waits, strict=True))


def test_others_wait_too_while_a_host_throttles(shop: FakeShop, clock: FakeClock, fetchers: Fetchers) -> None:
    fetcher = fetchers(budget=3)
    shop.vice("/a", refuses(429, Retry_After="200"))
    fetcher.get(shop.store(), page(shop, "/before"), PAGE)
    with pytest.raises(StoreClosed, match="budget"):
        fetcher.get(shop.store(), page(shop, "/a"), PAGE)
    assert clock.elapsed >= 200


def test_a_wait_of_hours_ends_the_run(shop: FakeShop, clock: FakeClock, fetcher: Fetcher) -> None:
    shop.vice("/a", refuses(429, Retry_After="7200"))
    with pytest.raises(StoreClosed, match="7,200 seconds"):
        fetcher.get(shop.store(), page(shop, "/a"), PAGE)
    with pytest.raises(StoreClosed):
        fetcher.get(shop.store(), page(shop, "/b"), PAGE)
    assert [one.path for one in shop.log] == ["/robots.txt", "/a"]
    assert clock.elapsed < 60


def test_a_rejection_ends_the_run_at_once(shop: FakeShop, fetcher: Fetcher) -> None:
    shop.vice("/a", refuses(430))
    for _ in range(2):
        with pytest.raises(StoreClosed, match="430"):
            fetcher.get(shop.store(), page(shop, "/a"), PAGE)
    assert len(shop.asked("/a")) == 1


def test_a_host_that_is_down_is_given_up(shop: FakeShop, fetcher: Fetcher) -> None:
    for name in "abc":
        shop.vice(f"/{name}", *[refuses(502)] * 5)
        with pytest.raises(FetchFailed, match="502"):
            fetcher.get(shop.store(), page(shop, f"/{name}"), PAGE)
    with pytest.raises(StoreClosed, match="3 times in a row"):
        fetcher.get(shop.store(), page(shop, "/d"), PAGE)
    assert not shop.asked("/d")


def test_a_host_that_answers_in_between_is_not_down(shop: FakeShop, fetcher: Fetcher) -> None:
    for name in "abc":
        shop.vice(f"/{name}", *[refuses(502)] * 5)
        with pytest.raises(FetchFailed, match="502"):
            fetcher.get(shop.store(), page(shop, f"/{name}"), PAGE)
        shop.places[f"/{name}{name}"] = refuses(404)
        with pytest.raises(FetchFailed, match="404"):
            fetcher.get(shop.store(), shop.site + f"/{name}{name}", PAGE)
    assert fetcher.get(shop.store(), page(shop, "/d"), PAGE)


def test_a_cancel_ends_the_waiting(shop: FakeShop, tmp_path: Path) -> None:
    fetcher = Fetcher(Cache(tmp_path / "own.db", 0), network=shop.network())
    shop.vice("/a", refuses(429, Retry_After="250"))
    threading.Timer(0.5, fetcher.stop).start()
    with pytest.raises(Cancelled):
        fetcher.get(shop.store(delay=0.2), page(shop, "/a"), PAGE)
    fetcher.close()


def test_the_budget_counts_every_request(shop: FakeShop, fetchers: Fetchers) -> None:
    fetcher = fetchers(budget=4)
    shop.vice("/a", refuses(500))
    fetcher.get(shop.store(), page(shop, "/a"), PAGE)
    fetcher.get(shop.store(), page(shop, "/b"), PAGE)
    with pytest.raises(StoreClosed, match="budget"):
        fetcher.get(shop.store(), page(shop, "/c"), PAGE)
    assert len(shop.log) == 4
    assert fetcher.requests == {"shopify": 4}


# ------------------------------------------------------------------ where requests may go


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.test:{port}/a",
        "https://evil.test:{port}/a",
        "https://shop.test/a",
        "https://shop.test.:{port}/a",
        "https://shop.test:{port}@evil.test:{port}/a",
        "https://evil.test:{port}\\@shop.test:{port}/a",
        "https://user:word@shop.test:{port}/a",
        "https://127.0.0.1:{port}/a",
        "https://[::1]:{port}/a",
        "ftp://shop.test:{port}/a",
        "file:///etc/passwd",
        "//shop.test:{port}/a",
        "https://shop.test:{port}/a\r\nHost: evil.test",
        "https://shop.test:{port}/" + "a" * 3000,
        "",
        "https://cdn.test:{port}/a",  # a host of pictures only
    ],
)
def test_addresses_off_the_allow_list_are_not_asked(shop: FakeShop, fetcher: Fetcher, url: str) -> None:
    with pytest.raises(NotAllowed):
        fetcher.get(shop.store(), url.format(port=shop.port), PAGE)
    assert not shop.log


@pytest.mark.parametrize(
    "target", ["https://evil.test:{port}/a", "http://shop.test:{port}/a", "https://169.254.169.254/", "//evil.test/"]
)
def test_redirects_off_the_allow_list_are_not_followed(shop: FakeShop, fetcher: Fetcher, target: str) -> None:
    shop.places["/a"] = redirects(target.format(port=shop.port))
    with pytest.raises(NotAllowed, match="allow-list"):
        fetcher.get(shop.store(), shop.site + "/a", PAGE)
    assert {one.host for one in shop.log} == {"shop.test"}


def test_a_redirect_inside_the_shop_is_followed(shop: FakeShop, fetcher: Fetcher) -> None:
    shop.places["/a"] = redirects("/b?x=1#part")
    page(shop, "/b")
    assert fetcher.get(shop.store(), shop.site + "/a", PAGE) == b"/b"


@pytest.mark.parametrize("target", ["https://[;]/", ":https://;]"])
def test_a_redirect_to_no_address_fails(shop: FakeShop, fetcher: Fetcher, target: str) -> None:
    shop.places["/a"] = redirects(target)
    with pytest.raises(FetchFailed, match="no address"):
        fetcher.get(shop.store(), shop.site + "/a", PAGE)


def test_a_circle_of_redirects_ends(shop: FakeShop, fetcher: Fetcher) -> None:
    shop.places["/a"] = redirects("/a")
    with pytest.raises(FetchFailed, match="redirects more than 5 times"):
        fetcher.get(shop.store(), shop.site + "/a", PAGE)
    assert len(shop.asked("/a")) == 6


def test_offline_opens_no_socket(shop: FakeShop, clock: FakeClock, tmp_path: Path) -> None:
    looked_up: list[str] = []
    network = Network(lambda host: looked_up.append(host) or [], lambda address: True)  # type: ignore[func-returns-value]
    fetcher = Fetcher(Cache(tmp_path / "own.db", 0), offline=True, clock=clock, network=network)
    with pytest.raises(StoreClosed, match="offline"):
        fetcher.get(shop.store(), page(shop, "/a"), PAGE)
    assert not looked_up and not shop.log
    fetcher.close()


# ------------------------------------------------------------------ what comes back


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (sends(b"<html>", "text/html"), "JSON was expected"),
        (sends(b"{}", ""), "JSON was expected"),
        (refuses(403), "403"),
        (refuses(404), "404"),
        (refuses(204), "204"),
        (refuses(304), "304"),
        (endless("application/json"), "over 20 MB"),
        (gzip_bomb("application/json", 30_000_000), "over 20 MB"),
    ],
    ids=["html", "untyped", "403", "404", "204", "304", "endless", "bomb"],
)
def test_useless_answers_are_not_asked_twice(shop: FakeShop, fetcher: Fetcher, answer: object, reason: str) -> None:
    shop.places["/a"] = answer  # type: ignore[assignment]
    with pytest.raises(FetchFailed, match=reason):
        fetcher.get(shop.store(), shop.site + "/a", JSON)
    assert len(shop.asked("/a")) == 1


def test_a_drip_is_given_up_and_tried_again(shop: FakeShop, fetchers: Fetchers) -> None:
    enough = threading.Event()
    shop.vice("/a", drips("text/html", enough))
    assert fetchers(seconds=0.5).get(shop.store(), page(shop, "/a"), PAGE) == b"/a"
    enough.set()


def test_no_message_carries_a_control_character(shop: FakeShop, fetcher: Fetcher) -> None:
    shop.places["/a"] = sends(b"x", "text/\x1b[31mred")
    with pytest.raises(FetchFailed) as caught:
        fetcher.get(shop.store(), shop.site + "/a", PAGE)
    assert "\x1b" not in str(caught.value)
    with pytest.raises(NotAllowed) as refused:
        fetcher.get(shop.store(), "https://evil.test/\x1b]0;owned\x07", PAGE)
    assert "\x1b" not in str(refused.value)


def test_the_shop_learns_who_asks(shop: FakeShop, fetchers: Fetchers) -> None:
    fetchers(contact="me@example.org\r\nX: y").get(shop.store(), page(shop, "/a"), PAGE)
    agents = {one.headers["user-agent"] for one in shop.log}
    assert len(agents) == 1
    assert re.fullmatch(r"dreamkicks/\S+ \(\+me@example\.org X: y\)", agents.pop())
    assert all("x" not in one.headers for one in shop.log)
