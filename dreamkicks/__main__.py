"""python -m dreamkicks"""

import sys

from dreamkicks.cli import main

sys.exit(main())
