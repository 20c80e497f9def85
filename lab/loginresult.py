"""What a login came to: its steps, what the user sees, and the fix that helps most. *Pure*.

- The user loses what red steps carry, and is told the worst of it: without UDS the login fails,
  without TFTP the phone service is missing, and so on. (Cisco 218018 shows the first two; that they
  split so cleanly is inferred.)
- A client goes to one of the servers that a cluster advertises. If only the others are red, the
  outcome says so: the user meets it on some days.
- The cause of a red step is what the lab saw (:class:`Met`), else what the proxy says in
  ``X-Lab-Reason``; else the likeliest one is given and called so.
- What was not asked because of a red step has that step's cause.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from mralab.lab.hosts import is_ip
from mralab.lab.remedy import Cause, Choice, Refusal, cause_of, choose, simple_cause
from mralab.truststore.verdict import Reason
from mralab.truststore.wording import X509_TEXTS_1_1_1, X509_TEXTS_3

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mralab.truststore.verdict import CertificateFacts

_NAME_PHRASE: Final = "Cannot find server."
_SELF_SIGNED: Final = 18
_NO_ISSUER: Final = 20
_HTTPS_PORT: Final = 443
_CODES: Final = {
    text: code for texts in (X509_TEXTS_3, X509_TEXTS_1_1_1) for code, text in texts.items()
}
_REASONS: Final = {reason.value: reason for reason in Reason}


class Purpose(Enum):
    """What a step is for; the worst to lose comes first."""

    LOGIN = "login"  #: Expressway's edge service, and UDS on the home cluster
    PHONE = "phone"  #: configuration by TFTP
    IM = "im"  #: IM and Presence
    VOICEMAIL = "voicemail"
    PHOTO = "photo"


class Outcome(Enum):
    """What the user sees; the value is the word in JSON."""

    FINE = "fine"
    LOGIN_FAILS = "login-fails"
    NO_PHONE_SERVICE = "no-phone-service"
    NO_IM_AND_PRESENCE = "no-im-and-presence"
    NO_VOICEMAIL = "no-voicemail"
    PHOTO_MISSING = "photo-missing"

    @property
    def text(self) -> str:
        """The outcome in words."""
        return _TEXTS[self]


_TEXTS: Final = {
    Outcome.FINE: "all fine: the user is logged in and has phone service",
    Outcome.LOGIN_FAILS: "the login fails",
    Outcome.NO_PHONE_SERVICE: "no phone service: the client gets no configuration",
    Outcome.NO_IM_AND_PRESENCE: "no IM and presence",
    Outcome.NO_VOICEMAIL: "no voicemail",
    Outcome.PHOTO_MISSING: "the user's photo is missing",
}
_LOST: Final = {
    Purpose.LOGIN: Outcome.LOGIN_FAILS,
    Purpose.PHONE: Outcome.NO_PHONE_SERVICE,
    Purpose.IM: Outcome.NO_IM_AND_PRESENCE,
    Purpose.VOICEMAIL: Outcome.NO_VOICEMAIL,
    Purpose.PHOTO: Outcome.PHOTO_MISSING,
}
_GAINED: Final = {
    Purpose.IM: "IM and presence",
    Purpose.VOICEMAIL: "voicemail",
    Purpose.PHOTO: "a photo",
}


class Verdict(Enum):
    """What the traffic server made of the certificate it met; the value is the word in JSON."""

    NONE = "none"  #: it met none
    ACCEPTED = "accepted"
    NOT_VERIFIED = "not-verified"  #: met, and by the release's or the settings' rule not looked at
    REFUSED = "refused"
    REFUSED_BY_NODE = "refused-by-node"  #: the node did not take Expressway-C's certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """What one request met behind Expressway-C, as the lab saw it."""

    node: str = ""  #: name of the node; "" if none was reached
    service: str = ""  #: of that node, such as ``tftp-https``
    certificate: str = ""  #: by its name in certificate management; "" if there was no TLS
    chain: tuple[CertificateFacts, ...] = ()  #: as presented, leaf first
    tls_version: str = ""
    alert: int | None = None  #: number of the last alert that the node got in clear
    verified: bool = True  #: whether the traffic server's settings had it look
    reason: Reason | None = None  #: how the transaction ended; None if it was not asked
    detail: str = ""  #: in the traffic server's words
    code: int = 0  #: X509_V_ERR number of the last fault, in the release's numbering
    depth: int = 0  #: of the certificate it was found in
    subject: str = ""  #: of that certificate
    rsa_passes: bool | None = None  #: for a refused ECDSA certificate: whether the node's RSA one
    #: would pass; None: it was not looked at
    discovery: str = ""  #: of a request that discovery makes no way for: what failed in it
    discovery_hint: str = ""  #: and what to do about that
    log: tuple[str, ...] = ()  #: the transaction's lines in Expressway-C's event log

    @property
    def verdict(self) -> Verdict:
        """What came of the certificate."""
        if self.reason in {Reason.CHAIN_REFUSED, Reason.NAME_REFUSED}:
            return Verdict.REFUSED
        if self.reason is Reason.ORIGIN_ALERT:
            return Verdict.REFUSED_BY_NODE
        if not self.certificate:
            return Verdict.NONE
        return Verdict.ACCEPTED if self.verified else Verdict.NOT_VERIFIED


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginStep:
    """One step: a request and its answer, or why it was not made."""

    title: str
    purpose: Purpose
    method: str = "GET"
    segment: str = ""  #: first path segment, base64; "" if nothing was asked
    url: str = ""  #: the address it stands for, decoded
    path: str = ""  #: path and query behind the segment
    status: int = 0  #: 0 if there was no HTTP answer
    phrase: str = ""
    seconds: float = 0.0
    fault: str = ""  #: why it is red, "" if it is green
    hint: str = ""  #: what helps, if the fault itself tells
    lab_reason: str = ""  #: X-Lab-Reason of the proxy or of an Expressway: reason and detail
    tracking_id: str = ""  #: as sent; "" if none was
    because: int | None = None  #: number of the red step whose answer it lacked, from 0
    crossed: bool = False  #: the answer was about another user
    other_server: bool = False  #: at a server that this client would not have gone to first
    met: Met | None = None  #: None if the lab could not look
    asks: tuple[LoginStep, ...] = ()  #: what Expressway-C asked itself to answer it
    in_estate: bool = False  #: whether it went through the Expressways of an estate

    @property
    def asked(self) -> bool:
        """Whether the request was made."""
        return bool(self.segment)

    @property
    def host(self) -> str:
        """The host asked, as advertised."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port asked."""
        return urlsplit(self.url).port or _HTTPS_PORT

    @property
    def place(self) -> str:
        """Host and port as in an address."""
        return urlsplit(self.url).netloc


