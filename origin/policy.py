"""VerifyOriginServer and a fault make an action. *Pure*: no I/O here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mralab.config.releases import VerifyMode
from mralab.truststore.verdict import Action

if TYPE_CHECKING:
    from collections.abc import Callable

    from mralab.truststore.verdict import Fault


def action_for(mode: VerifyMode) -> Callable[[Fault], Action]:
    """Return what to do with a fault under a verification mode.

    ``On`` terminates at the first fault; ``Permissive`` logs each and goes on. ``Off`` never asks.

    Source: ENFORCED and PERMISSIVE of Apache Traffic Server's
    ``proxy.config.ssl.client.verify.server.policy``; Cisco 218018 for ``VerifyOriginServer``
    (seen: On, Off).
    """
    action = Action.TERMINATE if mode is VerifyMode.ENFORCED else Action.CONTINUE
    return lambda _fault: action
