"""SOAP envelopes: what a client sent, and answers and faults in the same version. *Pure*.

- Strict: well-formed, no document type, the right namespaces, exactly one call in the body. What is
  wrong is a :class:`SoapFault`, which names whose fault it is.
- Trees are built with prefixed names, so that a fault code can use the prefix too.

Source: SOAP 1.1 (W3C note) and SOAP 1.2 Part 1 (W3C recommendation).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final
from xml.etree import ElementTree as ET

from mralab.errors import LabError
from mralab.lab.udsdata import add_text, document
from mralab.lab.udsread import read_xml

_PREFIX: Final = "soapenv"


class SoapVersion(Enum):
    """Versions of SOAP; the value is the envelope's namespace."""

    V1_1 = "http://schemas.xmlsoap.org/soap/envelope/"
    V1_2 = "http://www.w3.org/2003/05/soap-envelope"

    @property
    def content_type(self) -> str:
        """The media type of its messages."""
        return "text/xml" if self is SoapVersion.V1_1 else "application/soap+xml"


class Blame(Enum):
    """Whose fault a fault is: its code in SOAP 1.1 and in 1.2, and the status it is sent with."""

    SENDER = ("Client", "Sender", 400)
    RECEIVER = ("Server", "Receiver", 500)
    VERSION = ("VersionMismatch", "VersionMismatch", 500)


class SoapFault(LabError):
    """A call that cannot be answered. ``str()`` is the reason that the client gets."""

    def __init__(
        self,
        reason: str,
        *,
        blame: Blame = Blame.SENDER,
        version: SoapVersion = SoapVersion.V1_1,
        detail: ET.Element | None = None,
    ) -> None:
        """Say what is wrong.

        Args:
            reason: for people.
            blame: whose fault it is.
            version: the SOAP version to answer in.
            detail: an element for programs.
        """
        super().__init__(reason)
        self.blame = blame
        self.version = version
        self.detail = detail

    @property
    def http_status(self) -> int:
        """Status of the answer: SOAP 1.1 has one for all faults."""
        return 500 if self.version is SoapVersion.V1_1 else self.blame.value[2]

    def body(self) -> bytes:
        """Return the answer."""
        return envelope(self.version, self._element())

    def _element(self) -> ET.Element:
        old, new, _ = self.blame.value
        fault = ET.Element(f"{_PREFIX}:Fault")
        if self.version is SoapVersion.V1_1:
            add_text(fault, "faultcode", f"{_PREFIX}:{old}")
            add_text(fault, "faultstring", str(self))
            detail = "detail"
        else:
            add_text(
                ET.SubElement(fault, f"{_PREFIX}:Code"), f"{_PREFIX}:Value", f"{_PREFIX}:{new}"
            )
            reason = ET.SubElement(fault, f"{_PREFIX}:Reason")
            ET.SubElement(reason, f"{_PREFIX}:Text", {"xml:lang": "en"}).text = str(self)
            detail = f"{_PREFIX}:Detail"
        if self.detail is not None:
            ET.SubElement(fault, detail).append(self.detail)
        return fault


@dataclass(frozen=True, slots=True)
class SoapCall:
    """What stands in the body of a request."""

    version: SoapVersion
    namespace: str  #: of the call, "" if it has none
    name: str  #: its local name
    element: ET.Element

    def text(self, path: str) -> str | None:
        """Return the stripped text of a child in the call's namespace or in none."""
        for namespace in (self.namespace, ""):
            found = self.element.find(_clark(namespace, path))
            if found is not None:
                return (found.text or "").strip()
        return None


def read_call(body: bytes) -> SoapCall:
    """Parse a request.

    Raises:
        SoapFault: it is no SOAP request with one call.
    """
    try:
        root = read_xml(body)
    except LabError as exc:
        raise SoapFault(str(exc)) from exc
    namespace, name = _split(root.tag)
    version = next((item for item in SoapVersion if item.value == namespace), None)
    if name != "Envelope":
        raise SoapFault(f"{name} is no SOAP envelope", version=version or SoapVersion.V1_1)
    if version is None:
        raise SoapFault(f"{namespace!r} is no SOAP namespace", blame=Blame.VERSION)
    bodies = root.findall(_clark(version.value, "Body"))
    calls = list(bodies[0]) if len(bodies) == 1 else []
    if len(calls) != 1:
        raise SoapFault("the envelope has no body with exactly one call", version=version)
    return SoapCall(version, *_split(calls[0].tag), calls[0])


def envelope(version: SoapVersion, content: ET.Element) -> bytes:
    """Return a whole message around one element."""
    root = ET.Element(f"{_PREFIX}:Envelope", {f"xmlns:{_PREFIX}": version.value})
    ET.SubElement(root, f"{_PREFIX}:Body").append(content)
    return document(root)


def _split(tag: str) -> tuple[str, str]:
    """Split ``{namespace}name``."""
    namespace, found, name = tag.rpartition("}")
    return (namespace.removeprefix("{"), name) if found else ("", tag)


def _clark(namespace: str, name: str) -> str:
    return f"{{{namespace}}}{name}" if namespace else name
