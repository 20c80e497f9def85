"""What a login came to: its steps, what the user sees, and the hint that helps most. *Pure*.

- The user loses what the first red step carries: without UDS the login fails, without TFTP the
  phone service is missing. (Cisco 218018 shows both; that they split so cleanly is inferred.)
- The hint is about the first red step. Its cause is known only if the proxy says it in
  ``X-Lab-Reason`` (``mralab serve --x-lab-reason``); else the likeliest one is given and called so.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from mralab.diagnostics.explain import Explanation, Fix, explain
from mralab.truststore.verdict import Reason
from mralab.truststore.wording import X509_TEXTS_1_1_1, X509_TEXTS_3

_NAME_PHRASE: Final = "Cannot find server."
_SELF_SIGNED: Final = 18
_NO_ISSUER: Final = 20
_CODES: Final = {
    text: code for texts in (X509_TEXTS_3, X509_TEXTS_1_1_1) for code, text in texts.items()
}


class Purpose(Enum):
    """What a step is for."""

    LOGIN = "login"  #: UDS on the home cluster
    PHONE = "phone"  #: configuration by TFTP


class Outcome(Enum):
    """What the user sees; the value is the word in JSON."""

    FINE = "fine"
    NO_PHONE_SERVICE = "no-phone-service"
    LOGIN_FAILS = "login-fails"

    @property
    def text(self) -> str:
        """The outcome in words."""
        return _TEXTS[self]


_TEXTS: Final = {
    Outcome.FINE: "all fine: the user is logged in and has phone service",
    Outcome.NO_PHONE_SERVICE: "no phone service: the client gets no configuration",
    Outcome.LOGIN_FAILS: "the login fails",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginStep:
    """One step: a request and its answer, or why it was not made."""

    title: str
    purpose: Purpose
    segment: str = ""  #: first path segment, base64; "" if nothing was asked
    url: str = ""  #: the address it stands for, decoded
    path: str = ""  #: path and query behind the segment
    status: int = 0  #: 0 if there was no HTTP answer
    phrase: str = ""
    seconds: float = 0.0
    fault: str = ""  #: why it is red, "" if it is green
    hint: str = ""  #: what helps, if the fault itself tells
    lab_reason: str = ""  #: the proxy's X-Lab-Reason: reason and detail

    @property
    def asked(self) -> bool:
        """Whether the request was made."""
        return bool(self.segment)


@dataclass(frozen=True, slots=True)
class LoginResult:
    """A login as a whole."""

    steps: tuple[LoginStep, ...]

    @property
    def first_red(self) -> LoginStep | None:
        """The step that a client would stop at."""
        return next((step for step in self.steps if step.fault), None)

    @property
    def outcome(self) -> Outcome:
        """What the user sees."""
        red = self.first_red
        if red is None:
            return Outcome.FINE
        return Outcome.LOGIN_FAILS if red.purpose is Purpose.LOGIN else Outcome.NO_PHONE_SERVICE

    @property
    def hint(self) -> str:
        """What helps most, "" if all is fine."""
        red = self.first_red
        return "" if red is None else _hint(red)


def _hint(step: LoginStep) -> str:
    if step.hint:
        return step.hint
    reason, _, detail = step.lab_reason.partition("; ")
    if reason in _REASONS:
        return f"{detail}. {_said(_known(Reason(reason), detail, step).fixes)}"
    if step.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _guess(step)
    return _BY_STATUS.get(
        step.status, "the answer is the node's own, or not HTTP: look at its log and Expressway-C's"
    )


_REASONS: Final = {reason.value for reason in Reason}


def _known(reason: Reason, detail: str, step: LoginStep) -> Explanation:
    """Explain what the proxy itself said."""
    code = _CODES.get(detail.rpartition(": ")[2], 0)
    return explain(reason, code=code, name=_host(step))


def _guess(step: LoginStep) -> str:
    """Say what most likely lies behind an answer of the traffic server."""
    host = _host(step)
    if step.status == HTTPStatus.INTERNAL_SERVER_ERROR and step.phrase == _NAME_PHRASE:
        explanation = explain(Reason.NAME_NOT_RESOLVED)
        return f"{explanation.cause}: {_said(explanation.fixes)}"
    if step.status == HTTPStatus.GATEWAY_TIMEOUT:
        return f"{host} took the request and does not answer: look at the node"
    if step.status != HTTPStatus.BAD_GATEWAY:
        return f"{step.status} is an error of the node, or the proxy is ending: look at their logs"
    where = f"see Expressway-C's event log, or `mralab verify {urlsplit(step.url).netloc}`"
    if _is_address(host):
        explanation = explain(Reason.NAME_REFUSED, name=host)
        return f"most likely {explanation.cause} ({where}). {_said(explanation.fixes)}"
    # Where UDS works the CA is listed, so what TFTP presents is another kind of certificate.
    code = _SELF_SIGNED if step.purpose is Purpose.PHONE else _NO_ISSUER
    cause = {
        _SELF_SIGNED: "the certificate presented there is a self-signed ECDSA one",
        _NO_ISSUER: "the node's CA is not in the trusted CA list, or the node is down",
    }[code]
    return f"most likely {cause} ({where}). {_said(explain(Reason.CHAIN_REFUSED, code=code).fixes)}"


def _said(fixes: tuple[Fix, ...]) -> str:
    """Return the first fix as a sentence."""
    if not fixes:
        return "See Expressway-C's event log"
    fix = fixes[0]
    text = fix.what[0].upper() + fix.what[1:]
    return f"{text}: {fix.command}" if fix.command else text


def _host(step: LoginStep) -> str:
    return urlsplit(step.url).hostname or ""


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


_BY_STATUS: Final[dict[int, str]] = {
    HTTPStatus.BAD_REQUEST: "the proxy takes the route or the request for invalid: see its log",
    HTTPStatus.UNAUTHORIZED: "the node refuses user and password: check both, case counts",
    HTTPStatus.FORBIDDEN: "no rule of the HTTP allow list covers it, or the node forbids it: look "
    "at Configuration > Unified Communications > HTTP allow list",
    HTTPStatus.NOT_FOUND: "the node does not have it: for a phone's configuration, check that the "
    "user has a soft phone (CSF) and that Cisco TFTP runs; else that UDS runs",
    HTTPStatus.TOO_MANY_REQUESTS: "too many logins in a short time: wait, or raise the limit",
}
