"""All cases, one table per section."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.differential.cases_building import BUILDING
from tests.differential.cases_certificates import CERTIFICATES
from tests.differential.cases_faults import FAULTS
from tests.differential.cases_names import NAMES
from tests.differential.cases_wire import WIRE

if TYPE_CHECKING:
    from tests.differential.model import Case

CASES: Final[tuple[Case, ...]] = (*NAMES, *BUILDING, *CERTIFICATES, *FAULTS, *WIRE)
