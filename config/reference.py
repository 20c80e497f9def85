"""Print the reference page of the settings: ``python -m mralab.config.reference``."""

import sys

from mralab.config.sample import render_reference

if __name__ == "__main__":
    sys.stdout.write(render_reference())
