"""Addresses that only this machine itself can reach."""

from __future__ import annotations

import ipaddress


def is_local(host: str) -> bool:
    """Tell whether an address can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
