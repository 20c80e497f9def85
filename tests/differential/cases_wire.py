"""The wire: alerts, versions, suites, attempts, and what the client gets from origins that fail."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from tests.differential import vocabulary as words
from tests.differential.certificates import CLIENT, constraints, new_key, rsa_of
from tests.differential.model import NAME, OK, Case, Policy
from tests.differential.place import CERT_SIGN, IS_CA
from tests.differential.world import Act, Request, Script, World
from tests.truststore.certs import eku, extension

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.differential.certificates import Key
    from tests.differential.place import Place

TLS1_0, TLS1_1, TLS1_2, TLS1_3 = 0x0301, 0x0302, 0x0303, 0x0304
_ONLY_1_2: Final = Script(max_tls=TLS1_2)
REFUSED: Final = "502 "
CONNECT_FAILED: Final = "502 connect failed"


def scripted(
    sentence: str,
    section: str,
    expect: str,
    *scripts: Script,
    key: Key | None = None,
    requests: tuple[Request, ...] = (Request(),),
    retries: int | None = None,
    wrong_name: bool = False,
    **world: Any,
) -> Case:
    """Make a case of a sound certificate, or one of another name, and an origin with a script."""

    def build(place: Place) -> World:
        leaf = place.leaf(
            dns=(f"imp.{place.zone}",) if wrong_name else None,
            key=key,
        )
        return World(
            sent=(leaf,),
            scripts=scripts or (Script(),),
            requests=requests,
            retries=retries,
            **world,
        )

    return Case(sentence, section, expect, build)


def under_tls_1_2(sentence: str, expect: str, build: Callable[[Place], World]) -> Case:
    """Make a case of the chain tables again with an origin that speaks TLS 1.2 only."""
    return Case(
        f"under TLS 1.2: {sentence}",
        "5 alerts",
        expect,
        lambda place: replace(build(place), scripts=(_ONLY_1_2,)),
    )


_CONSTRAINED = words.several(
    ca={
        "extensions": (
            IS_CA,
            CERT_SIGN,
            extension("2.5.29.30", constraints(permitted=("elsewhere.lab",)), critical=True),
        )
    }
)
_ALERTS: Final = (
    under_tls_1_2("a sound chain", OK, words.several()),
    under_tls_1_2("a missing issuer", f"{words.LOCAL_ISSUER}@1", words.several(listed=False)),
    under_tls_1_2(
        "a self-signed leaf",
        f"{words.SELF_SIGNED}@0",
        lambda place: World(sent=(place.self_signed(),)),
    ),
    under_tls_1_2("an expired leaf", f"{words.EXPIRED}@0", words.several(leaf=words.PAST)),
    under_tls_1_2("a leaf of tomorrow", f"{words.NOT_YET}@0", words.several(leaf=words.FUTURE)),
    under_tls_1_2(
        "a purpose", f"{words.PURPOSE}@0", words.several(leaf={"extensions": (eku(CLIENT),)})
    ),
    under_tls_1_2(
        "a critical extension",
        f"{words.CRITICAL}@0",
        words.several(
            leaf={"extensions": (extension("1.3.6.1.4.1.99999.2", b"\x05\x00", critical=True),)}
        ),
    ),
    under_tls_1_2("a constraint", f"{words.PERMITTED}@0", _CONSTRAINED),
    under_tls_1_2(
        "a corrupt signature", f"{words.SIGNATURE}@0", words.several(leaf={"corrupt": True})
    ),
    under_tls_1_2(
        "a weak key", f"{words.WEAK_LEAF_KEY}@0", words.several(leaf={"key": rsa_of(1024)})
    ),
    under_tls_1_2(
        "a CA flag", f"{words.INVALID_CA}@1", words.several(ca={"extensions": (words.NOT_CA,)})
    ),
    under_tls_1_2("a wrong name", NAME, words.several(leaf={"dns": ("imp.lab",)})),
)

_V: Final = "5 versions and suites"


def _suite(sentence: str, expect: str, ciphers: str, key: Key | None = None) -> Case:
    return scripted(
        sentence, _V, expect, Script(max_tls=TLS1_2, ciphers=ciphers), key=key or rsa_of(2048)
    )


_VERSIONS: Final = (
    scripted("TLS 1.3 is spoken", _V, OK, Script(min_tls=TLS1_3)),
    scripted("TLS 1.2 is spoken", _V, OK, _ONLY_1_2),
    scripted("TLS 1.1 is not", _V, REFUSED, Script(min_tls=TLS1_1, max_tls=TLS1_1)),
    scripted("TLS 1.0 is not", _V, REFUSED, Script(min_tls=TLS1_0, max_tls=TLS1_0)),
    _suite("CBC with SHA-1 is not offered", REFUSED, "ECDHE-RSA-AES128-SHA"),
    _suite("CBC with SHA-256 is offered", OK, "ECDHE-RSA-AES128-SHA256"),
    _suite("CBC with SHA-384 is offered", OK, "ECDHE-RSA-AES256-SHA384"),
    _suite("CBC with SHA-1 and RSA key exchange is not offered", REFUSED, "AES128-SHA"),
    _suite("CCM is offered", OK, "DHE-RSA-AES128-CCM"),
    _suite("CCM with a short tag is offered", OK, "DHE-RSA-AES128-CCM8"),
    _suite("ARIA is offered", OK, "ECDHE-ARIA256-GCM-SHA384"),
    _suite("CAMELLIA is offered", OK, "CAMELLIA128-SHA256"),
    _suite("RSA key exchange with GCM is offered", OK, "AES128-GCM-SHA256"),
    _suite("RSA key exchange with 256-bit GCM is offered", OK, "AES256-GCM-SHA384"),
    _suite("ECDHE-RSA with GCM is offered", OK, "ECDHE-RSA-AES128-GCM-SHA256"),
    _suite("ECDHE-RSA with 256-bit GCM is offered", OK, "ECDHE-RSA-AES256-GCM-SHA384"),
    _suite("ECDHE-RSA with ChaCha20 is offered", OK, "ECDHE-RSA-CHACHA20-POLY1305"),
    _suite("ECDHE-ECDSA with GCM is offered", OK, "ECDHE-ECDSA-AES128-GCM-SHA256", new_key()),
    _suite("ECDHE-ECDSA with ChaCha20 is offered", OK, "ECDHE-ECDSA-CHACHA20-POLY1305", new_key()),
    scripted("a leaf on P-224 finds no common suite", _V, REFUSED, key=new_key(ec.SECP224R1())),
    scripted("a leaf on secp256k1 finds no common suite", _V, REFUSED, key=new_key(ec.SECP256K1())),
    scripted("TLS 1.3 with AES-128", _V, OK, Script(suites_1_3="TLS_AES_128_GCM_SHA256")),
    scripted("TLS 1.3 with ChaCha20", _V, OK, Script(suites_1_3="TLS_CHACHA20_POLY1305_SHA256")),
    scripted(
        "TLS 1.3 with CCM only is not offered",
        _V,
        REFUSED,
        Script(min_tls=TLS1_3, suites_1_3="TLS_AES_128_CCM_SHA256"),
    ),
    scripted("a client certificate may be asked for", _V, OK, Script(ask_client="optional")),
    scripted(
        "a client certificate may be asked for under TLS 1.2",
        _V,
        OK,
        Script(ask_client="optional", max_tls=TLS1_2),
    ),
    scripted(
        "a client certificate may not be required under TLS 1.2",
        _V,
        REFUSED,
        Script(ask_client="required", max_tls=TLS1_2),
    ),
    scripted(
        "a required client certificate shows late under TLS 1.3",
        _V,
        REFUSED,
        Script(ask_client="required"),
    ),
    scripted(
        "a wrong name is told before a client certificate is shown",
        _V,
        NAME,
        Script(ask_client="required", max_tls=TLS1_2),
        wrong_name=True,
    ),
    scripted("sessions are resumed under TLS 1.3", _V, OK, requests=(Request(), Request())),
    scripted(
        "sessions are resumed under TLS 1.2", _V, OK, _ONLY_1_2, requests=(Request(), Request())
    ),
)

_A: Final = "6 attempts"
_CLOSES_ON_REQUEST: Final = Script(on_request=Act.CLOSE)


def _attempts(method: str, body: bytes | None = None) -> tuple[Case, ...]:
    """Make one case of a TLS fault and one of a close after the request."""
    request = Request(method, body)
    return (
        scripted(
            f"{method} is repeated after faults of TLS",
            _A,
            NAME,
            requests=(request,),
            wrong_name=True,
        ),
        scripted(
            f"{method} with an origin that closes after the request",
            _A,
            "502 Malformed Server Response Status",
            _CLOSES_ON_REQUEST,
            requests=(request,),
        ),
    )


def _retries(count: int) -> tuple[Case, ...]:
    return (
        scripted(f"{count} retries after a wrong name", _A, NAME, wrong_name=True, retries=count),
        scripted(
            f"{count} retries after a close",
            _A,
            CONNECT_FAILED,
            Script(on_accept=Act.CLOSE),
            retries=count,
        ),
        scripted(
            f"{count} retries after a close behind the request",
            _A,
            "502 Malformed Server Response Status",
            _CLOSES_ON_REQUEST,
            retries=count,
        ),
    )


def _recovery(
    sentence: str, *failing: Script, requests: tuple[Request, ...] = (Request(),)
) -> Case:
    return scripted(sentence, _A, "200 OK", *failing, Script(), requests=requests)


def _heals(request: Request, sentence: str) -> Case:
    """Make a case whose first two connections show another name's certificate."""

    def build(place: Place) -> World:
        bad = Script(sent=(place.leaf(dns=(f"imp.{place.zone}",)),))
        return World(sent=(place.leaf(),), scripts=(bad, bad, Script()), requests=(request,))

    return Case(sentence, _A, "200 OK", build)


