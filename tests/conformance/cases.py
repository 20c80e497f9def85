"""The hold-out: public chains, and what OpenSSL said of each.

A folder holds ``cases-*.json.gz`` in the form of x509-limbo (``testcases``, each with
``trusted_certs``, ``peer_certificate`` and ``untrusted_intermediates`` in PEM and a
``validation_time``) and ``baseline.json`` with OpenSSL's verdicts: by case id, one column for each
library and level.
"""

from __future__ import annotations

import gzip
import json
import ssl
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from tests.conformance.verdict import ACCEPTED, Verdict, refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BASELINE: Final = "baseline.json"
_CASES: Final = "cases-*.json.gz"


@dataclass(frozen=True, slots=True)
class Case:
    """One chain to judge."""

    id: str
    trusted: bytes  #: the trusted CA list in PEM
    presented: tuple[bytes, ...]  #: DER, as the server sends them, its own certificate first
    at: datetime  #: aware; the time it is judged at


class Baseline:
    """OpenSSL's verdicts."""

    __slots__ = ("_libraries", "_rows")

    def __init__(self, folder: Path) -> None:
        """Read the folder's baseline."""
        data = json.loads((folder / _BASELINE).read_text("utf-8"))
        self._libraries: dict[str, dict[str, str]] = data["meta"]
        self._rows: dict[str, dict[str, Any]] = data["cases"]

    def library(self, column: str) -> str:
        """Name the library that a column was made by: ``OpenSSL 3.0.22``.

        The columns of the ``openssl`` command at higher levels share its entry.
        """
        entry = self._libraries.get(column) or self._libraries[column.rpartition("_")[0]]
        return " ".join(entry["library"].split()[:2])

    def verdict(self, case: str, column: str) -> Verdict | None:
        """Return a verdict; None if the column has none for this case."""
        found = self._rows.get(case, {}).get(column)
        match found:
            case {"verdict": "SUCCESS"}:
                return ACCEPTED
            case {"verdict": "FAILURE", "code": code, "depth": depth, "text": text}:
                return refused(code, depth, text)
            case _:
                return None


def is_holdout(folder: Path) -> bool:
    """Tell whether a folder holds chains and verdicts."""
    return (folder / _BASELINE).is_file() and any(folder.glob(_CASES))


def load_cases(folder: Path, *, start: int = 0, step: int = 1) -> Iterator[Case]:
    """Yield the server chains of a folder.

    Args:
        folder: where they are.
        start: first one to take, from 0.
        step: distance to the next one, so that several processes can share the work.
    """
    number = 0
    for path in sorted(folder.glob(_CASES)):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            entries = json.load(file)["testcases"]
        for entry in entries:
            if entry["validation_kind"] != "SERVER":
                continue
            if number % step == start:
                yield _case(entry)
            number += 1


def _case(entry: dict[str, Any]) -> Case:
    presented = (entry["peer_certificate"], *entry["untrusted_intermediates"])
    return Case(
        id=entry["id"],
        trusted="\n".join(pem.strip() for pem in entry["trusted_certs"]).encode("ascii"),
        presented=tuple(ssl.PEM_cert_to_DER_cert(pem.strip()) for pem in presented),
        at=datetime.fromisoformat(entry["validation_time"]),
    )
