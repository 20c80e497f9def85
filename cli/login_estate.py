"""``mralab login`` through Expressway-E: that of an estate run here, or one that runs elsewhere."""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mralab.cli.login import Printer
from mralab.cli.output import Exit, print_json, printable
from mralab.errors import ConfigError, LabError, RouteError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mralab.config.estate import Estate
    from mralab.lab.edgelogin import Edge
    from mralab.lab.estate import RunningEstate
    from mralab.lab.estatelogin import ManyLogins, UserLogin
    from mralab.lab.login import Account
    from mralab.lab.loginresult import LoginResult

_EDGE_PORT = 8443


def read_estate(file: Path | None) -> Estate:
    """Return the estate of a file, the sample without one.

    Raises:
        ConfigFaults: everything that is wrong with it.
    """
    if file is None:
        from mralab.config.estatesample import sample_estate  # noqa: PLC0415 - the usual run

        return sample_estate()
    from mralab.config.estatefile import load_estate  # noqa: PLC0415 - only for a file

    return load_estate(file)


def estate_name(estate: Estate) -> str:
    """Return what to call an estate."""
    return str(estate.source) if estate.source else "the sample estate"


def run_in_estate(args: argparse.Namespace, user: str, domain: str, password: str | None) -> int:
    """Run the estate and log in through it.

    Args:
        args: the command line.
        user: who; "" with ``--users`` only.
        domain: the MRA domain; it must be the estate's.
        password: to use instead of the estate's own; None: that of the estate.
    """
    estate = _chosen(read_estate(args.estate), args)
    if domain.lower() != estate.domain.lower():
        raise ConfigError(
            f"{domain!r} is not the domain of {estate_name(estate)}, {estate.domain!r}",
            hint=f"write USER@{estate.domain}, or name another estate with --estate",
        )
    if args.users is not None:
        return asyncio.run(_log_in_many(estate, args))
    return asyncio.run(_log_in_here(estate, _account_in(estate, user, password), args))


def _chosen(estate: Estate, args: argparse.Namespace) -> Estate:
    """Return the estate with the release of the command line."""
    from mralab.config.releases import Release, UpgradePath  # noqa: PLC0415 - quick start

    plan = estate.expressway_c
    return replace(
        estate,
        expressway_c=replace(
            plan,
            release=Release(args.release) if args.release else plan.release,
            upgrade_path=UpgradePath(args.upgrade_path) if args.upgrade_path else plan.upgrade_path,
        ),
    )


def _account_in(estate: Estate, user: str, password: str | None) -> Account:
    from mralab.lab.login import Account  # noqa: PLC0415 - not needed for a fault

    known = estate.user(user)
    own = known.password if known else "unknown"
    return Account(user=user, domain=estate.domain, password=password or own)


async def _log_in_here(estate: Estate, account: Account, args: argparse.Namespace) -> int:
    from mralab.lab.estate import RunningEstate  # noqa: PLC0415 - slow to load
    from mralab.lab.estatelogin import log_in_to  # noqa: PLC0415 - as above

    async with RunningEstate(estate) as lab:
        _tell(lab.notes)
        about = {"user": account.user, "domain": account.domain, **_about(lab)}
        return await _show(
            lambda show: log_in_to(lab, account, show=show),
            f"{account.user}@{account.domain} through {_where(lab)}",
            about,
            args,
        )


def run_at_edge(args: argparse.Namespace, user: str, domain: str, password: str) -> int:
    """Log in through an Expressway-E that runs elsewhere."""
    from mralab.lab.login import Account  # noqa: PLC0415 - not needed for --help

    edge = _edge(args)
    account = Account(user=user, domain=domain, password=password)
    return asyncio.run(_log_in_there(account, edge, args))


async def _log_in_there(account: Account, edge: Edge, args: argparse.Namespace) -> int:
    from mralab.lab.edgelogin import log_in_at_edge  # noqa: PLC0415 - not needed for --help

    about: dict[str, object] = {"user": account.user, "domain": account.domain}
    try:
        return await _show(
            lambda show: log_in_at_edge(account, edge, show=show),
            f"{account.user}@{account.domain} through {edge.authority} at {edge.endpoint}",
            {**about, "edge": edge.authority},
            args,
        )
    except RouteError as exc:
        raise ConfigError(str(exc), hint=exc.hint or "write USER@DOMAIN") from exc


