"""The JSON log's page names every reason, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from mralab.truststore.verdict import Reason

_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "json-log.md"


def test_the_page_lists_every_reason_once_and_in_order() -> None:
    listed = re.findall(r"^\| `([a-z-]+)` \|", _PAGE.read_text().partition("## Reasons")[2], re.M)
    assert listed == [reason.value for reason in Reason]
