"""Run the command line: ``python -m mralab``."""

import sys

from mralab.cli.main import main

sys.exit(main())
