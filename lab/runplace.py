"""Where commands find a running lab: a name that both sides share, quick to import.

The run file of ``mralab lab up`` lies in this folder inside the state folder, apart from those of
proxies, so that a command for one does not find the other. It is a proxy's run file in form: its
``listen`` is what the lab's users connect to, its ``admin`` the control listener.
"""

from __future__ import annotations

from typing import Final

RUN_FOLDER: Final = "lab"