async def _show(
    log_in: Callable[[Any], Any], title: str, about: dict[str, object], args: argparse.Namespace
) -> int:
    from mralab.lab.loginreport import EDGE_TITLE_WIDTH, login_json  # noqa: PLC0415 - as above

    result: LoginResult
    if args.json:
        result = await log_in(lambda _step: None)
        print_json(login_json(result, about))
    else:
        printer = Printer(EDGE_TITLE_WIDTH)
        printer.begin(title)
        result = await log_in(printer.step)
        printer.end(result)
    return Exit.FINE if result.first_red is None else Exit.FINDINGS


# -- many at once


async def _log_in_many(estate: Estate, args: argparse.Namespace) -> int:
    from mralab.lab.estate import RunningEstate  # noqa: PLC0415 - slow to load
    from mralab.lab.estatelogin import (  # noqa: PLC0415 - as above
        account_of,
        log_in_many,
        with_users,
    )
    from mralab.lab.loginreport import many_json, many_lines  # noqa: PLC0415 - as above

    estate = with_users(estate, args.users)
    accounts = [account_of(estate, user) for user in estate.users]
    async with RunningEstate(estate) as lab:
        _tell(lab.notes)
        with _progress(len(accounts)) as done:
            many: ManyLogins = await log_in_many(lab, accounts, done=done)
        if args.json:
            print_json(many_json(many, {"domain": estate.domain, **_about(lab)}))
        else:
            print(f"{len(accounts)} users at once through {_where(lab)}\n")
            for line in many_lines(many):
                print(printable(line))
    return Exit.FINDINGS if many.red else Exit.FINE


@contextmanager
def _progress(total: int) -> Iterator[Callable[[UserLogin], None]]:
    """Show a bar on standard error if that is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda _login: None
        return
    from rich.console import Console  # noqa: PLC0415 - only on a terminal
    from rich.progress import Progress  # noqa: PLC0415 - as above

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("logins", total=total)
        yield lambda _login: progress.advance(task)


# -- words


def _where(lab: RunningEstate) -> str:
    about = _about(lab)
    return f"{about['edge']}, release {about['release']}, {about['upgrade_path']}"


def _about(lab: RunningEstate) -> dict[str, object]:
    settings = lab.proxy.settings
    return {
        "estate": estate_name(lab.estate),
        "edge": f"{lab.estate.expressway_e.name}:{lab.ports.front}",
        "release": settings.release.value,
        "upgrade_path": settings.upgrade_path.value,
    }


def _tell(notes: tuple[str, ...]) -> None:
    for note in notes:
        print(f"note: {printable(note)}", file=sys.stderr)


def _edge(args: argparse.Namespace) -> Edge:
    from mralab.config.values import read_endpoint  # noqa: PLC0415 - not needed for --help
    from mralab.lab.edgelogin import Edge, client_tls  # noqa: PLC0415 - as above

    text = args.edge if _has_port(args.edge) else f"{args.edge}:{_EDGE_PORT}"
    try:
        endpoint = read_endpoint(text)
    except ConfigError as exc:
        raise ConfigError(f"--edge: {exc}", hint="write HOST:PORT") from exc
    if endpoint.port == 0:
        raise ConfigError("--edge: port 0", hint="write the port that Expressway-E listens on")
    try:
        authorities = None if args.ca is None else args.ca.read_bytes()
    except OSError as exc:
        raise ConfigError(f"--ca {args.ca}: {exc.strerror}", hint="check its name") from exc
    try:
        tls = client_tls(authorities)
    except LabError as exc:
        raise ConfigError(f"--ca {args.ca}: {exc}", hint=exc.hint) from exc
    return Edge(
        endpoint=endpoint, name=args.edge_name or endpoint.host, port=endpoint.port, tls=tls
    )


def _has_port(text: str) -> bool:
    return text.rpartition("]")[2].count(":") == 1
