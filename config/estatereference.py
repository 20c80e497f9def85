"""Print the reference page of the estate file: ``python -m mralab.config.estatereference``."""

import sys

from mralab.config.estatepage import render_estate_reference

if __name__ == "__main__":
    sys.stdout.write(render_estate_reference())
