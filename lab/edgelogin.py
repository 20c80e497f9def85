"""An MRA login as a client outside makes it: all of it, through Expressway-E.

- Every name of a server comes from an answer, as advertised; only Expressway-E is known before.
- The order: sign-on mode, edge configuration (which sets the ``X-Auth`` cookie), UDS, the files of
  TFTP, IM and Presence, voicemail, photo. What the user does not have is not asked for.
- A client takes one server of each kind. This one also asks the others that are advertised, so that
  one run shows what a client sent there would meet; those steps say so.
- The client checks Expressway-E's certificate, chain and name. If it refuses it, that is a red
  step.
- Every answer must be about the user who asked: see :mod:`mralab.lab.loginread`.

Source: edge configuration and cookie in Cisco 211304 and 117811, UDS requests and file names in
218018, 211304 and 225746 (all seen); that ``get_edge_sso`` comes first in a public script's log
lines (seen). The order of files, IM and Presence, voicemail and photo is inferred.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, replace
from functools import partial
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote

from yarl import URL

from mralab.errors import LabError
from mralab.lab import loginread, udsread
from mralab.lab.edgeconfig import EDGE_CONFIG, EDGE_SSO, encode_domain
from mralab.lab.expressway_c import COOKIE
from mralab.lab.hosts import bracketed, is_ip
from mralab.lab.imp import JABBER_LOGIN_PATH
from mralab.lab.login import Account, Walk, error_text, new_client, read_into
from mralab.lab.loginresult import LoginResult, LoginStep, Purpose
from mralab.lab.udsread import Place
from mralab.origin.route import encode_segment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    import aiohttp

    from mralab.config.settings import Endpoint
    from mralab.lab.loginread import EdgeServers, UserFacts

_Value = TypeVar("_Value")

#: TFTP over HTTPS on every node. Source: Cisco 218018 (seen).
TFTP_PORT: Final = 6972
_MAILBOXES: Final = "/vmrest/users?query=({query})"
_INBOX: Final = "/vmrest/mailbox/folders/inbox/messages"
_NO_COOKIE: Final = "the answer sets no X-Auth cookie"
_COOKIE_HINT: Final = (
    "the domain of Expressway-E's own name must be that of the address clients find by SRV"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Expressway-E as a client finds it."""

    endpoint: Endpoint  #: where to connect to
    name: str  #: what it is called: checked in its certificate, sent in Host
    port: int = 8443  #: of its name, as DNS has it
    tls: ssl.SSLContext

    @property
    def authority(self) -> str:
        """Name and port as in an address."""
        return f"{bracketed(self.name)}:{self.port}"


def client_tls(authorities: bytes | None) -> ssl.SSLContext:
    """Return how a client checks Expressway-E.

    Args:
        authorities: trusted CAs in PEM; None: those of this system.

    Raises:
        LabError: there is no certificate in it.
    """
    if authorities is None:
        context = ssl.create_default_context()
        # Clients are not stricter than RFC 5280 allows them to be; Python 3.13 is.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=authorities.decode("ascii"))
    except (ssl.SSLError, ValueError) as exc:
        raise LabError(
            "no CA certificate for Expressway-E", hint="give certificates in PEM"
        ) from exc
    return context


async def log_in_at_edge(
    account: Account,
    edge: Edge,
    *,
    show: Callable[[LoginStep], None] = lambda _step: None,
    look: Callable[[LoginStep], LoginStep] = lambda step: step,
    photo: bytes | None = None,
    tftp_port: int = TFTP_PORT,
) -> LoginResult:
    """Walk the whole sequence once.

    Args:
        account: who logs in.
        edge: where.
        show: gets each step as soon as it is done.
        look: adds to a step what the lab has seen of it.
        photo: the user's photo, to compare; None if it is not known.
        tftp_port: of TFTP over HTTPS on every node.

    Returns:
        The steps in order, those included that could not be made.

    Raises:
        LabError: Expressway-E cannot be reached, or no longer.
        RouteError: the domain cannot stand in a route.
    """
    encode_segment(account.domain, "https", "x", tftp_port)
    async with new_client() as client:
        walk = _EdgeWalk(account, _ThroughEdge(client, edge), edge, show, look)
        await walk.all(photo, tftp_port)
    return LoginResult(tuple(walk.steps))


