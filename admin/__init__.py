"""The admin listener of a running proxy, and how commands talk to it."""
