"""What a client reads out of UDS answers and TFTP files. *Pure*.

- Strict: at most :data:`MAX_ANSWER_BYTES`, well-formed, and no document type: nothing in an answer
  can name a file, another server or an entity that grows.
- Elements are looked for by their plain names, wherever they stand, as the answers of different
  releases nest them differently.

Source: elements of the UDS reference (seen); that a list of devices holds ``device`` elements is a
lab default.
"""

from __future__ import annotations

from typing import Final, NoReturn
from xml.etree import ElementTree as ET

from mralab.errors import LabError, RouteError
from mralab.origin.route import canonical_host

#: Longest answer taken; configuration files are some ten KiB. Lab default.
MAX_ANSWER_BYTES: Final = 2**20
_SHOWN: Final = 80


class _NoDocumentType(ET.TreeBuilder):
    """Builds a tree, and refuses a document type before anything in it counts."""

    def doctype(self, name: str, _pubid: str | None, _system: str | None) -> NoReturn:
        raise ValueError(f"it has a document type, {name}")


def read_xml(body: bytes) -> ET.Element:
    """Parse an answer.

    Raises:
        LabError: it is too long, not well-formed, or has a document type.
    """
    if len(body) > MAX_ANSWER_BYTES:
        raise LabError(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
    parser = ET.XMLParser(target=_NoDocumentType())  # noqa: S314 - bounded, no document type
    try:
        parser.feed(body)
        root: ET.Element = parser.close()
    except (ET.ParseError, ValueError, LookupError) as exc:  # LookupError: an unknown encoding
        raise LabError(f"the answer is no usable XML: {exc}") from exc
    return root


def home_cluster(body: bytes) -> str:
    """Return the server that answers for the user's home cluster, from a ``clusterUser`` answer.

    Raises:
        LabError: no usable answer, or the user is not known.
    """
    root = read_xml(body)
    result = root.find(".//result")
    if result is None:
        raise LabError("the answer has no result")
    if result.get("found") != "true":
        raise LabError(
            "no cluster knows the user",
            hint="check the user id, whose case counts, and that the user's page has Home Cluster",
        )
    return _host(root.findtext(".//homeCluster"), "home cluster")


def first_server(body: bytes) -> str:
    """Return the first server of a ``servers`` answer: where a client goes on.

    Raises:
        LabError: no usable answer, or it names none.
    """
    return _host(read_xml(body).findtext(".//server"), "server")


def soft_phone(body: bytes) -> str | None:
    """Return the first soft phone of a ``devices`` answer, such as ``CSFemusk``; None if none.

    Raises:
        LabError: no usable answer.
    """
    names = (element.text or "" for element in read_xml(body).iterfind(".//device/name"))
    return next((name for name in names if name.startswith("CSF")), None)


def _host(text: str | None, what: str) -> str:
    host = (text or "").strip()
    if not host:
        raise LabError(f"the answer names no {what}", hint="look at System > Server on the node")
    try:
        canonical_host(host)
    except RouteError as exc:
        raise LabError(
            f"the answer names {host[:_SHOWN]!r} as {what}: {exc}",
            hint="correct it under System > Server on the node",
        ) from exc
    return host
