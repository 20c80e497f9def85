"""What all tests share: how Hypothesis runs."""

from __future__ import annotations

from hypothesis import settings

# The same examples everywhere and each time, however slow the machine; a failure prints how to
# repeat it. New inputs are what "make fuzz" is for.
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci")
