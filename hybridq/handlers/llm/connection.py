"""Connecting to a provider: proxies and certificates of the environment, and the one address that may be asked.

Rule: only the address of the configuration is asked, whatever a server's answer names; and what goes to this very
machine goes there itself, through no proxy.
"""

import os
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from ...config.llm import loopback
from .errors import Said

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY")


def connecting(address: str) -> dict[str, Any]:
    """What the SDK's HTTP client is made with, so that it asks this address and no other."""

    async def asked(request: Any) -> None:
        ours = type(request.url)(address)
        if (request.url.scheme, request.url.raw_host, request.url.port) != (ours.scheme, ours.raw_host, ours.port):
            raise Said(f"refusing to ask {request.url.host}: base_url is {address}")

    # A redirect could lead to another host, and the key with it.
    made: dict[str, Any] = {"follow_redirects": False, "event_hooks": {"request": [asked]}}
    if loopback(address):
        made["trust_env"] = False  # proxies
        if urlsplit(address).scheme == "https":
            made["verify"] = ssl.create_default_context()  # it knows SSL_CERT_FILE by itself
    return made


def elsewhere(asked: str, location: str) -> str:
    """What a redirect means: where it leads, without what may be secret in it."""
    to = urlsplit(urljoin(asked, location))
    place = f"{to.scheme}://{to.hostname or ''}{f':{_port(to)}' if _port(to) else ''}{to.path}"
    return f"the server redirects to {place}; nothing was sent there. Is base_url right?"


def unmade(problem: Exception, environ: Mapping[str, str]) -> str:
    """Why the SDK's client could not be made, and which variable to look at."""
    for name in CERTIFICATES:
        if (path := environ.get(name)) and not os.path.exists(path):
            return f"{name} is {path}, which does not exist; correct it or unset it"
    told = f"cannot create its client: {type(problem).__name__}: {problem}"
    names = [name for name in PROXIES for name in (name, name.lower()) if environ.get(name)]
    if "socks" in str(problem).lower():
        which = next((name for name in names if environ[name].lower().startswith("socks")), "a variable")
        return f"{which} asks for a SOCKS proxy, but the package for it is missing: pip install socksio, or unset it"
    return f"{told}; check {', '.join(names)}" if names else told


def _port(parts: Any) -> int | None:
    try:
        found: int | None = parts.port
    except ValueError:
        return None
    return found
