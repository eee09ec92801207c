"""The address that a server listens at: whether it can be had, and when it answers."""

from __future__ import annotations

import errno
import ipaddress
import json
import socket
import time
from collections.abc import Callable
from urllib import request
from urllib.error import HTTPError

import msgspec

from poise.errors import UsageError
from poise_client.schema.health import Health

ASKED_EVERY = 0.1  # seconds


def take_port(host: str, port: int) -> int:
    """Return a port that a server can listen at: the one that is asked for, or any that is free for 0.

    Raises:
        UsageError: it is taken, or this machine has no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family) as probe:
            return int(probe.getsockname()[1])
    except OSError as error:
        other = "--port with another number, or --port 0 for any that is free"
        if error.errno == errno.EADDRINUSE:
            raise UsageError(f"port {port} is taken by another program: give {other}") from None
        if error.errno == errno.EACCES:
            raise UsageError(f"port {port} needs the rights of an administrator: give {other}") from None
        raise UsageError(f"this machine has no address {host!r} to listen at: give another with --host") from None


def url_of(host: str, port: int) -> str:
    """Return the address of a server as this machine's browser finds it."""
    try:
        unspecified = ipaddress.ip_address(host).is_unspecified  # all addresses of this machine
    except ValueError:
        unspecified = False
    if unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def wait_until_ready(url: str, is_over: Callable[[], bool]) -> Health | None:
    """Return what a server that is being started says of itself, once it can answer or knows that it never will.

    Args:
        url: of the server.
        is_over: tells that there is nothing to wait for any more; None is returned then.
    """
    opener = request.build_opener(request.ProxyHandler({}))  # never through a proxy
    while not is_over():
        try:
            health = msgspec.convert(json.loads(_body(opener, f"{url}/ready")), Health)
            if health.status != "loading":
                return health
        except (OSError, ValueError):  # it does not listen yet, or is cut off
            pass
        time.sleep(ASKED_EVERY)
    return None


def _body(opener: request.OpenerDirector, url: str) -> bytes:
    """Return the body of an answer, whatever its status."""
    try:
        with opener.open(url, timeout=5) as answer:
            return bytes(answer.read())
    except HTTPError as error:
        return error.read()