_ATTEMPTS: Final = (
    *_retries(0),
    *_retries(1),
    *_retries(2),
    *_attempts("GET"),
    *_attempts("HEAD"),
    *_attempts("POST", b"a body"),
    *_attempts("PUT", b"a body"),
    *_attempts("DELETE"),
    *_attempts("OPTIONS"),
    _recovery("the third attempt may succeed after closes", *2 * (Script(on_accept=Act.CLOSE),)),
    _recovery("the fourth attempt may succeed", *3 * (Script(on_hello=Act.CLOSE),)),
    _recovery("an attempt may succeed after a close behind the request", _CLOSES_ON_REQUEST),
    _recovery(
        "a POST's body is kept for the attempt that succeeds",
        Script(on_accept=Act.CLOSE),
        requests=(Request("POST", b"a body"),),
    ),
    scripted(
        "a 404 ends it",
        _A,
        "404 Not Found",
        Script(
            on_request=b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
        ),
    ),
    scripted(
        "a 503 ends it",
        _A,
        "503 Service Unavailable",
        Script(
            on_request=b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n"
            b"Connection: close\r\n\r\nno"
        ),
    ),
    scripted(
        "a reason phrase of the origin's own passes",
        _A,
        "200 Fine by me",
        Script(
            on_request=b"HTTP/1.1 200 Fine by me\r\nContent-Length: 2\r\n"
            b"Connection: close\r\n\r\nok"
        ),
    ),
    scripted(
        "each request has its own attempts",
        _A,
        NAME,
        wrong_name=True,
        requests=(Request(), Request()),
    ),
)

