"""``mralab login``: the documented login sequence, step by step.

Three ways: through an estate that runs in this process (:mod:`mralab.cli.login_estate`), through an
Expressway-E that runs elsewhere (``--edge``, also there), or straight to a traffic server
(``--proxy``, ``--node``), here.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mralab.cli.output import Exit, print_json, printable
from mralab.config.releases import Release, UpgradePath
from mralab.errors import ConfigError, RouteError

if TYPE_CHECKING:
    import argparse

    from mralab.config.settings import Endpoint
    from mralab.lab.login import Account
    from mralab.lab.loginresult import LoginResult, LoginStep

_VARIABLE = "MRALAB_PASSWORD"
_USER = re.compile(r"[^\s:/]{1,128}")
_MAX_WAIT_S = 3600.0
_MAX_PASSWORD = 1024
_DEFAULT_PROXY = "http://127.0.0.1:8443"
_MAX_USERS = 10_000
_ESTATE_FLAGS = ("estate", "release", "upgrade_path", "users")
_EDGE_FLAGS = ("edge", "ca", "edge_name")
_DIRECT_FLAGS = ("proxy", "node")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("account", metavar="USER@DOMAIN", help="who logs in, and the MRA domain")
    _add_estate_flags(parser)
    _add_edge_flags(parser)
    _add_direct_flags(parser)
    parser.add_argument(
        "--password-file",
        type=Path,
        metavar="FILE",
        help=f"its first line is the password; without it: {_VARIABLE}, or you are asked",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON only")


def _add_estate_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("through an estate that runs in this process (the default)")
    group.add_argument(
        "--estate", type=Path, metavar="FILE", help="its description (default: the sample)"
    )
    group.add_argument(
        "--release",
        choices=[release.value for release in Release],
        help="Expressway-C's release (default: the estate's)",
    )
    group.add_argument(
        "--upgrade-path",
        choices=[path.value for path in UpgradePath],
        help="how that release was reached (default: the estate's)",
    )
    group.add_argument(
        "--users",
        type=int,
        metavar="N",
        help="so many users at once: the estate's, then made-up ones; USER@ may be left out",
    )


def _add_edge_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("through an Expressway-E that runs elsewhere")
    group.add_argument("--edge", metavar="HOST:PORT", help="where it is")
    group.add_argument(
        "--edge-name", metavar="NAME", help="its name in DNS and certificate, if it is not HOST"
    )
    group.add_argument(
        "--ca", type=Path, metavar="FILE", help="CAs to trust it by (default: the system's)"
    )


def _add_direct_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("straight to a running traffic server")
    group.add_argument(
        "--proxy",
        metavar="http://HOST:PORT",
        help=f"the traffic server (default with --node: {_DEFAULT_PROXY})",
    )
    group.add_argument("--node", metavar="HOST", help="the CUCM to start at, by name or address")
    group.add_argument(
        "--wait",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="keep trying to reach the proxy for so long at the start",
    )


def run(args: argparse.Namespace) -> int:
    """Log in; 1 if a step is red."""
    way = _way(args)
    if args.users is not None and not 1 <= args.users <= _MAX_USERS:
        raise ConfigError(f"--users {args.users}", hint=f"give 1 to {_MAX_USERS}")
    if way is _DIRECT_FLAGS:
        return _run_direct(args)
    from mralab.cli import login_estate  # noqa: PLC0415 - not needed for --help

    user, domain = _account(args.account, alone=args.users is not None)
    if way is _EDGE_FLAGS:
        return login_estate.run_at_edge(args, user, domain, _password(args.password_file))
    return login_estate.run_in_estate(args, user, domain, _given_password(args.password_file))


def _way(args: argparse.Namespace) -> tuple[str, ...]:
    """Return the flags of the way that was asked for.

    Raises:
        ConfigError: flags of two ways, or one that another needs is missing.
    """
    groups = (_DIRECT_FLAGS, _EDGE_FLAGS, _ESTATE_FLAGS)
    given = [[name for name in group if getattr(args, name) is not None] for group in groups]
    used = [group for group in given if group]
    if len(used) > 1:
        one, other = (f"--{group[0].replace('_', '-')}" for group in used[:2])
        raise ConfigError(
            f"{one} and {other} are two ways to log in",
            hint="give --proxy and --node, or --edge, or neither to run an estate",
        )
    if given[0]:
        return _DIRECT_FLAGS
    if given[1] and args.edge is None:
        raise ConfigError(
            f"--{given[1][0].replace('_', '-')} without --edge", hint="add --edge HOST:PORT"
        )
    return _EDGE_FLAGS if given[1] else _ESTATE_FLAGS


def _run_direct(args: argparse.Namespace) -> int:
    from mralab.lab.login import Account  # noqa: PLC0415 - not needed for --help

    if args.node is None:
        raise ConfigError("--proxy without --node", hint="name the CUCM to start at: --node HOST")
    if not 0 <= args.wait <= _MAX_WAIT_S:
        raise ConfigError(f"--wait {args.wait:g}", hint=f"give 0 to {_MAX_WAIT_S:g} seconds")
    user, domain = _account(args.account)
    node = args.node.strip("[]")
    _check_route(domain, node)
    proxy = _proxy(args.proxy or _DEFAULT_PROXY)
    account = Account(user=user, domain=domain, password=_password(args.password_file))
    return asyncio.run(_log_in(account, node, proxy, args))


async def _log_in(account: Account, node: str, proxy: Endpoint, args: argparse.Namespace) -> int:
    from mralab.lab.login import log_in, wait_for_proxy  # noqa: PLC0415 - not needed for --help
    from mralab.lab.loginreport import TITLE_WIDTH, login_json  # noqa: PLC0415 - as above

    await wait_for_proxy(proxy, args.wait)
    if args.json:
        result = await log_in(account, node, proxy)
        about = {"user": account.user, "domain": account.domain}
        print_json(login_json(result, {**about, "node": node, "proxy": f"http://{proxy}"}))
    else:
        printer = Printer(TITLE_WIDTH)
        printer.begin(f"{account.user}@{account.domain} at {node}, through http://{proxy}")
        result = await log_in(account, node, proxy, show=printer.step)
        printer.end(result)
    return Exit.FINE if result.first_red is None else Exit.FINDINGS


class Printer:
    """Prints a login while it goes on."""

    def __init__(self, width: int) -> None:
        """Begin with the first step.

        Args:
            width: of the titles' column.
        """
        self._count = 0
        self._width = width

    def begin(self, text: str) -> None:
        """Say who logs in, and where."""
        _line(f"{text}\n")

    def step(self, step: LoginStep) -> None:
        """Show one step."""
        from mralab.lab.loginreport import step_lines  # noqa: PLC0415 - not needed for --help

        self._count += 1
        for line in step_lines(self._count, step, width=self._width):
            _line(line)

    def end(self, result: LoginResult) -> None:
        """Say what it came to."""
        _line(f"\n{result.text}")
        if result.hint:
            _line(f"hint: {result.hint}")


def _line(text: str) -> None:
    # Each at once, also into a pipe: a container's log is one.
    print("\n".join(map(printable, text.split("\n"))), flush=True)


def _account(text: str, *, alone: bool = False) -> tuple[str, str]:
    """Take USER@DOMAIN apart.

    Args:
        text: as typed.
        alone: whether the domain may stand alone.
    """
    user, at, domain = text.rpartition("@")
    if alone and not user:
        return "", domain
    if not at or _USER.fullmatch(user) is None or not user.isprintable():
        raise ConfigError(
            f"{text!r} is not USER@DOMAIN",
            hint="for example emusk@steven.lab; a user id has no blank, colon or slash",
        )
    return user, domain


def _check_route(domain: str, node: str) -> None:
    from mralab.origin.route import encode_segment  # noqa: PLC0415 - not needed for --help

    try:
        encode_segment(domain, "https", node, 8443)
    except RouteError as exc:
        raise ConfigError(
            str(exc), hint=exc.hint or "write USER@DOMAIN and --node HOST, without a port"
        ) from exc


def _proxy(text: str) -> Endpoint:
    from mralab.config.values import read_endpoint  # noqa: PLC0415 - not needed for --help

    scheme, _, rest = text.partition("://")
    if scheme.lower() != "http":
        raise ConfigError(
            f"--proxy: {text!r} is not http://HOST:PORT",
            hint="the traffic server speaks clear text, as behind Expressway-E",
        )
    try:
        endpoint = read_endpoint(rest.removesuffix("/"))
    except ConfigError as exc:
        raise ConfigError(f"--proxy: {exc}", hint="write http://HOST:PORT") from exc
    if endpoint.port == 0:
        raise ConfigError("--proxy: port 0", hint="write the port that the proxy announced")
    return endpoint


def _given_password(file: Path | None) -> str | None:
    """Return the password of the file, if one is named: an estate has its users' own."""
    return None if file is None else _password(file)


def _password(file: Path | None) -> str:
    """Return the password: from the file, from the environment, or by asking."""
    if file is not None:
        password, source = _first_line(file), f"--password-file {file}"
    elif _VARIABLE in os.environ:
        password, source = os.environ[_VARIABLE], _VARIABLE
    elif sys.stdin is not None and sys.stdin.isatty():
        import getpass  # noqa: PLC0415 - only here

        password, source = getpass.getpass("Password: "), "the password"
    else:
        raise ConfigError(
            "no password", hint=f"set {_VARIABLE}, or name a file with --password-file"
        )
    if not password or not password.isprintable():
        what = "holds characters that cannot be typed" if password else "is empty"
        raise ConfigError(f"{source} {what}", hint="give the user's password")
    return password


def _first_line(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as stream:
            line = stream.readline(_MAX_PASSWORD + 1)
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"--password-file {file}: {why}", hint="check its name") from exc
    password = line.removesuffix("\n")
    if len(password) > _MAX_PASSWORD:
        raise ConfigError(
            f"--password-file {file}: its first line is longer than {_MAX_PASSWORD} characters",
            hint="its first line must be the password alone",
        )
    return password
