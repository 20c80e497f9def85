"""Logins through an estate that runs in this process: what each step met, and many users at once.

- The client knows Expressway-E only; what the lab saw behind it is added to the steps afterwards
  and changes nothing of them.
- Of many logins only red steps are looked into: looking costs time, and green ones say enough.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import cycle
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import crypto

from mralab.config.releases import VerifyMode
from mralab.errors import LabError
from mralab.lab.edgelogin import Edge, client_tls, log_in_at_edge
from mralab.lab.login import Account
from mralab.lab.loginresult import LoginResult, LoginStep, Met, Purpose
from mralab.lab.photo import photo
from mralab.truststore.certificate import names_of
from mralab.truststore.names import match_name
from mralab.truststore.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mralab.config.estate import Estate, UserPlan
    from mralab.lab.edgeuds import EdgeAsk
    from mralab.lab.estate import RunningEstate
    from mralab.lab.evidence import Evidence

#: Open files of one login that is under way: both ends of five connections, and some more.
_FILES_OF_ONE: Final = 16
_FILES_OF_THE_LAB: Final = 256
_KIB: Final = 1024
_ECDSA: Final = "-ECDSA"


def edge_of(lab: RunningEstate) -> Edge:
    """Return how clients reach a running estate.

    Raises:
        LabError: it runs without Expressway-E.
    """
    front = lab.expressway_e
    if front is None:
        raise LabError("the estate runs without Expressway-E", hint="run it with its front")
    return Edge(
        endpoint=front.endpoint,
        name=lab.estate.expressway_e.name,
        port=lab.ports.front,
        tls=client_tls(lab.files.front_ca.read_bytes()),
    )


def account_of(estate: Estate, user: UserPlan) -> Account:
    """Return a user of the estate as one who logs in."""
    return Account(user=user.user_id, domain=estate.domain, password=user.password)


async def log_in_to(
    lab: RunningEstate,
    account: Account,
    *,
    edge: Edge | None = None,
    show: Callable[[LoginStep], None] = lambda _step: None,
    look: bool = True,
) -> LoginResult:
    """Log in once through a running estate.

    Args:
        lab: the estate.
        account: who.
        edge: from :func:`edge_of`, if it is at hand.
        show: gets each step as soon as it is done.
        look: whether to add to each step what the lab saw of it.

    Raises:
        LabError: Expressway-E cannot be reached.
    """
    return await log_in_at_edge(
        account,
        edge or edge_of(lab),
        show=show,
        look=(lambda step: seen_by(lab, step)) if look else (lambda step: step),
        photo=photo(account.user),
        tftp_port=lab.ports.tftp_https,
    )


# -- what the lab saw


def seen_by(lab: RunningEstate, step: LoginStep) -> LoginStep:
    """Add to a step what it met, and what Expressway-C asked itself to answer it."""
    if not step.tracking_id:
        return step
    asks = tuple(_ask(lab, step.purpose, ask) for ask in lab.expressway_c.asks(step.tracking_id))
    if asks:
        return replace(step, asks=asks)
    evidence = lab.evidence(step.tracking_id)
    if evidence.verdict is None and evidence.node is None:
        undiscovered = step.status == HTTPStatus.SERVICE_UNAVAILABLE and lab.report.failures
        return replace(step, met=_not_discovered(lab, Met())) if undiscovered else step
    met = _met(lab, evidence)
    if met.reason is Reason.NOT_ALLOWED and lab.report.failures:
        met = _not_discovered(lab, met)
    return replace(step, met=met)


def _not_discovered(lab: RunningEstate, met: Met) -> Met:
    """Say that a request has no way since discovery failed: no node, no rule."""
    failures = lab.report.failures
    said = "; ".join(f"{item.plan.address}: {item.status}" for item in failures)
    hints = dict.fromkeys(item.hint for item in failures if item.hint)
    more = f": {'; '.join(hints)}" if hints else ""
    return replace(
        met,
        discovery=f"discovery found no such node ({said})",
        discovery_hint=f"mend discovery, then Refresh servers{more}",
    )


def _ask(lab: RunningEstate, purpose: Purpose, ask: EdgeAsk) -> LoginStep:
    evidence = lab.evidence(ask.tracking_id, url=ask.url)
    fault = "" if ask.good else ask.fault or f"answered {ask.status} {ask.phrase}".rstrip()
    return LoginStep(
        title=ask.title,
        purpose=purpose,
        segment=ask.segment,
        url=ask.url,
        path=f"/{ask.url.split('/', 3)[3]}",
        status=ask.status,
        phrase=ask.phrase,
        seconds=ask.seconds,
        fault=fault,
        lab_reason=ask.lab_reason,
        tracking_id=ask.tracking_id,
        met=_met(lab, evidence),
        in_estate=True,
    )


def _met(lab: RunningEstate, evidence: Evidence) -> Met:
    record = evidence.verdict or {}
    attempts = record.get("attempts", ())
    fault = _last_fault(attempts[-1]) if attempts else {}
    refused = bool(fault) and (evidence.certificate or "").endswith(_ECDSA)
    return Met(
        node=evidence.node or "",
        service=evidence.service or "",
        certificate=evidence.certificate or "",
        chain=evidence.presented,
        tls_version=evidence.tls_version or "",
        alert=evidence.alert[1] if evidence.alert else None,
        verified=lab.proxy.settings.effective_verify_mode is not VerifyMode.OFF,
        reason=Reason(record["reason"]) if record.get("reason") else None,
        detail=record.get("detail", ""),
        code=fault.get("code", 0),
        depth=fault.get("depth", 0),
        subject=fault.get("certificate", {}).get("subject", ""),
        rsa_passes=_rsa_passes(lab, evidence) if refused else None,
        log=evidence.log_lines,
    )


def _last_fault(attempt: dict[str, Any]) -> dict[str, Any]:
    faults: list[dict[str, Any]] = attempt.get("faults", [])
    return faults[-1] if faults else {}


def _rsa_passes(lab: RunningEstate, evidence: Evidence) -> bool:
    """Whether the RSA certificate that the same service has would be accepted in its place.

    That is told from the certificates, without another handshake.
    """
    node = lab.nodes.get(evidence.node or "")
    if node is None or evidence.service is None or evidence.certificate is None:
        return False
    twin = node.served(evidence.service).get(evidence.certificate.removesuffix(_ECDSA))
    host = (evidence.verdict or {}).get("origin", {}).get("host", "")
    if twin is None or not host:
        return False
    rule = lab.proxy.settings.effective_name_rule
    der = twin.certificate.public_bytes(Encoding.DER)
    if not match_name(host, names_of(der), rule).matched:
        return False
    store = crypto.X509Store()
    for item in lab.proxy.trust.effective:
        store.add_cert(crypto.X509.from_cryptography(x509.load_der_x509_certificate(item.der)))
    sent = [crypto.X509.from_cryptography(item) for item in twin.chain]
    leaf = crypto.X509.from_cryptography(twin.certificate)
    try:
        crypto.X509StoreContext(store, leaf, sent).verify_certificate()
    except crypto.X509StoreContextError:
        return False
    return True


# -- many at once


@dataclass(frozen=True, slots=True, kw_only=True)
class UserLogin:
    """One of many logins."""

    user: str
    result: LoginResult
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyLogins:
    """Many logins at once, and one alone before them to compare with."""

    alone: UserLogin
    alone_peak_bytes: int | None  #: most memory of the whole process so far; None: unknown here
    logins: tuple[UserLogin, ...]
    seconds: float
    peak_bytes: int | None

    @property
    def red(self) -> tuple[UserLogin, ...]:
        """Those with a red step."""
        return tuple(login for login in self.logins if login.result.red)

    @property
    def slowest(self) -> UserLogin:
        """The one that took longest."""
        return max(self.logins, key=lambda login: login.seconds)

    def by_step(self) -> dict[str, tuple[int, int]]:
        """Return for each step how often it was green and how often red, in order."""
        counts: dict[str, tuple[int, int]] = {}
        for login in self.logins:
            for step in login.result.steps:
                green, red = counts.get(step.title, (0, 0))
                counts[step.title] = (green, red + 1) if step.fault else (green + 1, red)
        return counts


def with_users(estate: Estate, number: int) -> Estate:
    """Return the estate with this many users: its own first, then made-up ones.

    Made-up users are like the first user of each home cluster, in turn: in that cluster and with
    the same services, a password and an extension of their own, and an id such as ``emusk-001``.

    Args:
        estate: a checked one, with a user.
        number: at least 1.
    """
    own = estate.users[:number]
    models: dict[str, UserPlan] = {}
    for user in estate.users:
        models.setdefault(user.cluster, user)
    in_turn = cycle(models.values())
    taken = {user.user_id for user in estate.users}
    extensions = {user.extension for user in estate.users}
    made: list[UserPlan] = []
    counter = 0
    while len(own) + len(made) < number:
        counter += 1
        model = next(in_turn)
        user_id = f"{model.user_id}-{counter:03}"
        extension = str(9_000_000 + counter)
        if user_id not in taken and extension not in extensions:
            made.append(
                replace(
                    model,
                    user_id=user_id,
                    password=f"{model.password}-{counter:03}",
                    extension=extension,
                    last_name=f"{model.last_name} {counter:03}".strip(),
                    line=0,
                )
            )
    return replace(estate, users=(*own, *made))


async def log_in_many(
    lab: RunningEstate,
    accounts: Sequence[Account],
    *,
    done: Callable[[UserLogin], None] = lambda _login: None,
) -> ManyLogins:
    """Log in all of them at once, one alone before.

    Nothing limits how many are under way but the sockets this process may open.

    Args:
        lab: the estate; it must hold them all.
        accounts: who; the first is the one alone as well.
        done: gets each login of the many when it is over.

    Raises:
        LabError: the estate has no front, or the system allows too few open files.
    """
    allow_files(_FILES_OF_THE_LAB + _FILES_OF_ONE * len(accounts))
    edge = edge_of(lab)

    async def one(account: Account) -> UserLogin:
        began = perf_counter()
        try:
            result = await log_in_to(lab, account, edge=edge, look=False)
        except LabError as exc:  # none is lost: one that got no connection is a red one
            step = LoginStep(title="the connection", purpose=Purpose.LOGIN, fault=str(exc))
            result = LoginResult((replace(step, hint=exc.hint),))
        return UserLogin(user=account.user, result=result, seconds=perf_counter() - began)

    async def one_of_many(account: Account) -> UserLogin:
        login = await one(account)
        done(login)
        return login

    alone = await one(accounts[0])
    alone_peak = peak_bytes()
    lab.expressway_c.forget()  # it is not to count against the limit of the user who was alone
    began = perf_counter()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one_of_many(account)) for account in accounts]
    seconds = perf_counter() - began
    peak = peak_bytes()
    logins = tuple(_looked_into(lab, task.result()) for task in tasks)
    return ManyLogins(
        alone=_looked_into(lab, alone),
        alone_peak_bytes=alone_peak,
        logins=logins,
        seconds=seconds,
        peak_bytes=peak,
    )


def _looked_into(lab: RunningEstate, login: UserLogin) -> UserLogin:
    steps = tuple(seen_by(lab, step) if step.fault else step for step in login.result.steps)
    return replace(login, result=LoginResult(steps))


def peak_bytes() -> int | None:
    """Return the most memory that this process has had in use; None where nobody tells."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KIB


def allow_files(number: int) -> None:
    """Raise this process's limit of open files, if it is lower.

    Raises:
        LabError: the system does not allow it.
    """
    try:
        import resource  # noqa: PLC0415 - not on Windows, where there is no such limit
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= number:
        return
    if hard != resource.RLIM_INFINITY and hard < number:
        raise LabError(
            f"{number} open files are needed, and {hard} are allowed",
            hint=f"try fewer users, or `ulimit -n {number}` as root",
        )
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
    except (OSError, ValueError) as exc:  # macOS has a limit of its own beside these two
        raise LabError(
            f"{number} open files are needed, and the system allows {soft}: {exc}",
            hint="try fewer users",
        ) from exc
