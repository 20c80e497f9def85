"""Which fix helps most: causes of red steps, and what one change mends at once. *Pure*.

- Every cause and every fix comes from :mod:`mralab.diagnostics.explain`; here they only get a
  *reach*: two red steps share a fix if the same change mends both. Appending a CA mends every
  certificate below it, a new certificate every step that meets the old one, a rule or a service one
  place, a cipher list all of them.
- A workaround is never the fix that helps most: it mends all and secures nothing.
- Commands of :mod:`mralab.diagnostics.explain` are for `mralab serve`; of an estate its file is
  changed instead, and the fix says where.
- What was not asked because of a red step has that step's cause.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from mralab.config.releases import Release, UpgradePath, default_ciphers
from mralab.diagnostics.explain import Explanation, Fix, explain
from mralab.truststore.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mralab.truststore.verdict import CertificateFacts

#: OpenSSL's codes that say: the authority is missing, not the certificate itself.
_AUTHORITY_MISSING: Final = frozenset({2, 19, 20, 21})
_WORKAROUND: Final = "VerifyOriginServer: Off"
_TRUST: Final = "mralab trust append"
_CIPHERS: Final = "--upgrade-path"
_SERVER_NAME: Final = "System > Server"
#: How the fixes with these commands are made where an estate runs.
_IN_ESTATE: Final = {
    _TRUST: "in the estate file: trusted_ca under [expressway_c]",
    _WORKAROUND: "xConfiguration EdgeConfigServer VerifyOriginServer: Off; in the estate file: "
    'verify_origin_server = "Off" under [expressway_c]',
    # Not upgrade_path: each column of an upgrade has its own.
    _CIPHERS: "in the estate file: "
    f'ciphers = "{default_ciphers(Release.X14_2, UpgradePath.FROM_14_0)}" under [expressway_c]',
}
_ELLIPTIC: Final = "EC "
_TLS1_3: Final = "TLSv1.3"


class Reach(Enum):
    """How far one fix goes."""

    EVERYWHERE = "everywhere"  #: every step that has it among its fixes
    AUTHORITY = "authority"  #: every certificate that leads to the same missing authority
    CERTIFICATE = "certificate"  #: every step that meets the same certificate
    PLACE = "place"  #: every step at the same host and port
    HOST = "host"  #: every step at the same host


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """One fix, and which steps it mends: those whose causes have the same key."""

    fix: Fix
    key: tuple[str, ...]
    workaround: bool = False  #: whether it only buys time

    @property
    def sentence(self) -> str:
        """The fix as a sentence, its command behind it."""
        text = self.fix.what[:1].upper() + self.fix.what[1:]
        return f"{text}: {self.fix.command}" if self.fix.command else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a step is red, and what mends it."""

    text: str  #: a sentence without a full stop
    key: tuple[str, ...]  #: equal for steps that are red for the same reason
    remedies: tuple[Remedy, ...] = ()  #: best first
    chain: tuple[CertificateFacts, ...] = ()  #: what was presented, leaf first

    def hint(self, remedy: Remedy) -> str:
        """Cause and one of its fixes in one line."""
        return f"{self.text}. {remedy.sentence}" if self.text else remedy.fix.what


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The fix that helps most."""

    cause: Cause
    remedy: Remedy
    mends: int  #: red steps that it turns green
    red: int  #: of how many

    @property
    def text(self) -> str:
        """Cause, fix, and how far it goes."""
        return f"{self.cause.hint(self.remedy)}{self._reach}"

    @property
    def _reach(self) -> str:
        if self.red == 1:
            return ""
        if self.mends == self.red:
            return f" (this mends all {self.red} red steps)"
        return f" (this mends {self.mends} of {self.red} red steps)"


def choose(causes: Sequence[Cause]) -> Choice | None:
    """Choose the fix that mends most.

    Args:
        causes: one for each red step, in order; those not asked included.

    Returns:
        The fix with the most steps to mend; among equals that of the earlier step, and there the
        better one. None if nothing is red.
    """
    best: Choice | None = None
    counts: dict[tuple[str, ...], int] = {}
    for cause in causes:
        for key in {remedy.key for remedy in cause.remedies}:
            counts[key] = counts.get(key, 0) + 1
    for cause in causes:
        for remedy in cause.remedies:
            mends = counts[remedy.key]
            if not remedy.workaround and (best is None or mends > best.mends):
                best = Choice(cause=cause, remedy=remedy, mends=mends, red=len(causes))
    return best


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What the traffic server says of a request that failed; what is unknown is empty."""

    reason: Reason
    host: str
    port: int
    code: int = 0  #: X509_V_ERR number in the release's numbering
    depth: int = 0
    subject: str = ""  #: of the certificate at fault
    detail: str = ""  #: the proxy's own line
    chain: tuple[CertificateFacts, ...] = ()
    tls_version: str = ""
    rsa_passes: bool | None = None  #: whether the RSA certificate there would pass; None: unknown
    in_estate: bool = False  #: whether an estate runs there, which is mended in its file