@dataclass(frozen=True, slots=True)
class LoginResult:
    """A login as a whole."""

    steps: tuple[LoginStep, ...]

    @property
    def red(self) -> tuple[LoginStep, ...]:
        """All red steps, in order."""
        return tuple(step for step in self.steps if step.fault)

    @property
    def first_red(self) -> LoginStep | None:
        """The step that a client would stop at."""
        return next(iter(self.red), None)

    @property
    def losses(self) -> tuple[Outcome, ...]:
        """All that the user loses, the worst first; empty if all is fine."""
        lost = {step.purpose for step in self.red}
        return tuple(outcome for purpose, outcome in _LOST.items() if purpose in lost)

    @property
    def outcome(self) -> Outcome:
        """What the user sees."""
        return next(iter(self.losses), Outcome.FINE)

    @property
    def text(self) -> str:
        """The outcome in words, with all that goes with it."""
        if self.outcome is Outcome.FINE:
            return f"{Outcome.FINE.text}{self._more()}"
        said = [f"{outcome.text}{self._where(outcome)}" for outcome in self.losses]
        if said[0] == Outcome.LOGIN_FAILS.text:
            return said[0]  # nothing else matters then
        return "; ".join(said)

    @property
    def choice(self) -> Choice | None:
        """The one fix that helps most; None if all is fine."""
        return choose(causes_of(self.steps))

    @property
    def hint(self) -> str:
        """The same in words, "" if all is fine."""
        choice = self.choice
        return "" if choice is None else choice.text

    def _more(self) -> str:
        """What there is beside phone service."""
        more = [text for purpose, text in _GAINED.items() if self._has(purpose)]
        if not more:
            return ""
        return f", {', '.join(more[:-1])} and {more[-1]}" if more[1:] else f" and {more[0]}"

    def _has(self, purpose: Purpose) -> bool:
        return any(step.purpose is purpose for step in self.steps)

    def _where(self, outcome: Outcome) -> str:
        """Say that only another server is concerned, if that is so."""
        steps = [step for step in self.red if _LOST[step.purpose] is outcome]
        if not all(step.other_server for step in steps):
            return ""
        hosts = dict.fromkeys(step.host for step in steps)
        return f" when the client is sent to {', '.join(hosts)}"


