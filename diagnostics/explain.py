"""From a verdict to its cause in words, and to what mends it. *Pure*.

Rules: the OpenSSL code decides first, the depth only tells which certificate is meant: "depth above
0 means an unknown CA" holds only if the node sends its chain. Every fix names where it is made and
the command that makes it here.

Source: fixes of Cisco 218018 (seen); the reading of codes and depths is OpenSSL's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mralab.truststore.verdict import Reason


@dataclass(frozen=True, slots=True)
class Fix:
    """One way to mend it."""

    what: str  #: what to do, as the product's administrator would
    command: str = ""  #: the command that does it in the lab, if there is one
    restart: str = ""  #: what the product needs afterwards


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a request failed."""

    cause: str
    fixes: tuple[Fix, ...]


_EXPRESSWAY_RESTART: Final = "the product then needs a restart of Expressway-C"
_WORKAROUND: Final = Fix(
    "for the time being: switch the check off on Expressway-C",
    "mralab xconfiguration 'EdgeConfigServer VerifyOriginServer: Off'",
)
_RESIGN: Final = Fix(
    "have the node's certificate signed by a CA that Expressway-C trusts",
    restart="then restart the service that serves it",
)
_RSA_FIRST: Final = Fix(
    "if only the ECDSA certificate is refused: put ECDHE-RSA-AES256-GCM-SHA384: in front of the "
    "cipher list, so that the node presents its RSA one (TLS 1.2)",
    "mralab serve --upgrade-path from-14.0",
    _EXPRESSWAY_RESTART,
)
_RENEW: Final = Fix(
    "renew the certificate on the node", restart="then restart the service that serves it"
)

_CODE_FIRST_SELF_SIGNED: Final = 18


def _trust(what: str) -> Fix:
    return Fix(
        f"append {what} to Expressway-C's trusted CA list",
        "mralab trust append CERTIFICATE.pem",
        _EXPRESSWAY_RESTART,
    )


def explain(
    reason: Reason, *, code: int = 0, depth: int = 0, name: str = "", subject: str = ""
) -> Explanation:
    """Explain one failure.

    Args:
        reason: how the attempt ended.
        code: X509_V_ERR number in the release's numbering, for a refused chain.
        depth: which certificate, 0 is the leaf.
        name: the name compared with the certificate, for a refused name.
        subject: subject of the certificate that the fault was found in.
    """
    who = f"certificate {subject!r}" if subject else f"certificate at depth {depth}"
    if reason is Reason.CHAIN_REFUSED:
        return _chain(code, who)
    if reason is Reason.NAME_REFUSED:
        return Explanation(
            f"the node is addressed as {name}, and its certificate does not name that",
            (
                Fix(
                    f"add {name} to the certificate's SAN and have it signed again",
                    restart="then restart the service that serves it",
                ),
                Fix(
                    "change CUCM's System > Server to a name that the certificate has",
                    restart="then Refresh servers on Expressway-C",
                ),
                _WORKAROUND,
            ),
        )
    cause, fixes = _OTHER.get(reason, (f"the request ended with {reason.value}", ()))
    return Explanation(cause, fixes)


def _chain(code: int, who: str) -> Explanation:
    if code == _CODE_FIRST_SELF_SIGNED:
        return Explanation(
            f"the {who} is self-signed and not in the trusted CA list itself",
            (_trust("that certificate"), _RSA_FIRST, _RESIGN, _WORKAROUND),
        )
    cause, fixes = _CHAIN.get(
        code, ("was refused by OpenSSL; see the error text", (_RESIGN, _WORKAROUND))
    )
    return Explanation(f"the {who} {cause}", fixes)


_ROOT: Final = _trust("the CA chain of that certificate, root and intermediates,")
_WEAK: Final = ("is signed with a digest too weak to trust", (_RESIGN, _WORKAROUND))
_NO_CA: Final = ("signs others and is not marked as a CA", (_RESIGN, _WORKAROUND))

_CHAIN: Final[dict[int, tuple[str, tuple[Fix, ...]]]] = {
    2: ("is in the trusted CA list, but its issuer is not", (_ROOT, _WORKAROUND)),
    7: ("carries a signature that is not its issuer's", (_RESIGN, _WORKAROUND)),
    9: ("is not valid yet: compare the clocks", (_RENEW, _WORKAROUND)),
    10: ("has expired", (_RENEW, _WORKAROUND)),
    19: ("is a root that the node sends and the trusted CA list lacks", (_ROOT, _WORKAROUND)),
    20: ("was issued by a CA that is neither sent nor listed", (_ROOT, _RESIGN, _WORKAROUND)),
    21: ("leads to no listed CA", (_ROOT, _WORKAROUND)),
    22: ("stands at the end of a chain that is too long", (_RESIGN, _WORKAROUND)),
    24: _NO_CA,
    25: ("has more CAs below it than it allows", (_RESIGN, _WORKAROUND)),
    26: (
        "is not meant for servers: its extended key usage lacks serverAuth",
        (_RESIGN, _WORKAROUND),
    ),
    34: ("has a critical extension that OpenSSL does not know", (_RESIGN, _WORKAROUND)),
    66: ("has a key too short to trust", (_RESIGN, _WORKAROUND)),
    67: ("is a CA with a key too short to trust", (_RESIGN, _WORKAROUND)),
    68: _WEAK,
    79: _NO_CA,
}

_OTHER: Final[dict[Reason, tuple[str, tuple[Fix, ...]]]] = {
    Reason.ORIGIN_ALERT: (
        (
            "the node ended the handshake; 'unknown ca' means that it does not trust "
            "Expressway-C's own certificate"
        ),
        (
            Fix(
                "upload Expressway-C's CA chain to the node's tomcat-trust and CallManager-trust",
                restart="then restart Cisco Tomcat, Cisco CallManager and Cisco TFTP",
            ),
        ),
    ),
    Reason.TLS_ERROR: (
        (
            "the node does not speak TLS that Expressway-C accepts: another protocol on the port, "
            "no common cipher or version"
        ),
        (Fix("look at the port, the node's TLS version and both cipher lists"),),
    ),
    Reason.CONNECT_REFUSED: (
        "nothing listens there: the service is stopped or a firewall refuses",
        (Fix("start the service; check address, port and firewall"),),
    ),
    Reason.CONNECT_FAILED: ("the node cannot be reached", (Fix("check routing and firewall"),)),
    Reason.CONNECT_TIMEOUT: (
        "the node does not answer in time",
        (Fix("check that it is up, and that no firewall drops the packets"),),
    ),
    Reason.ORIGIN_RESET: ("the node reset the connection", (Fix("look at the node's own log"),)),
    Reason.ORIGIN_CLOSED: (
        "the node closed the connection in the handshake",
        (Fix("look at the node's own log"),),
    ),
    Reason.NAME_NOT_RESOLVED: (
        "the advertised name has no address here",
        (Fix("make it resolvable for Expressway-C (DNS, or --hosts in the lab)"),),
    ),
    Reason.NOT_ALLOWED: (
        "no allow list rule covers the request",
        (Fix("add a rule: Configuration > Unified Communications > HTTP allow list"),),
    ),
}
