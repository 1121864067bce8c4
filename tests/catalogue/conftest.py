from __future__ import annotations

from tests.stores.conftest import clock, fetchers, shop

__all__ = ["clock", "fetchers", "shop"]
