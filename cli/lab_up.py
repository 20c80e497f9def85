"""``mralab lab up``: a whole estate, or one machine of it, until a signal ends it."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mralab.cli.output import Exit, printable, report
from mralab.errors import ConfigError, MraLabError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from mralab.config.estate import Estate
    from mralab.config.settings import Endpoint
    from mralab.lab.dns import DnsServer, Zone
    from mralab.lab.estate import RunningEstate
    from mralab.lab.estatepki import EstateCertificates, KeptCertificate

_OFF = "off"
_REREAD = getattr(signal, "SIGHUP", None)  # Windows has none


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.description = (
        "Run an estate until SIGTERM or Ctrl-C: every node on a loopback address of its own, "
        "Expressway-C and -E, a DNS server for its names. SIGHUP has FILE read again, and what "
        "differs changed. With --only one machine of it, at its real address."
    )
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="the estate file (default: the sample of `mralab lab init`)",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="where certificates are kept for the next start, and all other files (default: a "
        "temporary folder)",
    )
    parser.add_argument(
        "--dns",
        metavar="HOST:PORT|off",
        help="where the DNS server listens (default: 127.0.0.1:53, or another port where 53 "
        "cannot be had; off with --only)",
    )
    parser.add_argument("--only", metavar="NAME", help="run this node or Expressway alone")
    parser.add_argument(
        "--bind", metavar="ADDRESS", help="with --only: listen there, not on its own address"
    )
    parser.add_argument(
        "--prepare",
        action="store_true",
        help="make the certificates in --folder for parts to come, and end",
    )
    parser.add_argument(
        "--state-dir", type=Path, metavar="FOLDER", help="where the control listener is told of"
    )


def run(args: argparse.Namespace) -> int:
    """Run it until a signal ends it."""
    dns = _dns_address(args)
    if args.bind is not None and args.only is None:
        raise ConfigError("--bind goes with --only", hint="name the one machine with --only NAME")
    if (args.prepare or args.only) and args.folder is None:
        flag = "--prepare" if args.prepare else "--only"
        raise ConfigError(f"{flag} goes with --folder", hint="name the folder that all parts share")
    from mralab.cli.login_estate import read_estate  # noqa: PLC0415 - not needed for --help

    estate = read_estate(args.file)
    if args.prepare:
        return asyncio.run(_prepare(estate, args.folder))
    if args.only:
        return asyncio.run(_serve_part(estate, args, dns))
    return asyncio.run(_serve(estate, args, dns))


async def _prepare(estate: Estate, folder: Path) -> int:
    from mralab.lab.estatefiles import EstateFiles  # noqa: PLC0415 - not needed for --help
    from mralab.lab.estatekeep import save_certificates  # noqa: PLC0415 - as above

    certificates = await _certificates(estate, _kept(estate, folder))
    save_certificates(folder, certificates)
    EstateFiles(folder).write(estate, certificates, {})
    _say(f"certificates of {estate.domain} are in {folder}")
    return Exit.FINE


async def _serve(estate: Estate, args: argparse.Namespace, dns: Endpoint | None) -> int:
    """Run the whole estate."""
    from mralab.admin.labcompanion import LabCompanion  # noqa: PLC0415 - not needed for --help
    from mralab.cli.lab_upshow import show  # noqa: PLC0415 - as above
    from mralab.lab.estate import RunningEstate  # noqa: PLC0415 - as above
    from mralab.lab.estatekeep import save_certificates  # noqa: PLC0415 - as above

    kept = _kept(estate, args.folder) if args.folder else None
    ended, reread = _on_signals(signal.SIGTERM, signal.SIGINT), _on_signals(_REREAD)
    async with AsyncExitStack() as stack:
        lab = await stack.enter_async_context(RunningEstate(estate, folder=args.folder, kept=kept))
        if args.folder:
            save_certificates(args.folder, lab.certificates)
        front = lab.expressway_e
        companion = LabCompanion(
            lab, listen=str(front.endpoint) if front else "", state_dir=args.state_dir
        )
        await companion.start()
        stack.push_async_callback(companion.stop)
        server = None
        if args.dns != _OFF:
            server = await _start_dns(stack, _zone(lab), dns)
        show(lab, server, companion.endpoint)
        changing = asyncio.create_task(_change_when_told(lab, args, server, reread))
        await ended.wait()
        changing.cancel()
        await asyncio.wait([changing])
    return Exit.FINE


async def _change_when_told(
    lab: RunningEstate, args: argparse.Namespace, server: DnsServer | None, reread: asyncio.Event
) -> None:
    """Make the running estate what its file says, each time SIGHUP asks for it."""
    from mralab.cli.lab_upshow import show_change  # noqa: PLC0415 - not needed for --help
    from mralab.cli.login_estate import read_estate  # noqa: PLC0415 - as above
    from mralab.lab.estatekeep import save_certificates  # noqa: PLC0415 - as above

    while True:
        await reread.wait()
        reread.clear()
        before = lab.estate
        try:
            await lab.change(read_estate(args.file), refresh=True)
            if server is not None:
                server.zone = _zone(lab)
            if args.folder:
                save_certificates(args.folder, lab.certificates)
        except MraLabError as exc:
            with suppress(OSError):  # nobody reads any more: it goes on all the same
                for fault in getattr(exc, "faults", (exc,)):
                    report("mralab lab up", f"not changed: {fault}", fault.hint)
        else:
            with suppress(OSError):
                show_change(lab, before)


def _zone(lab: RunningEstate) -> Zone:
    from mralab.lab.dns import estate_zone  # noqa: PLC0415 - not needed for --help

    return estate_zone(lab.estate, lab.ports, lambda one: lab.loopback.get(one, one))


async def _serve_part(estate: Estate, args: argparse.Namespace, dns: Endpoint | None) -> int:
    """Run one machine of the estate."""
    from mralab.admin.labcompanion import LabCompanion  # noqa: PLC0415 - not needed for --help
    from mralab.lab.dns import estate_zone  # noqa: PLC0415 - as above
    from mralab.lab.estatepart import EstatePart  # noqa: PLC0415 - as above
    from mralab.lab.estateplace import EstatePorts  # noqa: PLC0415 - as above

    ended = _on_signals(signal.SIGTERM, signal.SIGINT)

    def say(line: str) -> None:
        try:
            _say(line)
        except OSError:  # nobody reads any more
            ended.set()

    part = EstatePart(
        estate,
        args.only,
        certificates=await _certificates(estate, _kept(estate, args.folder, as_they_are=True)),
        say=say,
        clock=lambda: datetime.now(UTC),
        bind=args.bind or "",
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(part)
        companion = LabCompanion(part, listen=args.only, state_dir=args.state_dir)
        await companion.start()
        stack.push_async_callback(companion.stop)
        if args.dns not in {None, _OFF}:
            await _start_dns(stack, estate_zone(estate, EstatePorts(), lambda one: one), dns)
        say(f"ready: {args.only} on {part.listens}")
        await ended.wait()
    return Exit.FINE


def _on_signals(*numbers: signal.Signals | None) -> asyncio.Event:
    """Return what is set whenever one of the signals comes."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in numbers:
        if number is not None:
            loop.add_signal_handler(number, event.set)
    return event


