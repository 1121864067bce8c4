"""A fake shop in a process of its own: for programs that are killed, and for measuring one that is not the shop."""

from __future__ import annotations

import multiprocessing
import ssl
from collections.abc import Iterable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from dreamkicks.stores.network import Network

from .fakeshop import NAMES, Asked, FakeClock, FakeShop, Shoe


class ShopApart:
    """Leave it as a context manager; `port` is where it listens, as `fakeshop.store_at` wants it."""

    def __init__(self, shoes: list[Shoe], picture_size: tuple[int, int] = (96, 64)) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, other = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(other, picture_size), daemon=True)
        self._process.start()
        other.close()
        self.port, self.authority = self._pipe.recv()
        self.sell(shoes)

    def sell(self, shoes: list[Shoe]) -> None:
        """From now on these, and nothing else."""
        self._ask(shoes)

    def log(self) -> list[Asked]:
        """What it was asked since the last time."""
        asked: list[Asked] = self._ask(None)
        return asked

    def _ask(self, shoes: list[Shoe] | None) -> Any:
        self._pipe.send(shoes)
        return self._pipe.recv()

    def __enter__(self) -> ShopApart:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.join()


def network_to(shops: Iterable[ShopApart]) -> Network:
    """A network that leads to these shops and nowhere else."""
    trust = ssl.create_default_context(cadata="".join(shop.authority for shop in shops))
    return Network({name: ["127.0.0.1"] for name in NAMES}.__getitem__, lambda address: True, trust)


def _serve(pipe: Connection, picture_size: tuple[int, int]) -> None:
    shop = FakeShop(FakeClock())
    shop.picture_size = picture_size
    pipe.send((shop.port, shop.authority))
    try:
        while True:
            if (shoes := pipe.recv()) is None:
                asked, shop.log = shop.log, []
                pipe.send(asked)
            else:
                shop.shoes = shoes
                pipe.send(None)
    except EOFError:
        shop.close()
