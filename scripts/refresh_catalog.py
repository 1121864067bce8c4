"""Bring what the shops sell into the catalogue, as a cron job would: `dreamkicks catalog refresh` under a name of its own.

python scripts/refresh_catalog.py [the options of dreamkicks catalog refresh]
"""

from __future__ import annotations

import sys

from dreamkicks.cli import main

if __name__ == "__main__":
    sys.exit(main(["catalog", "refresh", *sys.argv[1:]]))
