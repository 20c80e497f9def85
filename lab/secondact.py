"""The second act of ``mralab demo``: the whole sample estate, one login, four releases.

Rules: each column of the matrix is a real login; what it must come to is stated here and compared,
step by step and line by line, as the catalogue's cases are. The documented case has to show: before
X14.2 all is green, from X14.2 on port 6972 presents an ECDSA certificate that is still self-signed.

Source: Cisco 218018 (seen); that X15.5 goes as X14.2 there is inferred.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mralab.config.estatesample import sample_estate
from mralab.lab.catalogue.compare import differences
from mralab.lab.catalogue.edit import SUBSCRIBER
from mralab.lab.catalogue.expect import no_phone_service, untrusted
from mralab.lab.catalogue.model import GREEN, X12_5, X14_0_7, X14_2, X15_5
from mralab.lab.estate import RunningEstate
from mralab.lab.upgrade import run_upgrade

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mralab.config.estate import Estate
    from mralab.lab.catalogue.model import Expected
    from mralab.lab.upgrade import Column, UpgradeMatrix

#: What it is called by ``--scenario`` and ``--list``.
NAME: Final = "releases"
TITLE: Final = "The whole estate: one login under four releases"
STORY: Final = (
    "The same case with all that belongs to it: Expressway-E in front, a cluster of two, IM and "
    "Presence, Unity Connection. emusk logs in under each release as a client does, from the "
    "sign-on mode to the photo; between two logins the traffic server becomes the next release."
)
_REFUSED: Final = no_phone_service(
    untrusted("self signed certificate", depth=0, certificate="CallManager-ECDSA"),
    also_from=SUBSCRIBER,
)
#: What the login must come to.
EXPECTED: Final[Mapping[Column, Expected]] = {
    X12_5: GREEN,
    X14_0_7: GREEN,
    X14_2: _REFUSED,
    X15_5: _REFUSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Releases:
    """What the second act came to."""

    matrix: UpgradeMatrix
    faults: tuple[str, ...]  #: differences to what is documented, each with its release
    notes: tuple[str, ...]  #: what is not as documented on this machine, a sentence each


async def play_releases(estate: Estate | None = None) -> Releases:
    """Play it.

    Args:
        estate: instead of the sample.

    Raises:
        LabError: the estate cannot be run on this machine.
    """
    async with RunningEstate(estate or sample_estate()) as lab:
        matrix = await run_upgrade(lab, columns=EXPECTED, name="the sample estate")
        faults = tuple(
            f"{item.column.title}: {fault}"
            for item in matrix.columns
            for fault in differences(EXPECTED[item.column], item.result, item.discovery, lab.estate)
        )
        return Releases(matrix=matrix, faults=faults, notes=lab.notes)
