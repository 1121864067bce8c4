"""What robots.txt allows and forbids (RFC 9309)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dreamkicks.errors import NotAllowed, StoreClosed
from dreamkicks.stores.fetcher import PAGE, PICTURE, Fetcher

from .fakeshop import FakeClock, FakeShop, page, redirects, refuses, sends

Fetchers = Callable[..., Fetcher]


@pytest.mark.parametrize("code", [404, 401, 403])
def test_no_robots_txt_allows_everything(shop: FakeShop, fetcher: Fetcher, code: int) -> None:
    shop.places["/robots.txt"] = refuses(code)
    assert fetcher.get(shop.store(), page(shop, "/private/a"), PAGE) == b"/private/a"


@pytest.mark.parametrize(("code", "times"), [(500, 5), (503, 5), (429, 5), (304, 1)])
def test_a_robots_txt_that_fails_forbids_everything(shop: FakeShop, fetcher: Fetcher, code: int, times: int) -> None:
    shop.places["/robots.txt"] = refuses(code)
    for _ in range(2):
        with pytest.raises(StoreClosed, match=r"robots\.txt"):
            fetcher.get(shop.store(), page(shop, "/a"), PAGE)
    assert not shop.asked("/a")
    assert len(shop.asked("/robots.txt")) == times


def test_forbidden_paths_are_not_asked(shop: FakeShop, fetcher: Fetcher) -> None:
    shop.robots = b"User-agent: dreamkicks\nDisallow: /\nAllow: /open/\n\nUser-agent: *\nAllow: /\n"
    assert fetcher.get(shop.store(), page(shop, "/open/a"), PAGE)
    with pytest.raises(NotAllowed, match="forbids"):
        fetcher.get(shop.store(), page(shop, "/b"), PAGE)
    assert not shop.asked("/b")


def test_a_redirect_into_a_forbidden_path_is_not_followed(shop: FakeShop, fetcher: Fetcher) -> None:
    shop.places["/a"] = redirects("/private/a")
    with pytest.raises(NotAllowed, match="forbids"):
        fetcher.get(shop.store(), shop.site + "/a", PAGE)
    assert not shop.asked("/private")


def test_robots_txt_is_asked_again_after_a_day(shop: FakeShop, clock: FakeClock, fetchers: Fetchers) -> None:
    fetchers().get(shop.store(), page(shop, "/a"), PAGE)
    clock.advance(80_000)
    fetchers().get(shop.store(), page(shop, "/b"), PAGE)
    assert len(shop.asked("/robots.txt")) == 1
    clock.advance(10_000)
    shop.robots = b"User-agent: *\nDisallow: /\n"
    with pytest.raises(NotAllowed):
        fetchers().get(shop.store(), page(shop, "/c"), PAGE)


def test_the_picture_host_has_its_own_robots_txt(shop: FakeShop, fetcher: Fetcher) -> None:
    fetcher.get(shop.store(), shop.cdn + "/pictures/a.jpg", PICTURE)
    assert [(one.host, one.path) for one in shop.log] == [("cdn.test", "/robots.txt"), ("cdn.test", "/pictures/a.jpg")]


def test_the_picture_host_may_redirect_its_robots_txt(shop: FakeShop, fetcher: Fetcher) -> None:
    shop.vice("/robots.txt", redirects(f"{shop.cdn}/static/robots.txt"))
    shop.places["/static/robots.txt"] = sends(b"User-agent: *\nDisallow: /pictures/b\n", "text/plain")
    assert fetcher.get(shop.store(), shop.cdn + "/pictures/a.jpg", PICTURE)
    with pytest.raises(NotAllowed, match="forbids"):
        fetcher.get(shop.store(), shop.cdn + "/pictures/b.jpg", PICTURE)


def test_a_huge_robots_txt_is_read_to_its_cap(shop: FakeShop, fetcher: Fetcher) -> None:
    shop.robots = b"User-agent: *\nDisallow: /private/\n" + b"# words\n" * 200_000
    with pytest.raises(NotAllowed):
        fetcher.get(shop.store(), page(shop, "/private/a"), PAGE)