def _dns_address(args: argparse.Namespace) -> Endpoint | None:
    """Return where the DNS server is told to listen, None if nothing is said.

    Raises:
        ConfigError: it is no address.
    """
    if args.dns in {None, _OFF}:
        return None
    from mralab.config.values import read_endpoint  # noqa: PLC0415 - not needed for --help

    try:
        return read_endpoint(args.dns)
    except ConfigError as exc:
        raise ConfigError(f"--dns: {exc}", hint="for example 127.0.0.1:10053, or off") from exc


async def _start_dns(stack: AsyncExitStack, zone: Zone, listen: Endpoint | None) -> DnsServer:
    from mralab.lab.dns import DnsServer  # noqa: PLC0415 - not needed for --help

    server = DnsServer(zone, listen)
    await server.start()
    stack.push_async_callback(server.stop)
    return server


def _kept(
    estate: Estate, folder: Path, *, as_they_are: bool = False
) -> Mapping[str, KeptCertificate]:
    from mralab.lab.estatekeep import load_certificates  # noqa: PLC0415 - not needed for --help

    kept = load_certificates(folder, estate, now=datetime.now(UTC), as_they_are=as_they_are)
    if as_they_are and not kept:
        raise ConfigError(
            f"folder {folder} holds no certificates",
            hint="make them first, for all parts: mralab lab up FILE --folder DIR --prepare",
        )
    return kept


async def _certificates(estate: Estate, kept: Mapping[str, KeptCertificate]) -> EstateCertificates:
    from mralab.lab.estatepki import make_certificates, make_keys  # noqa: PLC0415 - as above
    from mralab.lab.pki import KeyCache  # noqa: PLC0415 - as above

    keys = KeyCache()
    await make_keys(estate, keys, kept=kept)
    return make_certificates(estate, now=datetime.now(UTC), keys=keys, before=kept)


def _say(line: str) -> None:
    print(printable(line), flush=True)
