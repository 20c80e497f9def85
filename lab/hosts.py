"""Hosts as text: names and IP literals, IPv6 without brackets. *Pure*."""

from __future__ import annotations

from ipaddress import ip_address


def is_ip(host: str) -> bool:
    """Whether a host is an IP literal."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def bracketed(host: str) -> str:
    """Return a host as it stands in an address: an IPv6 literal in brackets."""
    return f"[{host}]" if ":" in host else host
