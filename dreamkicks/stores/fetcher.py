"""The one door to the network: what may be asked, how often, and when to stop asking.

Every request passes here: allow-list, robots.txt (RFC 9309), pace, budget and back-off. `Network` below it makes the connection.
"""

from __future__ import annotations

import email.utils
import http
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal

import httpx
from protego import Protego
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from dreamkicks import __version__
from dreamkicks.errors import BudgetSpent, Cancelled, FetchFailed, NotAllowed, StoreClosed
from dreamkicks.stores.cache import Cache, Entry
from dreamkicks.stores.network import Answer, Line, Network
from dreamkicks.stores.store import Store
from dreamkicks.text import clean

AGENT = "dreamkicks"
_BACK_OFF = wait_exponential(multiplier=2, max=120) + wait_random(0, 2)
_HOPS = 5
LONGEST_ADDRESS = 2000
_ROBOTS_FOR = 86_400
_LONGEST_WAIT = 300.0
"""Seconds that a shop may make us wait (Retry-After, Crawl-delay); one that wants more is left alone until the next run."""
_FAILURES = 3
"""Addresses of a host that may fail in a row, each after all its attempts, until the host counts as down."""


@dataclass(frozen=True)
class Kind:
    """What an answer should be: words of its content type, and the most bytes."""

    name: str
    accept: str
    types: tuple[str, ...]
    limit: int


JSON = Kind("JSON", "application/json", ("json",), 20_000_000)
PAGE = Kind("a web page", "text/html,application/xhtml+xml", ("html",), 8_000_000)
SITEMAP = Kind("a sitemap", "application/xml,text/xml", ("xml", "text/plain", "gzip", "octet-stream"), 50_000_000)
PICTURE = Kind("a picture", "image/webp,image/jpeg,image/png,image/*;q=0.5", ("image/", "octet-stream"), 20_000_000)
# RFC 9309: at least 500 KiB are read; what follows is not.
_ROBOTS = Kind("robots.txt", "text/plain", ("",), 512 * 1024)


OnDryRun = Callable[[str, bool], None]
"""Told an address, and whether the shop would be asked for it only if it changed."""