_C: Final = "7 what the client gets"


def _alert(description: int, level: int = 2) -> bytes:
    return bytes((21, 3, 3, 0, 2, level, description))


def failing(sentence: str, expect: str, script: Script, *, plain: bool = False) -> Case:
    """Make a case of an origin that fails, over TLS or over plain HTTP."""
    return scripted(
        f"{sentence}, plain" if plain else sentence,
        _C,
        expect,
        script,
        scheme="http" if plain else "https",
    )


_CLIENT: Final = (
    scripted("a refused port", _C, "502 Broken pipe", listening=False),
    scripted("a refused port, plain", _C, "502 Connection refused", listening=False, scheme="http"),
    scripted(
        "a name that does not resolve",
        _C,
        "500 Cannot find server.",
        resolvable=False,
        host="nowhere.invalid",
    ),
    scripted(
        "a name that does not resolve, plain",
        _C,
        "500 Cannot find server.",
        resolvable=False,
        host="nowhere-else.invalid",
        scheme="http",
    ),
    failing("closed on accept", CONNECT_FAILED, Script(on_accept=Act.CLOSE)),
    failing("closed after the hello", CONNECT_FAILED, Script(on_hello=Act.CLOSE)),
    replace(
        failing("silent on accept", CONNECT_FAILED, Script(on_accept=Act.SILENCE)),
        policies=(Policy.ENFORCED,),  # it takes long
    ),
    failing("an alert handshake_failure", REFUSED, Script(on_hello=_alert(40))),
    failing("an alert protocol_version", REFUSED, Script(on_hello=_alert(70))),
    failing("an alert internal_error", REFUSED, Script(on_hello=_alert(80))),
    failing("an alert unrecognized_name", REFUSED, Script(on_hello=_alert(112))),
    failing("an alert access_denied", REFUSED, Script(on_hello=_alert(49))),
    failing(
        "an alert of level warning, then a close", CONNECT_FAILED, Script(on_hello=_alert(112, 1))
    ),
    failing("a close_notify in the handshake", CONNECT_FAILED, Script(on_hello=_alert(0, 1))),
    failing(
        "plain HTTP instead of TLS",
        REFUSED,
        Script(on_hello=b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
    ),
    failing(
        "plain HTTP before the hello",
        REFUSED,
        Script(on_accept=b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
    ),
    failing("garbage instead of TLS", REFUSED, Script(on_hello=b"\x00\x01\x02\x03" * 8)),
    failing(
        "an SSH banner instead of TLS",
        REFUSED,
        Script(on_accept=b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"),
    ),
    failing("a record of an unknown type", REFUSED, Script(on_hello=b"\x63\x03\x03\0\x02hi")),
    failing("application data in the handshake", REFUSED, Script(on_hello=b"\x17\x03\x03\0\x02hi")),
    failing(
        "a record that is too long", REFUSED, Script(on_hello=b"\x16\x03\x03\xff\xff" + bytes(64))
    ),
    failing(
        "an empty handshake record, then a close",
        CONNECT_FAILED,
        Script(on_hello=b"\x16\x03\x03\0\0"),
    ),
    failing(
        "half a record, then a close",
        CONNECT_FAILED,
        Script(on_hello=b"\x16\x03\x03\0\x40\x02\0\0"),
    ),
    failing("closed after the request", "502 Malformed Server Response Status", _CLOSES_ON_REQUEST),
    failing(
        "closed after the request",
        "502 Malformed Server Response Status",
        _CLOSES_ON_REQUEST,
        plain=True,
    ),
    failing(
        "closed right after the handshake",
        "502 Malformed Server Response Status",
        Script(on_established=Act.CLOSE, max_tls=TLS1_2),
    ),
    failing(
        "closed on accept",
        "502 Malformed Server Response Status",
        Script(on_accept=Act.CLOSE),
        plain=True,
    ),
    failing(
        "an answer that is not HTTP",
        "502 Invalid HTTP Response",
        Script(on_request=b"what?\r\n\r\n"),
    ),
    failing(
        "an answer that is not HTTP",
        "502 Invalid HTTP Response",
        Script(on_request=b"what?\r\n\r\n"),
        plain=True,
    ),
    failing(
        "an answer of binary garbage",
        "502 Invalid HTTP Response",
        Script(on_request=bytes(range(256))),
    ),
    failing("a good answer", "200 OK", Script(), plain=True),
)

WIRE: Final[tuple[Case, ...]] = (
    *_ALERTS,
    *_VERSIONS,
    *_ATTEMPTS,
    _heals(Request(), "a good certificate after two of another name"),
    _heals(Request("POST", b"a body"), "a POST goes to the third, good connection only"),
    *_CLIENT,
)
