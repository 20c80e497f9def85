"""What is stated of a login in few words: step titles, log lines, and what users lose. *Pure*.

A refusal says what the traffic server does (:func:`untrusted`, :func:`wrong_name`,
:func:`refused_by_node`); an outcome says which steps it hits (:func:`login_fails`,
:func:`no_phone_service` and so on).

Source: the WARNING and ERROR lines in Cisco 218018, that of an alert in 225746 (seen).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mralab.lab.catalogue.model import Expected, Refused
from mralab.lab.loginresult import Outcome, Verdict
from mralab.truststore.verdict import Reason

if TYPE_CHECKING:
    from mralab.lab.catalogue.model import Presented

# -- steps of a login, by their titles

EDGE: Final = "the edge configuration"
HOME: Final = "the user's home cluster"
DEVICES: Final = "the user's devices"
USER: Final = "the user"
JABBER: Final = "the Jabber configuration"
PHONE: Final = "the phone configuration"
IM: Final = "the IM and Presence login"
PHOTO: Final = "the user's photo"
#: At Unity Connection.
VOICEMAIL: Final = ("the mailbox's user", "the inbox")
#: At the publisher's port 6972.
TFTP: Final = (JABBER, "the service profile", PHONE, "the global settings")
#: What no answer has named if TFTP is red.
AFTER_TFTP: Final = (IM, *VOICEMAIL, PHOTO)
#: What no answer has named if the edge configuration is red.
AFTER_EDGE: Final = (HOME, "the cluster's servers", USER, DEVICES, *TFTP, *AFTER_TFTP)


def user_from(host: str) -> str:
    """Return the title of the step that asks another node of the cluster for the user."""
    return f"{USER}, from {host}"


def phone_from(host: str) -> str:
    """Return the title of the step that asks another node for the phone configuration."""
    return f"{PHONE}, from {host}"


# -- refusals; the outcomes below say which steps have them

_VERIFY_FAILED: Final = (
    "ERROR: SSL connection failed for '{host}': error:1416F086:SSL routines:"
    "tls_process_server_certificate:certificate verify failed"
)
_CHAIN: Final = (
    "WARNING: Core server certificate verification failed for ({{host}}). Action=Terminate "
    "Error={error} server={{host}}({{address}}) depth={depth}"
)
_NAME: Final = "WARNING: SNI ({host}) not in certificate. Action=Terminate server={host}({address})"
_ALERT: Final = (
    "ERROR: SSL connection failed for '{{host}}': error:{code:X}:SSL routines:"
    "ssl3_read_bytes:{name}"
)
_ALERTS: Final = 0x14094000 + 1000  # ssl3_read_bytes, and where reasons that are alerts begin


def untrusted(error: str, *, depth: int, certificate: str = "tomcat") -> Refused:
    """Return the refusal of a chain.

    Args:
        error: OpenSSL's words, as version 1.1.1 has them.
        depth: of the certificate it is found in; 0 is the node's own.
        certificate: that the node presented, by its name in certificate management.
    """
    return Refused(
        steps=(),
        reason=Reason.CHAIN_REFUSED,
        certificate=certificate,
        log=(_CHAIN.format(error=error, depth=depth), _VERIFY_FAILED),
    )


def wrong_name(*, certificate: str = "tomcat") -> Refused:
    """Return the refusal of a certificate that does not name the host asked."""
    return Refused(
        steps=(), reason=Reason.NAME_REFUSED, certificate=certificate, log=(_NAME, _VERIFY_FAILED)
    )


def as_stock(refused: Refused) -> Refused:
    """Return the same by stock Traffic Server: four attempts, no ERROR line, no phrase."""
    return replace(refused, phrase="", attempts=4, log=refused.log[:1])


def refused_by_node(alert: str, number: int, *, certificate: str) -> Refused:
    """Return the end of a handshake by the node, which does not take Expressway-C's certificate.

    Args:
        alert: in OpenSSL's words, such as ``tlsv1 alert unknown ca``.
        number: of the alert.
        certificate: that the node presented before.
    """
    return Refused(
        steps=(),
        reason=Reason.ORIGIN_ALERT,
        verdict=Verdict.REFUSED_BY_NODE,
        certificate=certificate,
        log=(_ALERT.format(code=_ALERTS + number, name=alert),),
    )


def no_connection(reason: Reason, *, attempts: int, log: tuple[str, ...] = ()) -> Refused:
    """Return the 502 of a connection that did not come about: there is no WARNING."""
    return Refused(steps=(), reason=reason, verdict=Verdict.NONE, attempts=attempts, log=log)


def not_allowed() -> Refused:
    """Return the 403 of a request that no rule of the allow list covers."""
    return Refused(
        steps=(),
        status=403,
        phrase="Forbidden",
        reason=Reason.NOT_ALLOWED,
        verdict=Verdict.NONE,
        attempts=0,
    )


# -- outcomes


def login_fails(
    refused: Refused, *, asked: str = HOME, discovery: tuple[str, ...] = ()
) -> Expected:
    """Return a login that ends with the edge configuration.

    Args:
        refused: what happens to a request that Expressway-C makes itself.
        asked: that request.
        discovery: publishers that discovery fails for.
    """
    return Expected(
        outcome=Outcome.LOGIN_FAILS,
        refused=(replace(refused, steps=(EDGE,), asked=asked),),
        not_asked=AFTER_EDGE,
        discovery=discovery,
    )


def no_phone_service(
    refused: Refused, *, presented: tuple[Presented, ...] = (), also_from: str = ""
) -> Expected:
    """Return a login without TFTP at the publisher.

    Args:
        refused: what happens there.
        presented: what else is to be seen.
        also_from: another node where the same happens.
    """
    further = (replace(refused, steps=(phone_from(also_from),)),) if also_from else ()
    return Expected(
        outcome=Outcome.NO_PHONE_SERVICE,
        refused=(replace(refused, steps=TFTP), *further),
        not_asked=AFTER_TFTP,
        presented=presented,
    )


def no_phone_service_from(host: str, refused: Refused) -> Expected:
    """Return a login in which only another node's TFTP fails."""
    return Expected(
        outcome=Outcome.NO_PHONE_SERVICE,
        refused=(replace(refused, steps=(phone_from(host),)),),
    )


def login_fails_from(host: str, refused: Refused) -> Expected:
    """Return a login that fails for clients that are sent to another node of the cluster."""
    return Expected(
        outcome=Outcome.LOGIN_FAILS, refused=(replace(refused, steps=(user_from(host),)),)
    )


def no_im(refused: Refused) -> Expected:
    """Return a login without IM and presence."""
    return Expected(outcome=Outcome.NO_IM_AND_PRESENCE, refused=(replace(refused, steps=(IM,)),))


def no_voicemail(
    refused: Refused, *, discovery: tuple[str, ...] = (), presented: tuple[Presented, ...] = ()
) -> Expected:
    """Return a login without voicemail."""
    return Expected(
        outcome=Outcome.NO_VOICEMAIL,
        refused=(replace(refused, steps=VOICEMAIL),),
        discovery=discovery,
        presented=presented,
    )
