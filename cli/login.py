"""``mralab login``: the documented login sequence, step by step, through a running proxy."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mralab.cli.output import Exit, print_json, printable
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
_JSON_SCHEMA = "mralab-login-1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("account", metavar="USER@DOMAIN", help="who logs in, and the MRA domain")
    parser.add_argument(
        "--proxy",
        default="http://127.0.0.1:8443",
        metavar="http://HOST:PORT",
        help="the traffic server (default: http://127.0.0.1:8443)",
    )
    parser.add_argument(
        "--node", required=True, metavar="HOST", help="the CUCM to start at, by name or address"
    )
    parser.add_argument(
        "--password-file",
        type=Path,
        metavar="FILE",
        help=f"its first line is the password; without it: {_VARIABLE}, or you are asked",
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="keep trying to reach the proxy for so long at the start",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON only")


def run(args: argparse.Namespace) -> int:
    """Log in once; 1 if a step is red."""
    from mralab.lab.login import Account  # noqa: PLC0415 - not needed for --help

    if not 0 <= args.wait <= _MAX_WAIT_S:
        raise ConfigError(f"--wait {args.wait:g}", hint=f"give 0 to {_MAX_WAIT_S:g} seconds")
    user, domain = _account(args.account)
    node = args.node.strip("[]")
    _check_route(domain, node)
    proxy = _proxy(args.proxy)
    account = Account(user=user, domain=domain, password=_password(args.password_file))
    return asyncio.run(_log_in(account, node, proxy, args))


async def _log_in(account: Account, node: str, proxy: Endpoint, args: argparse.Namespace) -> int:
    from mralab.lab.login import log_in, wait_for_proxy  # noqa: PLC0415 - not needed for --help

    await wait_for_proxy(proxy, args.wait)
    if args.json:
        result = await log_in(account, node, proxy)
        print_json(_as_json(account, node, proxy, result))
    else:
        printer = _Printer()
        printer.begin(account, node, proxy)
        result = await log_in(account, node, proxy, show=printer.step)
        printer.end(result)
    return Exit.FINE if result.first_red is None else Exit.FINDINGS


class _Printer:
    """Prints a login while it goes on."""

    def __init__(self) -> None:
        self._count = 0

    def begin(self, account: Account, node: str, proxy: Endpoint) -> None:
        _line(f"{account.user}@{account.domain} at {node}, through http://{proxy}\n")

    def step(self, step: LoginStep) -> None:
        self._count += 1
        if not step.asked:
            _line(f"{self._count}  -   {step.title:<26}{step.fault}")
            return
        word = "red" if step.fault else "ok"
        answer = f"{step.status} {step.phrase}" if step.status else "no answer"
        _line(f"{self._count}  {word:<4}{step.title:<26}{answer:<22}{step.seconds:.3f} s")
        _line(f"       {step.url}")
        _line(f"       /{step.segment}{step.path}")
        if step.lab_reason:
            _line(f"       {step.lab_reason}")
        elif step.fault and not step.fault.startswith(f"answered {step.status}"):
            _line(f"       {step.fault}")

    def end(self, result: LoginResult) -> None:
        _line(f"\n{result.outcome.text}")
        if result.hint:
            _line(f"hint: {result.hint}")


def _line(text: str) -> None:
    # Each at once, also into a pipe: a container's log is one.
    print("\n".join(map(printable, text.split("\n"))), flush=True)


def _as_json(
    account: Account, node: str, proxy: Endpoint, result: LoginResult
) -> dict[str, object]:
    return {
        "schema": _JSON_SCHEMA,
        "user": account.user,
        "domain": account.domain,
        "node": node,
        "proxy": f"http://{proxy}",
        "outcome": result.outcome.value,
        "hint": result.hint,
        "steps": [
            {
                "title": step.title,
                "purpose": step.purpose.value,
                "asked": step.asked,
                "segment": step.segment,
                "url": step.url,
                "status": step.status or None,
                "phrase": step.phrase,
                "seconds": round(step.seconds, 6),
                "green": not step.fault,
                "fault": step.fault,
                "lab_reason": step.lab_reason,
            }
            for step in result.steps
        ],
    }


def _account(text: str) -> tuple[str, str]:
    user, at, domain = text.rpartition("@")
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