def cause_of(refusal: Refusal, *, text: str = "") -> Cause:
    """Explain a refusal and give each of its fixes a reach.

    Args:
        refusal: what is known of it.
        text: the sentence to use; "" is the explanation's own.
    """
    explanation = explain(
        refusal.reason,
        code=refusal.code,
        depth=refusal.depth,
        name=refusal.host,
        subject=refusal.subject,
    )
    remedies = tuple(
        Remedy(
            fix=_of_estate(fix) if refusal.in_estate else fix,
            key=(fix.what, *_key(_reach(fix, refusal), refusal)),
            workaround=_WORKAROUND in fix.command,
        )
        for fix in explanation.fixes
        if _helps(fix, refusal)
    )
    return Cause(
        text=text or _said(explanation, refusal),
        key=(
            refusal.reason.value,
            str(refusal.code),
            refusal.host,
            str(refusal.port),
            _certificate(refusal),
            # Under TLS 1.3 other fixes help.
            _TLS1_3 if refusal.tls_version == _TLS1_3 else "",
        ),
        remedies=remedies,
        chain=refusal.chain,
    )


def simple_cause(text: str, what: str, place: str) -> Cause:
    """Return a cause with one fix that mends steps at one place.

    Args:
        text: the cause, may be empty.
        what: the fix.
        place: what steps with the same cause have in common.
    """
    fix = Fix(what)
    return Cause(text=text, key=(text, what, place), remedies=(Remedy(fix=fix, key=(what, place)),))


def _said(explanation: Explanation, refusal: Refusal) -> str:
    """Say the cause, and where: causes of names say it already."""
    if refusal.reason is Reason.NAME_REFUSED:
        return explanation.cause
    return f"{refusal.host}:{refusal.port}: {explanation.cause}"


def _of_estate(fix: Fix) -> Fix:
    """Return a fix as it is made where an estate runs."""
    where = next((text for word, text in _IN_ESTATE.items() if word in fix.command), "")
    return replace(fix, what=f"{fix.what}; {where}", command="") if where else fix


def _helps(fix: Fix, refusal: Refusal) -> bool:
    """Whether a fix can help here.

    Another cipher order does only where an ECDSA certificate was met, under TLS 1.2 (1.3 does not
    choose by it), and where the RSA one would pass.
    """
    if _CIPHERS not in fix.command or not refusal.chain:
        return True
    elliptic = refusal.chain[0].key.startswith(_ELLIPTIC)
    return elliptic and refusal.tls_version != _TLS1_3 and refusal.rsa_passes is not False


def _reach(fix: Fix, refusal: Refusal) -> Reach:
    if _WORKAROUND in fix.command or _CIPHERS in fix.command:
        return Reach.EVERYWHERE
    if _TRUST in fix.command:
        missing = refusal.code in _AUTHORITY_MISSING
        return Reach.AUTHORITY if missing else Reach.CERTIFICATE
    if refusal.reason is Reason.CHAIN_REFUSED:
        return Reach.CERTIFICATE
    if refusal.reason is Reason.NAME_REFUSED:
        return Reach.HOST if _SERVER_NAME in fix.what else Reach.CERTIFICATE
    if refusal.reason in {Reason.ORIGIN_ALERT, Reason.NAME_NOT_RESOLVED}:
        return Reach.HOST
    return Reach.PLACE


def _key(reach: Reach, refusal: Refusal) -> tuple[str, ...]:
    # What is missing issued the last certificate that was sent.
    issuer = refusal.chain[-1].issuer if refusal.chain else _place(refusal)
    return {
        Reach.EVERYWHERE: (),
        Reach.AUTHORITY: (issuer,),
        Reach.CERTIFICATE: (_certificate(refusal),),
        Reach.HOST: (refusal.host,),
        Reach.PLACE: (_place(refusal),),
    }[reach]


def _certificate(refusal: Refusal) -> str:
    return refusal.chain[0].sha256 if refusal.chain else _place(refusal)


def _place(refusal: Refusal) -> str:
    return f"{refusal.host}:{refusal.port}"
