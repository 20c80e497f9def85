"""Every setting once: its key in the file, its flag, how it is written and what it means.

One table drives the loader, the command line's flags, the sample file, the reference page and the
admin API's list of settings; a setting that is not here does not exist. Defaults are not repeated:
they are those of :class:`~mralab.config.settings.Settings`. *Pure*.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mralab.config import values
from mralab.config.releases import NameRule, Release, UpgradePath, VerifyMode

if TYPE_CHECKING:
    from mralab.config.settings import Settings
    from mralab.config.values import Kind

#: Tables of the file, in its order; "" is the top level.
TABLES = {
    "": "The proxy",
    "log": "Where log lines go",
    "timeouts": "Deadlines in seconds",
    "limits": "Bounds that keep one client or origin from using the proxy up",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        key: its name in the file, with its table: ``log.event_log``.
        kind: how it is written and read.
        about: one sentence for the help, the sample and the reference page.
        flag: the flag of ``serve`` that sets it, "" if only the file does.
        example: what a file could say where the default is "not set", as TOML.
    """

    key: str
    kind: Kind
    about: str
    flag: str = ""
    example: str = ""

    @property
    def table(self) -> str:
        """Name of its table, "" for the top level."""
        return self.key.rpartition(".")[0]

    @property
    def name(self) -> str:
        """Its name inside its table."""
        return self.key.rpartition(".")[2]

    def of(self, settings: Settings) -> object:
        """Return what ``settings`` holds for it, ``None`` where the release decides."""
        holder = getattr(settings, self.table) if self.table else settings
        return getattr(holder, self.name)

    def effective(self, settings: Settings) -> object:
        """Return the value in force."""
        if self.key in FROM_RELEASE:
            return getattr(settings, FROM_RELEASE[self.key])
        return self.of(settings)

    def plain(self, settings: Settings) -> values.Plain:
        """Return the value in force as a file or JSON would hold it."""
        value = self.effective(settings)
        return STANDS_FOR_NONE.get(self.key) if value is None else values.plain(value)