class Clock:
    """Time; tests bring their own."""

    def now(self) -> float:
        """Seconds of the epoch."""
        return time.time()

    def ticks(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()

    def sleep(self, seconds: float, stopped: threading.Event) -> None:
        stopped.wait(seconds)


class NotAsked(FetchFailed):
    """A dry run knows no answer."""


class _Again(FetchFailed):
    """A failure that may pass; `after` is how long the shop asked to wait, in seconds."""

    def __init__(self, message: str, status: int = 0, after: float | None = None) -> None:
        super().__init__(message, lasting=False, status=status)
        self.after = after


class _Lane:
    """One host: its connection, and when it may be asked next."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.busy = threading.Lock()
        self.robots_guard = threading.Lock()
        self.ended = float("-inf")
        self.next = 0.0
        self.latency = 0.0
        self.failures = 0
        self.robots: Protego | None = None
        self.robots_until = 0.0
        self.closed: str | None = None


class Fetcher:
    """Asks shops. Any thread may use it; a host gets one request at a time."""

    def __init__(
        self,
        cache: Cache,
        *,
        contact: str = "",
        budget: int | None = None,
        attempts: int = 5,
        offline: bool = False,
        on_dry_run: OnDryRun | None = None,
        clock: Clock | None = None,
        network: Network | None = None,
    ) -> None:
        """`budget` is the most requests, `attempts` the most of them for one address.

        With `on_dry_run` nothing is asked, it is told what would be, as far as the budget goes.
        """
        contact = clean(contact, 200).encode("ascii", "ignore").decode()
        self._agent = f"{AGENT}/{__version__}" + (f" (+{contact})" if contact else "")
        self._cache = cache
        self._budget = budget
        self._attempts = attempts
        self._offline = offline
        self._on_dry_run = on_dry_run
        self._clock = clock or Clock()
        self._network = network or Network()
        self._stopped = threading.Event()
        self._guard = threading.Lock()
        self._lanes: dict[str, _Lane] = {}
        self._since: dict[str, float] = {}
        self.requests: dict[str, int] = {}
        """How many were made for each store."""

    # ---------------------------------------------------------------- runs

    def begin(self, store: Store) -> None:
        """Begin a run, or go on with an interrupted one: what was answered since it began is not asked again."""
        now = self._clock.now()
        if self._on_dry_run:
            self._since[store.name] = self._cache.begun(store.name, now) or now
        else:
            self._since[store.name] = self._cache.begin(store.name, now)

    def look_again(self, store: Store) -> None:
        """What was answered so far in this run may have changed: it is asked for again, conditionally."""
        self._since[store.name] = self._clock.now()

    def finish(self, store: Store) -> None:
        """The whole list was read: the next run begins anew."""
        if not self._on_dry_run:
            self._cache.finish(store.name)

    def stop(self) -> None:
        """Make every request, present and future, end with Cancelled."""
        self._stopped.set()

    def close(self) -> None:
        for lane in self._lanes.values():
            lane.line.close()
        self._cache.close()

    def now(self) -> float:
        """Seconds of the epoch."""
        return self._clock.now()

    # ---------------------------------------------------------------- asking

    def get(self, store: Store, url: str, kind: Kind, distil: Callable[[bytes], bytes] | None = None) -> bytes:
        """The body at an address of a store; kept ones are asked for conditionally, pictures are not kept.

        `distil` makes of a body what is worth keeping. It may raise FetchFailed.
        Raises NotAllowed, FetchFailed (in a dry run NotAsked), StoreClosed, StorageError, Cancelled.
        """
        address = self._allowed(store, url, kind)
        key = str(address)
        kept = None if kind is PICTURE else self._cache.get(key)
        if kept and kept.at >= self._since.get(store.name, float("inf")):
            return kept.body
        if self._on_dry_run:
            return self._pretend(address, kept, self._on_dry_run)
        answer = self._follow(store, address, kind, kept.validators if kept else {})
        now = self._clock.now()
        if answer.status == 304 and kept:
            self._cache.confirm(key, now)
            return kept.body
        body = distil(answer.body) if distil else answer.body
        if kind is not PICTURE and "no-store" not in answer.headers.get("cache-control", ""):
            self._cache.put(key, Entry(answer.headers.get("etag"), answer.headers.get("last-modified"), body, now))
        return body

    def _pretend(self, address: httpx.URL, kept: Entry | None, on_dry_run: OnDryRun) -> bytes:
        """Tell what would be asked, as far as it is known without asking."""

        def tell(place: httpx.URL, kept: Entry | None) -> None:
            self._spend()
            on_dry_run(str(place), bool(kept and kept.validators))

        lane = self._lane(address)
        if lane.robots is None:
            robots = address.copy_with(raw_path=b"/robots.txt")
            known = self._cache.get(str(robots))
            lane.robots = Protego.parse(known.body.decode("utf-8", "replace") if known else "")
            if known is None or self._clock.now() - known.at >= _ROBOTS_FOR:
                tell(robots, known)
        if not lane.robots.can_fetch(str(address), AGENT):
            raise NotAllowed(f"robots.txt of {address.host} forbids {clean(str(address), 200)}")
        tell(address, kept)
        if kept:
            return kept.body
        raise NotAsked(f"{clean(str(address), 200)} was not asked in a dry run", lasting=False)

    def _allowed(self, store: Store, url: str, kind: Kind) -> httpx.URL:
        """The parsed address when the store may lead there."""
        shown = clean(url, 200)
        if len(url) > LONGEST_ADDRESS:
            raise NotAllowed(f"'{shown}' is longer than {LONGEST_ADDRESS:,} characters")
        try:
            address = httpx.URL(url).copy_with(fragment=None)
            netloc = address.netloc.decode("ascii")
        except (httpx.InvalidURL, ValueError, TypeError) as error:
            raise NotAllowed(f"'{shown}' is no address") from error
        allowed = store.asked | store.pictures if kind in (PICTURE, _ROBOTS) else store.asked
        if address.scheme != "https" or address.userinfo or netloc not in allowed:
            raise NotAllowed(
                f"'{shown}' leads off the allow-list of {store.name} (https to {', '.join(sorted(allowed))})"
            )
        return address

    def _follow(self, store: Store, address: httpx.URL, kind: Kind, validators: dict[str, str]) -> Answer:
        """Ask, and follow redirects by hand: each is checked as a new request is."""
        first = clean(str(address), 200)
        for _ in range(_HOPS + 1):
            if kind is not _ROBOTS:
                self._obey_robots(store, address)
            answer = self._insist(store, address, kind, validators)
            if answer.status not in (301, 302, 303, 307, 308):
                return answer
            try:
                target = str(address.join(answer.headers.get("location", "")))
            except (httpx.InvalidURL, ValueError) as error:
                raise FetchFailed(f"{first} redirects to no address", lasting=True) from error
            address = self._allowed(store, target, kind)
            # A date is no sign of which page it was.
            validators = {name: value for name, value in validators.items() if name == "If-None-Match"}
        raise FetchFailed(f"{first} redirects more than {_HOPS} times", lasting=True)

    def _insist(self, store: Store, address: httpx.URL, kind: Kind, validators: dict[str, str]) -> Answer:
        """Ask until there is an answer of any use, waiting longer each time."""
        lane = self._lane(address)

        def back_off(state: RetryCallState) -> float:
            # The lane waits and not only this request: whoever asks that host next is held back too.
            lane.next = max(lane.next, self._clock.ticks() + _wait(state))
            return 0.0

        attempts = Retrying(
            retry=retry_if_exception_type(_Again),
            stop=stop_after_attempt(self._attempts),
            wait=back_off,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            answer: Answer = attempts(self._once, store, lane, address, kind, validators)
        except _Again as error:
            with self._guard:
                lane.failures += 1
                if lane.failures >= _FAILURES and not lane.closed:
                    lane.closed = (
                        f"{address.host} failed {_FAILURES} times in a row (last: {error}); refresh again later"
                    )
            raise FetchFailed(str(error), lasting=False, status=error.status) from error
        except FetchFailed as error:
            if error.status:  # it answered
                lane.failures = 0
            raise
        lane.failures = 0
        return answer

    def _once(self, store: Store, lane: _Lane, address: httpx.URL, kind: Kind, validators: dict[str, str]) -> Answer:
        shown = clean(str(address), 200)
        headers = {"User-Agent": self._agent, "Accept": kind.accept, **validators}
        with lane.busy:
            self._may_ask(store, lane)
            begun = self._clock.ticks()
            try:
                answer = lane.line.ask(address, headers, kind.limit, cut=kind is _ROBOTS)
            except FetchFailed as error:
                if error.lasting:
                    raise FetchFailed(f"{shown}: {error}", lasting=True) from error
                raise _Again(f"{shown}: {error}") from error
            finally:
                # A slow shop is a busy shop: as long as it took to answer, it is then left alone.
                lane.ended = self._clock.ticks()
                lane.latency = (lane.latency + lane.ended - begun) / 2 if lane.latency else lane.ended - begun
                least = store.delay if address.netloc.decode() in store.asked else store.delay / 4
                lane.next = lane.ended + max(least, lane.latency, _crawl_delay(lane.robots))
        if answer.status == 304 and not validators:
            raise FetchFailed(
                f"{shown} answered 304 (Not Modified) to a question that was not conditional", lasting=False
            )
        return self._judge(lane, answer, kind, shown)

    def _judge(self, lane: _Lane, answer: Answer, kind: Kind, shown: str) -> Answer:
        """The answer when it can be used, a redirect included."""
        status = answer.status
        if status == 200:
            said = answer.headers.get("content-type", "").lower()
            if not any(word in said for word in kind.types):
                raise FetchFailed(
                    f"{shown} sent '{clean(said, 60)}' where {kind.name} was expected",
                    lasting=True,
                    status=status,
                )
            return answer
        if status in (301, 302, 303, 304, 307, 308):
            return answer
        meaning = f"{shown} answered {status}{_phrase(status)}"
        if status == 430:
            # Shopify's "security rejection": asking again makes it worse.
            lane.closed = f"{meaning}: the shop rejects programs; refresh again another day"
            raise StoreClosed(lane.closed)
        if status in (408, 425, 429) or status >= 500:
            after = _retry_after(answer.headers.get("retry-after"), self._clock.now())
            if after is not None and after > _LONGEST_WAIT:
                lane.closed = f"{meaning} and asks to wait {after:,.0f} seconds; refresh again later"
                raise StoreClosed(lane.closed)
            raise _Again(meaning, status, after)
        raise FetchFailed(meaning, lasting=True, status=status)

    def _may_ask(self, store: Store, lane: _Lane) -> None:
        """Wait for the lane's turn and take one request off the budget."""
        if self._offline:
            raise StoreClosed(
                "the program is set to stay offline; unset DREAMKICKS_OFFLINE, or leave out --offline, to refresh"
            )
        while (wait := lane.next - self._clock.ticks()) > 0 and not lane.closed:
            self._sleep(wait)
        if lane.closed:
            raise StoreClosed(lane.closed)
        self._spend()
        with self._guard:
            self.requests[store.name] = self.requests.get(store.name, 0) + 1

    def _spend(self) -> None:
        """Take one request off the budget."""
        with self._guard:
            if self._budget is not None:
                if self._budget <= 0:
                    raise BudgetSpent("the budget of requests is spent; refresh again to go on")
                self._budget -= 1

    def _lane(self, address: httpx.URL) -> _Lane:
        host = address.netloc.decode("ascii")
        with self._guard:
            if host not in self._lanes:
                self._lanes[host] = _Lane(Line(self._network, self._stopped))
            return self._lanes[host]

    def _sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds, self._stopped)
        if self._stopped.is_set():
            raise Cancelled()

    # ---------------------------------------------------------------- robots.txt

    def _obey_robots(self, store: Store, address: httpx.URL) -> None:
        lane = self._lane(address)
        with lane.robots_guard:
            if lane.robots is None or lane.robots_until < self._clock.now():
                self._read_robots(store, address, lane)
        assert lane.robots is not None
        if not lane.robots.can_fetch(str(address), AGENT):
            raise NotAllowed(f"robots.txt of {address.host} forbids {clean(str(address), 200)}")
        if (delay := _crawl_delay(lane.robots)) > _LONGEST_WAIT:
            raise StoreClosed(
                f"robots.txt of {address.host} asks for {delay:,.0f} seconds between two requests; that is left alone"
            )

    def _read_robots(self, store: Store, address: httpx.URL, lane: _Lane) -> None:
        """RFC 9309: 4xx allows everything, 5xx and silence forbid everything; good for a day."""
        place = address.copy_with(raw_path=b"/robots.txt")
        kept = self._cache.get(str(place))
        if kept is None or self._clock.now() - kept.at >= _ROBOTS_FOR:
            try:
                answer = self._follow(store, place, _ROBOTS, kept.validators if kept else {})
                body = kept.body if kept and answer.status == 304 else answer.body
                validators = answer.headers.get("etag"), answer.headers.get("last-modified")
            except (FetchFailed, NotAllowed) as error:
                # 429 is "ask later", which is silence rather than leave.
                if not (isinstance(error, FetchFailed) and 400 <= error.status < 500 and error.status != 429):
                    lane.closed = (
                        lane.closed or f"robots.txt of {address.host} can't be read, so nothing else is asked ({error})"
                    )
                    raise StoreClosed(lane.closed) from error
                body, validators = b"", (None, None)
            kept = Entry(*validators, body, self._clock.now())
            self._cache.put(str(place), kept)
        lane.robots = Protego.parse(kept.body.decode("utf-8", "replace"))
        lane.robots_until = kept.at + _ROBOTS_FOR
        lane.next = max(lane.next, lane.ended + _crawl_delay(lane.robots))


def _wait(state: RetryCallState) -> float:
    """Seconds: ever longer, with jitter; never less than the shop asked for."""
    error = state.outcome.exception() if state.outcome else None
    backoff = _BACK_OFF(state)
    return max(backoff, error.after or 0) if isinstance(error, _Again) else backoff


def _crawl_delay(robots: Protego | None) -> float:
    if robots is None:
        return 0.0
    rate = robots.request_rate(AGENT)
    # Division of the decimals, because a file may well ask for one request in 10^400 seconds.
    between = float(min(Decimal(rate.seconds) / rate.requests, 10**9)) if rate else 0.0
    return max(robots.crawl_delay(AGENT) or 0.0, between)


def _retry_after(said: str | None, now: float) -> float | None:
    """Seconds to wait, from a number or a date."""
    if not said:
        return None
    if said.strip().isdecimal():
        return min(float(said), 1e9)
    try:
        date = email.utils.parsedate_to_datetime(said)
        # HTTP dates are in GMT also in the forms that do not say so.
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _phrase(status: int) -> str:
    try:
        return f" ({http.HTTPStatus(status).phrase})"
    except ValueError:
        return ""
