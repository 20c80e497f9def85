"""VerifyOriginServer and a fault make an action."""

from __future__ import annotations

import pytest

from mralab.config.releases import VerifyMode
from mralab.origin.policy import action_for
from mralab.truststore.verdict import Action, Fault, Reason

_FAULTS = [
    Fault(Reason.CHAIN_REFUSED, 18, "self signed certificate", 0),
    Fault(Reason.CHAIN_REFUSED, 10, "certificate has expired", 2),
    Fault(Reason.NAME_REFUSED, 62, "", 0),
]


@pytest.mark.parametrize("fault", _FAULTS)
@pytest.mark.parametrize(
    ("mode", "action"),
    [
        (VerifyMode.ENFORCED, Action.TERMINATE),
        (VerifyMode.PERMISSIVE, Action.CONTINUE),
        (VerifyMode.OFF, Action.CONTINUE),
    ],
)
def test_action(mode: VerifyMode, action: Action, fault: Fault) -> None:
    assert action_for(mode)(fault) is action