#: Settings that follow the release profile until they are set, and who tells the value in force.
FROM_RELEASE = {
    "verify_origin_server": "effective_verify_mode",
    "name_rule": "effective_name_rule",
    "ciphers": "effective_ciphers",
    "retries": "effective_retries",
}
#: Words that write ``None`` where that is a value and not the absence of one.
STANDS_FOR_NONE = {"admin": "off", "log.event_log": "-"}

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "listen",
        values.ENDPOINT,
        "Address of the proxy; port 0 takes any free one.",
        "--listen",
    ),
    Setting(
        "admin",
        values.ADMIN,
        "Address of the admin listener (API, metrics), or off; it speaks clear text.",
        "--admin",
    ),
    Setting(
        "release",
        values.choice(Release),
        "Release to behave as; it decides everything below that is not set.",
        "--release",
    ),
    Setting(
        "upgrade_path",
        values.choice(UpgradePath),
        "How X14.2 or later was reached; from-14.0 keeps the cipher list that prefers RSA.",
        "--upgrade-path",
    ),
    Setting(
        "trusted_ca",
        values.TRUSTED_CA,
        "Trusted CA list: PEM, DER or PKCS#7 files or folders; the order counts.",
        "--trusted-ca",
    ),
    Setting(
        "public_roots",
        values.SWITCH,
        "Append the public roots of certifi to the trusted CA list.",
        "--public-roots",
    ),
    Setting(
        "hosts",
        values.INPUT_FILE,
        "Static names in hosts(5) form, looked up before DNS.",
        "--hosts",
        '"hosts"',
    ),
    Setting(
        "allow_list",
        values.ALLOW_LIST,
        "HTTP allow list: a CSV file in the product's form, built-in (lab rules for every node), or"
        " off.",
        "--allow-list",
    ),
    Setting(
        "verify_origin_server",
        values.choice(VerifyMode),
        "VerifyOriginServer: On ends a handshake that does not verify, Off looks at nothing,"
        " Permissive (lab) logs and goes on.",
        "--verify-origin-server",
        '"On"',
    ),
    Setting(
        "name_rule",
        values.choice(NameRule),
        "How the requested name is compared with the certificate.",
        "--name-rule",
        '"expressway"',
    ),
    Setting(
        "client_cert",
        values.INPUT_FILE,
        "Certificate (PEM, chain included) shown to a node that asks; needs client_key.",
        "--client-cert",
        '"client.pem"',
    ),
    Setting(
        "client_key",
        values.INPUT_FILE,
        "Private key (PEM) of client_cert.",
        "--client-key",
        '"client.key"',
    ),
    Setting(
        "ciphers",
        values.CIPHERS,
        "OpenSSL cipher string towards origins, without security level.",
        "--ciphers",
        '"EECDH:EDH:HIGH:-AES256+SHA:!MEDIUM:!LOW:!3DES:!MD5:!PSK:!eNULL:!aNULL:!aDH"',
    ),
    Setting(
        "retries",
        values.number(0, 10),
        "Further attempts after a failed one.",
        "--retries",
        "1",
    ),
    Setting(
        "workers",
        values.number(1, 256),
        "Processes that share the listening address.",
        "--workers",
    ),
    Setting(
        "loop",
        values.choice_of_words("uvloop", "asyncio"),
        "Event loop.",
        "--loop",
    ),
    Setting(
        "keylog",
        values.OUTPUT_FILE,
        "NSS key log of the origin leg, for Wireshark; whoever has it reads the traffic.",
        "--keylog",
        '"keys.log"',
    ),
    Setting(
        "pcap",
        values.OUTPUT_FILE,
        "Capture of both legs (pcapng), for Wireshark; with keylog it holds the keys, too.",
        "--pcap",
        '"lab.pcapng"',
    ),
    Setting(
        "x_lab_reason",
        values.SWITCH,
        "Add X-Lab-Reason, the cause in one line, to answers of our own (lab extension).",
        "--x-lab-reason",
    ),
    Setting(
        "state_dir",
        values.STATE_DIR,
        "Folder of the admin token; not set: mralab in $XDG_STATE_HOME or ~/.local/state.",
        "--state-dir",
        '"state"',
    ),
    Setting(
        "log.event_log",
        values.EVENT_LOG,
        "Event log in Expressway's form; - is standard output.",
        "--event-log",
    ),
    Setting(
        "log.json_log",
        values.OUTPUT_FILE,
        "The same transactions as one JSON object per line.",
        "--json-log",
        '"events.jsonl"',
    ),
    Setting(
        "log.debug",
        values.SWITCH,
        "DEBUG lines with whole HTTP heads beside the INFO lines.",
        "--debug-log",
    ),
    Setting(
        "log.hostname",
        values.LOG_HOST,
        "Host name in each log line.",
        "--log-hostname",
    ),
    Setting(
        "log.rotate_bytes",
        values.number(0, 2**40),
        "Rotate the event log at this size; 0 leaves it to an outside tool.",
    ),
    Setting(
        "log.rotate_keep",
        values.number(1, 1000),
        "Rotated files kept.",
    ),
    Setting(
        "timeouts.connect_timeout_s",
        values.SECONDS,
        "TCP connect and TLS handshake of one attempt.",
        "--connect-timeout",
    ),
    Setting(
        "timeouts.response_timeout_s",
        values.SECONDS,
        "From request sent to response head, and between two reads of a body.",
    ),
    Setting(
        "timeouts.client_idle_s",
        values.SECONDS,
        "A client connection without a request.",
    ),
    Setting(
        "timeouts.client_request_s",
        values.SECONDS,
        "From a request's first byte to the end of its head, and between two reads of its body.",
    ),
    Setting(
        "timeouts.pool_idle_s",
        values.SECONDS,
        "An idle origin connection is kept this long.",
    ),
    Setting(
        "timeouts.linger_s",
        values.SECONDS,
        "Reading on after a refusal so that the client sees it.",
    ),
    Setting(
        "timeouts.drain_s",
        values.SECONDS,
        "Requests in flight may take this long to end after SIGTERM.",
    ),
    Setting(
        "limits.max_url_bytes",
        values.number(256, 2**20),
        "Longest request target; a longer one is 414.",
    ),
    Setting(
        "limits.max_header_bytes",
        values.number(1024, 2**24),
        "Longest request head; a longer one is 431.",
    ),
    Setting(
        "limits.max_header_fields",
        values.number(8, 10_000),
        "Most header fields of a request; more are 431.",
    ),
    Setting(
        "limits.max_response_header_bytes",
        values.number(1024, 2**26),
        "Longest response head; a longer one is 502.",
    ),
    Setting(
        "limits.max_pipelined",
        values.number(1, 1000),
        "Requests read ahead on one client connection.",
    ),
    Setting(
        "limits.high_water_bytes",
        values.number(4096, 2**30),
        "Unsent bytes above which the other side is not read.",
    ),
    Setting(
        "limits.replay_bytes",
        values.number(0, 2**30),
        "Request body kept for a retry on a fresh connection.",
    ),
    Setting(
        "limits.max_idle_origin_connections",
        values.number(0, 100_000),
        "Idle connections kept to one origin.",
    ),
)

BY_KEY = {setting.key: setting for setting in SETTINGS}


def _folded(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


_BY_FOLDED = {_folded(setting.key): setting for setting in SETTINGS} | {
    _folded(setting.flag): setting for setting in SETTINGS if setting.flag
}
_TABLES_BY_FOLDED = {_folded(table): table for table in TABLES if table}
#: Names a file may use, for suggestions: keys, and flags without their hyphens.
KNOWN_NAMES = (
    *BY_KEY,
    *_TABLES_BY_FOLDED,
    *(setting.flag.removeprefix("--") for setting in SETTINGS if setting.flag),
)


def find_setting(name: str) -> Setting | None:
    """Return the setting that a file calls ``name``.

    Case, hyphens and underscores do not count, so that the product's spelling
    (``VerifyOriginServer``) works too, and so does each flag's name at the top level
    (``debug-log`` for ``log.debug``).
    """
    return _BY_FOLDED.get(_folded(name))


def find_table(name: str) -> str | None:
    """Return the table that a file calls ``name``."""
    return _TABLES_BY_FOLDED.get(_folded(name))
