"""A shop on a real socket, with real TLS, that lists as Shopify and as schema.org pages do, and has every vice on demand."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import ssl
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import trustme
from PIL import Image, ImageDraw

from dreamkicks.stores.network import Network, is_public
from dreamkicks.stores.store import Store

NAMES = ("shop.test", "second.test", "cdn.test", "evil.test")


class FakeClock:
    """Time that passes only while somebody sleeps; `elapsed` is how many seconds have passed already."""

    def __init__(self, elapsed: float = 0.0) -> None:
        self._guard = threading.Lock()
        self.elapsed = elapsed

    def now(self) -> float:
        return 1_790_000_000 + self.elapsed

    def ticks(self) -> float:
        return 100 + self.elapsed

    def sleep(self, seconds: float, stopped: threading.Event) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        with self._guard:
            self.elapsed += seconds


@dataclass
class Shoe:
    """What the fake shop sells, in either layout."""

    handle: str
    title: str = "Runner One"
    vendor: str = "Nike"
    price: object = "129.95"
    sizes: dict[str, bool] = field(default_factory=lambda: {"42": True, "43": False})
    pictures: list[str] = field(default_factory=list)
    product_type: str = "Sneakers"
    sku: str = ""
    lastmod: str | None = "2026-01-01"
    graph_only: bool = False

    def __post_init__(self) -> None:
        self.pictures = self.pictures or [f"/pictures/{self.handle}-{number}.jpg" for number in range(2)]


@dataclass(frozen=True)
class Asked:
    at: float
    host: str
    path: str
    headers: dict[str, str]
    status: int


Answer = Callable[["Handler"], None]


class FakeShop:
    """Serves shop.test, second.test and cdn.test from one port; `log` is what it was asked."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.shoes: list[Shoe] = []
        self.robots: bytes | None = b"User-agent: *\nDisallow: /private/\n"
        self.log: list[Asked] = []
        self.page_size = 250
        self.picture_size = (96, 64)
        self.vices: dict[str, list[Answer]] = defaultdict(list)
        self.places: dict[str, Answer] = {}
        authority = trustme.CA()
        served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*NAMES).configure_cert(served)
        self.authority = authority.cert_pem.bytes().decode()
        self.trust = ssl.create_default_context(cadata=self.authority)
        shop = self
        handler = type("HandlerOfThis", (Handler,), {"shop": shop})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._server.socket = served.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_address[1]
        self.addresses = {name: ["127.0.0.1"] for name in NAMES}
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def site(self) -> str:
        return f"https://shop.test:{self.port}"

    @property
    def cdn(self) -> str:
        return f"https://cdn.test:{self.port}"

    def network(self, seconds: float = 10) -> Network:
        return Network(self.look_up, lambda address: address == "127.0.0.1" or is_public(address), self.trust, seconds)

    def look_up(self, host: str) -> list[str]:
        try:
            return self.addresses[host]
        except KeyError:
            raise OSError("unknown host") from None

    def store(self, kind: str = "shopify", **changes: object) -> Store:
        return store_at(self.port, kind, **changes)

    def vice(self, path: str, *answers: Answer) -> None:
        """Answer the next requests for that path (without its query) in these ways, one each."""
        self.vices[path].extend(answers)

    def asked(self, path: str = "", status: int | None = None) -> list[Asked]:
        return [one for one in self.log if path in one.path and status in (None, one.status)]

    # ------------------------------------------------------------ what it serves

    def answer(self, handler: Handler) -> None:
        path = urlsplit(handler.path).path
        if self.vices[path]:
            self.vices[path].pop(0)(handler)
        elif path in self.places:
            self.places[path](handler)
        else:
            self.serve(handler)

    def serve(self, handler: Handler) -> None:
        """Answer as a shop without any vice does."""
        path, query = urlsplit(handler.path).path, parse_qs(urlsplit(handler.path).query)
        site = f"https://{handler.headers['Host']}"
        if path == "/robots.txt":
            return handler.fresh(self.robots, "text/plain") if self.robots is not None else handler.status(404)
        if path.endswith("/products.json"):
            page, limit = int(query["page"][0]), int(query["limit"][0])
            if page * limit > 25_000:
                return handler.status(400)
            most = min(self.page_size, limit)
            shown = self.shoes[(page - 1) * most : page * most]
            return handler.fresh(
                json.dumps({"products": [self._shopify(shoe) for shoe in shown]}).encode(), "application/json"
            )
        if path == "/sitemap.xml":
            return handler.fresh(sitemap([(f"{site}/sitemap-1.xml.gz", None)], "sitemapindex"), "application/xml")
        if path == "/sitemap-1.xml.gz":
            listed = [(f"{site}/en/shoes/{shoe.handle}.html", shoe.lastmod) for shoe in self.shoes]
            listed.append((f"{site}/en/about.html", None))
            return handler.fresh(gzip.compress(sitemap(listed), mtime=0), "application/gzip")
        if path.startswith("/en/shoes/"):
            handle = path.removeprefix("/en/shoes/").removesuffix(".html")
            for shoe in self.shoes:
                if shoe.handle == handle:
                    return handler.fresh(self._page(shoe), "text/html; charset=utf-8")
        if path.startswith("/pictures/"):
            return handler.send(picture(path, self.picture_size), "image/jpeg")
        return handler.status(404)

    def _shopify(self, shoe: Shoe) -> dict[str, object]:
        return {
            "title": shoe.title,
            "handle": shoe.handle,
            "vendor": shoe.vendor,
            "product_type": shoe.product_type,
            "tags": [],
            "options": [{"name": "Colour"}, {"name": "Size"}],
            "variants": [
                {"option1": "White", "option2": size, "price": shoe.price, "available": there, "sku": shoe.sku}
                for size, there in shoe.sizes.items()
            ],
            "images": [{"src": self._absolute(place)} for place in shoe.pictures],
        }

    def _page(self, shoe: Shoe) -> bytes:
        if shoe.graph_only:
            metas = {
                "og:type": "product",
                "og:title": shoe.title,
                "og:image": self._absolute(shoe.pictures[0]),
                "product:price:amount": shoe.price,
                "product:price:currency": "GBP",
                "product:brand": shoe.vendor,
            }
            head = "".join(f'<meta property="{name}" content="{escape(str(value))}">' for name, value in metas.items())
        else:
            product = {
                "@type": "Product",
                "name": shoe.title,
                "brand": {"@type": "Brand", "name": shoe.vendor},
                "category": shoe.product_type,
                "mpn": shoe.sku,
                "image": [self._absolute(place) for place in shoe.pictures],
                "offers": [
                    {
                        "@type": "Offer",
                        "price": shoe.price,
                        "priceCurrency": "EUR",
                        "size": size,
                        "availability": f"https://schema.org/{'InStock' if there else 'OutOfStock'}",
                    }
                    for size, there in shoe.sizes.items()
                ],
            }
            graph = json.dumps({"@context": "https://schema.org", "@graph": [{"@type": "WebPage"}, product]})
            graph = graph.replace("</", "<\\/")
            head = "".join(
                f'<script type="application/ld+json">{data}</script>' for data in ('{"@type": "Organization"}', graph)
            )
        return f"<html><head>{head}</head><body>{'<p>Words.</p>' * 50}</body></html>".encode()

    def _absolute(self, place: str) -> str:
        return place if "//" in place else self.cdn + place


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients hang up on the vices; that is no news."""


class Handler(BaseHTTPRequestHandler):
    shop: FakeShop
    protocol_version = "HTTP/1.1"
    timeout = 20
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.at = self.shop.clock.ticks()
        self.shop.answer(self)

    def send_response(self, code: int, message: str | None = None) -> None:
        self.record(code)
        super().send_response(code, message)

    def record(self, code: int) -> None:
        """Write the request down before the answer leaves, so that a test that has the answer finds it."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        host = headers.get("host", "").rpartition(":")[0]
        self.shop.log.append(Asked(self.at, host, self.path, headers, code))

    def log_message(self, *_: object) -> None:
        pass

    def send(self, body: bytes, kind: str, code: int = 200, **headers: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def status(self, code: int, **headers: str) -> None:
        self.send(b"no", "text/plain", code, **headers)

    def fresh(self, body: bytes, kind: str) -> None:
        """The body, or 304 to who has it already."""
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if self.headers.get("If-None-Match") == tag:
            self.send_response(304)
            self.send_header("ETag", tag)
            self.end_headers()
        else:
            self.send(body, kind, ETag=tag)

    def hang_up(self) -> None:
        self.close_connection = True


def store_at(port: int, kind: str = "shopify", **changes: object) -> Store:
    """The entry of a fake shop that listens there."""
    fields: dict[str, object] = {
        "name": kind,
        "kind": kind,
        "site": f"https://{'second' if kind == 'pages' else 'shop'}.test:{port}",
        "collections": ["sneakers"],
        "products": r"^/en/shoes/[^/]+\.html$",
        "pictures": [f"cdn.test:{port}"],
        "currency": "EUR",
    }
    return Store(**(fields | changes))  # type: ignore[arg-type]


def picture(seed: str, size: tuple[int, int] = (96, 64)) -> bytes:
    """A drawing that differs with the seed, as JPEG; `size` is a multiple of 96 x 64."""
    draw, scale = random.Random(seed), size[1] // 64
    image = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(image)
    for _ in range(4):
        x, y = draw.randrange(size[0] - 20 * scale), draw.randrange(size[1] - 20 * scale)
        pen.ellipse((x, y, x + 20 * scale, y + 16 * scale), fill=tuple(draw.randrange(256) for _ in range(3)))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    return buffer.getvalue()


def sitemap(listed: list[tuple[str, str | None]], root: str = "urlset") -> bytes:
    item = "sitemap" if root == "sitemapindex" else "url"
    lines = "".join(
        f"<{item}><loc>{escape(url)}</loc>{f'<lastmod>{stamp}</lastmod>' if stamp else ''}</{item}>"
        for url, stamp in listed
    )
    return f'<?xml version="1.0"?><{root} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{lines}</{root}>'.encode()


# ---------------------------------------------------------------- vices


def refuses(code: int, **headers: str) -> Answer:
    return lambda handler: handler.status(code, **headers)


def redirects(target: str, code: int = 302) -> Answer:
    return lambda handler: handler.status(code, Location=target)


def sends(body: bytes, kind: str, **headers: str) -> Answer:
    return lambda handler: handler.send(body, kind, **headers)


def cut_short(body: bytes, kind: str) -> Answer:
    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body) + 1000))
        handler.end_headers()
        handler.wfile.write(body)
        handler.hang_up()

    return answer


def endless(kind: str) -> Answer:
    """10 GB in chunks, as long as somebody listens."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        block = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        try:
            for _ in range(160_000):
                handler.wfile.write(block)
        except OSError:
            handler.hang_up()

    return answer


def gzip_bomb(kind: str, size: int = 200_000_000) -> Answer:
    packed = gzip.compress(b"\0" * size, 1)
    return sends(packed, kind, Content_Encoding="gzip")


def drips(kind: str, pause: threading.Event, headers: bool = False) -> Answer:
    """A byte every tenth of a second, until `pause` is set."""

    def answer(handler: Handler) -> None:
        handler.record(200)
        start = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n"
        handler.wfile.write((start if headers else start + "Content-Length: 100000\r\n\r\n").encode())
        handler.hang_up()
        try:
            for number in range(100_000):
                if pause.wait(0.1):
                    return
                handler.wfile.write(f"X-{number}: 1\r\n".encode() if headers else b"x")
        except OSError:
            pass

    return answer


def page(shop: FakeShop, name: str) -> str:
    """The address of a page that the shop has from now on."""
    shop.places.setdefault(name, lambda handler: handler.fresh(name.encode(), "text/html"))
    return shop.site + name