# -- causes


def causes_of(steps: Sequence[LoginStep]) -> tuple[Cause, ...]:
    """Return the cause of each red step, in order."""
    found: dict[int, Cause] = {}
    for number, step in enumerate(steps):
        if step.fault:
            before = None if step.because is None else found.get(step.because)
            found[number] = before or cause_of_step(step)
    return tuple(found.values())


def cause_of_step(step: LoginStep) -> Cause:
    """Return why one step is red: what Expressway-C met while it answered comes first."""
    for item in (*step.asks, step):
        cause = _known(item) if item.fault else None
        if cause is not None:
            return cause
    if step.hint:
        return simple_cause("", step.hint, step.place)
    if step.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _guess(step)
    return simple_cause("", _by_status(step), step.place)


def refusals_in(step: LoginStep) -> Iterator[LoginStep]:
    """Yield the requests of a red step that failed behind Expressway-C, its own ones first."""
    for item in (*step.asks, step):
        if item.fault and (item.met is None or item.met.reason not in {None, Reason.OK}):
            yield item


def _known(step: LoginStep) -> Cause | None:
    """Return the cause as the lab saw it or as the proxy itself tells it; None if neither did."""
    met = step.met
    if met is not None and met.discovery:
        return simple_cause(met.discovery, met.discovery_hint, "")
    if met is not None and met.reason not in {None, Reason.OK}:
        return _with_a_fix(cause_of(_refusal(step, met)))
    word, _, detail = step.lab_reason.partition("; ")
    reason = _REASONS.get(word)
    if reason is None or reason is Reason.OK:
        return _of_expressway(word, detail)
    code = _CODES.get(detail.rpartition(": ")[2], 0)
    refusal = replace(_at(step, reason), code=code, detail=detail)
    return _with_a_fix(cause_of(refusal, text=detail))


def _with_a_fix(cause: Cause) -> Cause:
    return cause if cause.remedies else replace(cause, remedies=_LOG.remedies)


def _refusal(step: LoginStep, met: Met) -> Refusal:
    if met.reason is None:
        raise AssertionError(step.title)
    return replace(
        _at(step, met.reason),
        code=met.code,
        depth=met.depth,
        subject=met.subject,
        detail=met.detail,
        chain=met.chain,
        tls_version=met.tls_version,
        rsa_passes=met.rsa_passes,
    )


def _at(step: LoginStep, reason: Reason) -> Refusal:
    return Refusal(reason=reason, host=step.host, port=step.port, in_estate=step.in_estate)


