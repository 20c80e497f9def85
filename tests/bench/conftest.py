"""The comparison is a tool beside the package: only the top of the repository leads to it."""

import sys
from pathlib import Path

# Last, so that no room's folder stands in for a published package of its name.
sys.path.append(str(Path(__file__).parents[2]))
