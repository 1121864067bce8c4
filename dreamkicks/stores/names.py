"""What shops call things, brought to one form: brands, titles, style codes."""

from __future__ import annotations

import functools
import html
import re
import tomllib
from pathlib import Path

from dreamkicks.text import clean

UNKNOWN = "Unknown"
_TAG = re.compile(r"</?[A-Za-z!][^<>]{0,500}>")
_STYLES = re.compile(
    r"(?<![A-Za-z0-9])("
    r"[A-Z]{2}\d{4}[- ]\d{3}"  # Nike, Jordan: DD1391-100
    r"|\d{6}[-_ ]\d{2,3}"  # Nike, Jordan before 2017: 654275-305; Puma: 374915-01
    r"|\d{4}[A-Z]\d{3}[- .]\d{3}"  # Asics: 1201A019-107
    r"|VN[0-9A-Z]{9,10}"  # Vans: VN000D3HY28
    r"|[A-Z]{2}\d{4}"  # Adidas: GX9735
    r"|[A-Z]\d{5}"  # Adidas before: S79208
    r"|[A-Z]{1,2}\d{3,4}[A-Z]{2,3}\d?"  # New Balance: M990GL6, U9060ECA
    r"|\d{6}C"  # Converse: 162050C
    r")(?![A-Za-z0-9])"
)
_NO_STYLES = re.compile(
    r"(?:SS|FW|AW|SP|SU|FA|HO)20\d\d"  # a season
    r"|VN[0-9A-Z]{,8}"  # a model of Vans in all its colours
    r"|(?:EU|US|UK|FR|CM|MM)\d.*"  # a size
    r"|(?:RS|RM|KR|NT|HK)\d{4}|[A-Z]{1,2}\d{3,4}(?:EUR|USD|GBP|INR)"  # a price
    r"|(?:19|20)\d\d(?:0[1-9]|1[0-2])[-_ ](?:0[1-9]|[12]\d|3[01])"  # a date
)


def title_of(said: object) -> str:
    """A title as plain text of one line: no markup, no entities, no control or bidirectional characters."""
    text = html.unescape(str(said)[:5000]) if isinstance(said, str) else ""
    return clean(_TAG.sub(" ", html.unescape(text)))


def brand_of(said: object, title: str, shop: str = "") -> str:
    """The brand in its one form; for one that brands.toml does not know, what the shop says.

    A shop that names itself, or nobody, as the maker is not believed: then a known brand that begins the title is the one.
    """
    brand = clean(title_of(said), 60)
    if known := _aliases().get(plain(brand)):
        return known
    if not brand or plain(brand) in (plain(shop), "unknown", "na", "none", "default", "other"):
        words = title.split()
        for count in range(min(4, len(words)), 0, -1):
            if known := _aliases().get(plain(" ".join(words[:count]))):
                return known
        return UNKNOWN
    return brand


def style_of(*said: object) -> str | None:
    """The maker's style code in the first text that has one, as GX9735, DD1391-100 or 654275-305.

    Seasons, models, sizes, prices and dates that look like one are none.
    """
    for text in said:
        if isinstance(text, str):
            for found in _STYLES.finditer(text[:500].upper()):
                if not _NO_STYLES.fullmatch(found[1]):
                    return re.sub(r"[ _.]", "-", found[1])
    return None


@functools.cache
def _aliases() -> dict[str, str]:
    table = tomllib.loads(Path(__file__).with_name("brands.toml").read_text(encoding="utf-8"))["aliases"]
    known: dict[str, str] = {}
    for brand, aliases in table.items():
        for alias in (brand, *aliases):
            known.setdefault(plain(alias), brand)
    return known


def plain(name: str) -> str:
    """A name as names are compared: without case, spaces and punctuation."""
    return "".join(character for character in name.casefold() if character.isalnum())