def _of_expressway(word: str, detail: str) -> Cause | None:
    """Return the cause that an Expressway's own answer tells; None if it tells none of those."""
    what = _BY_WORD.get(word)
    return None if what is None else simple_cause(detail, what, "")


def _guess(step: LoginStep) -> Cause:
    """Say what most likely lies behind an answer of the traffic server."""
    host = step.host
    if step.status == HTTPStatus.INTERNAL_SERVER_ERROR and step.phrase == _NAME_PHRASE:
        return cause_of(_at(step, Reason.NAME_NOT_RESOLVED))
    if step.phrase == NEXT_HOP_PHRASE:
        return simple_cause(f"{step.status} {step.phrase}", _NEXT_HOP, "")
    if step.status == HTTPStatus.GATEWAY_TIMEOUT:
        return simple_cause(
            f"{host} took the request and does not answer", "look at the node", step.place
        )
    if step.status != HTTPStatus.BAD_GATEWAY:
        text = f"{step.status} is an error of the node, or the proxy is ending"
        return simple_cause(text, "look at their logs", step.place)
    where = "see Expressway-C's event log"
    if not step.in_estate:  # whose addresses lead nowhere but inside it
        where += f", or `mralab verify {step.place}`"
    if is_ip(host):
        refusal = _at(step, Reason.NAME_REFUSED)
        said = f"the node is addressed as {host}, and its certificate does not name that"
        return cause_of(refusal, text=f"most likely {said} ({where})")
    # Where UDS works the CA is listed, so what TFTP presents is another kind of certificate.
    code = _SELF_SIGNED if step.purpose is Purpose.PHONE else _NO_ISSUER
    said = {
        _SELF_SIGNED: "the certificate presented there is a self-signed ECDSA one",
        _NO_ISSUER: "the node's CA is not in the trusted CA list, or the node is down",
    }[code]
    refusal = replace(_at(step, Reason.CHAIN_REFUSED), code=code)
    return cause_of(refusal, text=f"most likely {said} ({where})")


def _by_status(step: LoginStep) -> str:
    return _BY_STATUS.get(
        step.status, "the answer is the node's own, or not HTTP: look at its log and Expressway-C's"
    )


#: Phrase of Expressway-E's 502 without Expressway-C. Source: MRA guide X12.5 (seen).
NEXT_HOP_PHRASE: Final = "Next Hop Connection Failed"
_NEXT_HOP: Final = "check that Expressway-C runs and that its tunnel to Expressway-E is up"
_LOG: Final = simple_cause("", "see Expressway-C's event log", "")
_PASSWORD: Final = "the node refuses user and password: check both, case counts"  # noqa: S105 - text
_BY_STATUS: Final[dict[int, str]] = {
    HTTPStatus.BAD_REQUEST: "the proxy takes the route or the request for invalid: see its log",
    HTTPStatus.UNAUTHORIZED: _PASSWORD,
    HTTPStatus.FORBIDDEN: "no rule of the HTTP allow list covers it, or the node forbids it: look "
    "at Configuration > Unified Communications > HTTP allow list",
    HTTPStatus.NOT_FOUND: "the node does not have it: for a phone's configuration, check that the "
    "user has a soft phone (CSF) and that Cisco TFTP runs; else that UDS runs",
    HTTPStatus.TOO_MANY_REQUESTS: "too many logins in a short time: wait, or raise the limit",
}
#: Words that the Expressways' own answers begin their X-Lab-Reason with.
_BY_WORD: Final = {
    "not-authenticated": "check user id and password, case counts, and that the user's page has "
    "Home Cluster",
    "no-session": "log in anew: the X-Auth cookie is missing, another user's, or its time is over",
    "unknown-domain": "add the domain on Expressway-C: Configuration > Domains",
    "too-many-authorisations": "wait, or raise the limit of authorisations on Expressway-C",
    "traffic-server": "check that Expressway-C's traffic server runs",
    "next-hop": _NEXT_HOP,
}
