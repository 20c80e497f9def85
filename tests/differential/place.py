"""Where a case takes place: a host name, an address and certificates that no other case has.

Rules: nothing is shared between cases but the root that signs the leafs of those cases which are
not about chains, so that one trust list serves all. Everything unusual is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from tests.differential.certificates import Certificate, aki, certificate, new_key, ski
from tests.truststore.certs import basic_constraints, key_usage, san

if TYPE_CHECKING:
    from tests.differential.certificates import Key

CERT_SIGN: Final = key_usage(0x06, 1)
IS_CA: Final = basic_constraints(ca=True)

_PER_BLOCK: Final = 250


@cache
def common_root() -> Certificate:
    """Return the root of all cases that are not about chains."""
    key = new_key()
    extensions = (ski(Certificate(b"", key, b"", 0).key_id), IS_CA, CERT_SIGN)
    return certificate("Differential Root", key=key, extensions=extensions)


@dataclass(frozen=True, slots=True)
class Place:
    """The surroundings of one case."""

    number: int
    zone: str = field(init=False)  #: two labels
    host: str = field(init=False)  #: three labels: the origin's default name
    address: str = field(init=False)  #: on loopback

    def __post_init__(self) -> None:
        """Derive names and address from the number."""
        high, low = divmod(self.number, _PER_BLOCK)
        for name, value in (
            ("zone", f"c{self.number:03}.lab"),
            ("host", f"cucm.c{self.number:03}.lab"),
            ("address", f"127.20.{high}.{low + 1}"),
        ):
            object.__setattr__(self, name, value)

    def name(self, text: str) -> str:
        """Return ``text`` as a CN that only this case uses."""
        return f"{text} {self.number:03}"

    def root(
        self,
        text: str = "Root",
        *,
        extensions: tuple[bytes, ...] = (IS_CA, CERT_SIGN),
        ids: bool = True,
        key: Key | None = None,
        **fields: Any,
    ) -> Certificate:
        """Make a self-signed authority. ``ids``: with key identifiers."""
        return self.ca(None, text, extensions=extensions, ids=ids, key=key, **fields)

    def ca(
        self,
        issuer: Certificate | None,
        text: str = "Intermediate",
        *,
        extensions: tuple[bytes, ...] = (IS_CA, CERT_SIGN),
        ids: bool = True,
        key: Key | None = None,
        subject: bytes | None = None,
        **fields: Any,
    ) -> Certificate:
        """Make an authority. ``ids``: with key identifiers; ``fields``: see ``certificate``."""
        return self._make(
            self.name(text) if subject is None else subject,
            issuer,
            extensions=extensions,
            ids=ids,
            key=key,
            fields=fields,
        )

    def leaf(
        self,
        issuer: Certificate | None = None,
        *,
        dns: tuple[str, ...] | None = None,
        extensions: tuple[bytes, ...] = (),
        ids: bool = True,
        key: Key | None = None,
        subject: bytes | str | None = None,
        **fields: Any,
    ) -> Certificate:
        """Make an origin's certificate, signed by the common root unless ``issuer`` is given.

        ``dns``: dNSNames, default the host's; empty: no SAN.
        """
        names = (self.host,) if dns is None else dns
        alternative = (san(*names),) if names else ()
        return self._make(
            self.name("leaf") if subject is None else subject,
            issuer or common_root(),
            extensions=(*alternative, *extensions),
            ids=ids,
            key=key,
            fields=fields,
        )

    def self_signed(
        self,
        *,
        dns: tuple[str, ...] | None = None,
        extensions: tuple[bytes, ...] = (),
        ids: bool = True,
        key: Key | None = None,
        subject: bytes | str | None = None,
        **fields: Any,
    ) -> Certificate:
        """Make an origin's certificate signed by itself."""
        names = (self.host,) if dns is None else dns
        return self._make(
            self.name("self") if subject is None else subject,
            None,
            extensions=(san(*names), *extensions),
            ids=ids,
            key=key,
            fields=fields,
        )

    def chain(
        self, count: int, root: Certificate | None = None
    ) -> tuple[Certificate, tuple[Certificate, ...]]:
        """Make a root and ``count`` intermediates under it, the lowest first."""
        top = root or self.root()
        cas: list[Certificate] = []
        issuer = top
        for index in range(count):
            issuer = self.ca(issuer, f"CA{index}")
            cas.insert(0, issuer)
        return top, tuple(cas)

    def _make(
        self,
        subject: bytes | str,
        issuer: Certificate | None,
        *,
        extensions: tuple[bytes, ...],
        ids: bool,
        key: Key | None,
        fields: dict[str, Any],
    ) -> Certificate:
        own_key = key or new_key()
        identifiers: tuple[bytes, ...] = ()
        if ids:
            own = Certificate(b"", own_key, b"", 0).key_id
            identifiers = (ski(own), aki(issuer.key_id if issuer else own))
        return certificate(
            subject,
            issuer,
            key=own_key,
            extensions=(*identifiers, *extensions),
            **fields,
        )