class _ThroughEdge:
    """To Expressway-E, over TLS."""

    def __init__(self, client: aiohttp.ClientSession, edge: Edge) -> None:
        self._client = client
        self._edge = edge

    def send(
        self, step: LoginStep, fields: Mapping[str, str], data: bytes | None
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        edge = self._edge
        return self._client.request(
            step.method,
            URL(f"https://{edge.endpoint}/{step.segment}{step.path}", encoded=True),
            headers={"Host": edge.authority, **fields},
            data=data,
            ssl=edge.tls,
            server_hostname=edge.name,
            allow_redirects=False,
        )

    def not_there(self, exc: OSError) -> LabError:
        return LabError(
            f"no Expressway-E at {self._edge.endpoint}: {error_text(exc)}",
            hint="check --edge, or run the estate with `mralab lab up`",
        )


class _EdgeWalk(Walk):
    """The whole sequence."""

    def __init__(
        self,
        account: Account,
        way: _ThroughEdge,
        edge: Edge,
        show: Callable[[LoginStep], None],
        look: Callable[[LoginStep], LoginStep],
    ) -> None:
        def seen(step: LoginStep) -> LoginStep:
            return look(replace(step, in_estate=True))

        super().__init__(account, way, show=show, look=seen)
        self._edge = edge
        self._cookie = ""
        self._user = quote(account.user, safe="")

    async def all(self, photo: bytes | None, tftp_port: int) -> None:
        """Take every step."""
        await self._sign_on_mode()
        config = await self._edge_configuration()
        facts, device, servers, at = await self._uds(config)
        hosts = _hosts(config, servers)
        files = _Files(self, hosts, tftp_port, at)
        await files.all(facts, device)
        await self._im_and_presence(files, facts)
        await self._voicemail(files)
        await self._photo(files, photo)

    # -- Expressway's own services

    async def _sign_on_mode(self) -> None:
        mail = f"{self._user}@{quote(self.account.domain, safe='')}"
        step = self._own("the sign-on mode", f"/{EDGE_SSO}?email={mail}")
        step, body, _ = await self.ask(step, anonymous=True)
        self.done(read_into(step, loginread.single_sign_on, body)[0])

    async def _edge_configuration(self) -> EdgeServers | None:
        query = "service_name=_cisco-uds&service_name=_cuplogin"
        step = self._own("the edge configuration", f"/{EDGE_CONFIG}?{query}")
        step, body, cookie = await self.ask(step)
        step, config = read_into(step, loginread.edge_servers, body)
        if not step.fault:
            step = self._keep_cookie(step, cookie)
        self.done(step)
        return None if step.fault else config

    def _own(self, title: str, path: str) -> LoginStep:
        return LoginStep(
            title=title,
            purpose=Purpose.LOGIN,
            segment=encode_domain(self.account.domain),
            url=f"https://{self._edge.authority}{path}",
            path=path,
        )

    def _keep_cookie(self, step: LoginStep, text: str) -> LoginStep:
        """Take the cookie as a client does: only from the server's own domain.

        Source: Cisco 117811 (a cookie of another domain is dropped, seen).
        """
        try:
            morsel = SimpleCookie(text).get(COOKIE)
        except CookieError:
            morsel = None
        if morsel is None or not morsel.value:
            return replace(step, fault=_NO_COOKIE, hint="look at Expressway-C's event log")
        domain = morsel["domain"].strip().lstrip(".").lower()
        name = self._edge.name.lower()
        if domain and not is_ip(name) and name != domain and not name.endswith(f".{domain}"):
            fault = f"the X-Auth cookie is for {domain}, and a client of {name} drops it"
            return replace(step, fault=fault, hint=_COOKIE_HINT)
        self._cookie = f"{COOKIE}={morsel.value}"
        return step

    def _credentials(self) -> dict[str, str]:
        fields = super()._credentials()
        return {**fields, "Cookie": self._cookie} if self._cookie else fields

    # -- UDS

    async def _uds(
        self, config: EdgeServers | None
    ) -> tuple[UserFacts | None, str | None, tuple[str, ...], int]:
        """Ask UDS.

        Returns:
            What the user's answer says, the soft phone, the cluster's servers, and the number of
            the step that names the servers, or would have.
        """
        user, own = self._user, self.account.user
        at = self.last
        start = config.uds if config else None
        home = await self._ask_uds(
            "the user's home cluster",
            _at(start, f"/cucm-uds/clusterUser?username={user}"),
            partial(loginread.own_home_cluster, user=own),
            at,
        )
        at = self.last if start else at
        port = start.port if start else 0
        place = Place("https", home, port) if home else None
        servers = await self._ask_uds(
            "the cluster's servers", _at(place, "/cucm-uds/servers"), udsread.server_hosts, at
        )
        at = self.last if home else at
        first = Place("https", servers[0], port) if servers else None
        read_user = partial(loginread.own_user, user=own)
        path = f"/cucm-uds/user/{user}"
        facts = await self._ask_uds("the user", _at(first, path), read_user, at)
        device = await self._ask_uds(
            "the user's devices",
            _at(first, f"{path}/devices?max=100"),
            partial(loginread.own_soft_phone, user=own),
            at,
        )
        for other in (servers or ())[1:]:
            await self._ask_uds(
                f"the user, from {other}", Place("https", other, port, path), read_user, at,
                other_server=True,
            )  # fmt: skip
        return facts, device, servers or (), at

    async def _ask_uds(
        self,
        title: str,
        place: Place | None,
        read: Callable[[bytes], _Value],
        because: int,
        *,
        other_server: bool = False,
    ) -> _Value | None:
        step = LoginStep(title=title, purpose=Purpose.LOGIN, other_server=other_server)
        return await self.take(step, place, read, because=because)

    # -- IM and Presence, voicemail, photo

    async def _im_and_presence(self, files: _Files, facts: UserFacts | None) -> None:
        if facts is not None and not facts.im_presence:
            return
        step = LoginStep(title="the IM and Presence login", purpose=Purpose.IM, method="POST")
        for number, place in enumerate(self._named(files, udsread.im_presence_servers, step)):
            other = place is not None and number > 0
            title = f"{step.title}, on {place.host}" if place and other else step.title
            await self.take(
                replace(step, title=title, other_server=other),
                _at(place, JABBER_LOGIN_PATH),
                loginread.im_session,
                because=files.profile_at,
                data=loginread.im_login(self.account.user, self.account.password),
                fields={"Content-Type": loginread.SOAP_TYPE},
                fault_in=loginread.soap_fault,
            )

    async def _voicemail(self, files: _Files) -> None:
        step = LoginStep(title="the mailbox's user", purpose=Purpose.VOICEMAIL)
        inbox = replace(step, title="the inbox")
        for place in self._named(files, udsread.voicemail_servers, step)[:1]:
            path = _MAILBOXES.format(query=quote(f"alias is {self.account.user}", safe=""))
            read = partial(loginread.own_mailbox, user=self.account.user)
            at = files.profile_at
            await self.take(step, _at(place, path), read, because=at)
            await self.take(inbox, _at(place, _INBOX), udsread.read_xml, because=at)

    def _named(
        self,
        files: _Files,
        read: Callable[[bytes], tuple[Place, ...]],
        step: LoginStep,
    ) -> tuple[Place, ...] | tuple[None]:
        """Return servers from the files; if what is named is none, that is a red step."""
        try:
            return files.named(read)
        except LabError as exc:
            self.done(replace(step, fault=str(exc), hint=exc.hint))
            return ()

    async def _photo(self, files: _Files, expected: bytes | None) -> None:
        step = LoginStep(title="the user's photo", purpose=Purpose.PHOTO)
        if files.settings is None:
            if files.settings_red:
                await self.take(step, None, udsread.read_xml, because=files.settings_at)
            return
        try:
            place = udsread.photo_place(files.settings, self.account.user)
        except LabError as exc:
            self.done(replace(step, fault=str(exc), hint=exc.hint))
            return
        if place is not None:
            read = partial(loginread.own_photo, expected=expected)
            await self.take(step, place, read)


class _Files:
    """The files that a client fetches by TFTP, and what they name.

    Attributes:
        settings: ``jabber-config.xml``; None if it is red or not there.
        settings_red: whether it is red.
        settings_at: number of its step.
        profile_at: number of the step that tells where IM and Presence and voicemail are.
    """

    def __init__(self, walk: _EdgeWalk, hosts: tuple[str, ...], port: int, at: int) -> None:
        self._walk = walk
        self._hosts = hosts
        self._port = port
        self._at = at
        self._profile: bytes | None = None
        self.settings: bytes | None = None
        self.settings_red = False
        self.settings_at = self.profile_at = at

    async def all(self, facts: UserFacts | None, device: str | None) -> None:
        """Fetch them all."""
        self.settings = await self._fetch(
            "the Jabber configuration", "jabber-config.xml", _well_formed, optional=True
        )
        self.settings_red = bool(self._walk.steps[-1].fault)
        self.settings_at = self._number()
        profile = facts.profile.path if facts and facts.profile else "/SPDefault.cnf.xml"
        self._profile = await self._fetch("the service profile", profile[1:], _well_formed)
        self.profile_at = self._number()
        own = quote(device or f"CSF{self._walk.account.user}", safe="")
        extension = facts.extension if facts else ""
        read_phone = partial(loginread.own_phone, extension=extension)
        await self._fetch("the phone configuration", f"{own}.cnf.xml", read_phone)
        for other in self._hosts[1:]:
            title = f"the phone configuration, from {other}"
            await self._fetch(title, f"{own}.cnf.xml", read_phone, host=other)
        await self._fetch(
            "the global settings", "global-settings.xml", udsread.read_xml, optional=True
        )

    def named(self, read: Callable[[bytes], tuple[Place, ...]]) -> tuple[Place, ...] | tuple[None]:
        """Return the servers that the service profile names; without one, ``jabber-config.xml``.

        None stands for a server that no answer could name.

        Raises:
            LabError: the file names something that is no server.
        """
        if self._profile is not None:
            return read(self._profile)
        found = read(self.settings) if self.settings is not None else ()
        return found or (None,)

    async def _fetch(
        self,
        title: str,
        name: str,
        read: Callable[[bytes], _Value],
        *,
        host: str = "",
        optional: bool = False,
    ) -> _Value | None:
        step = LoginStep(title=title, purpose=Purpose.PHONE, other_server=bool(host))
        where = host or next(iter(self._hosts), "")
        place = Place("https", where, self._port, f"/{name}") if where else None
        return await self._walk.take(step, place, read, because=self._at, optional=optional)

    def _number(self) -> int:
        """Number of the step just taken; if it was not asked, of the one it lacked."""
        step = self._walk.steps[-1]
        return self._walk.last if step.because is None else step.because


def _hosts(config: EdgeServers | None, servers: tuple[str, ...]) -> tuple[str, ...]:
    """Return the TFTP servers: those of the edge configuration, else the cluster's."""
    return (config.tftp if config else ()) or servers


def _at(place: Place | None, path: str) -> Place | None:
    return None if place is None else replace(place, path=path)


def _well_formed(body: bytes) -> bytes:
    udsread.read_xml(body)
    return body
