"""The error hierarchy. A wrong certificate is a verdict; the decision to terminate is an error.

Every error knows the HTTP status its cause deserves and may carry a hint for the person at the
console. Foreign errors (``OSError``, ``ssl.SSLError``, pyOpenSSL's) are translated once, where they
enter, with ``from``.
"""


class MraLabError(Exception):
    """Base of all errors of ours.

    Attributes:
        status: HTTP status a client gets when this error ends its request.
        hint: what an administrator can do about it; may be empty.
    """

    status = 500

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Say what is wrong, naming the thing and its value; ``hint`` says what to do."""
        super().__init__(message)
        self.hint = hint


class ConfigError(MraLabError):
    """A setting, a flag or a configuration file is wrong."""


class TrustStoreError(ConfigError):
    """A trusted CA file cannot be read, or an append or remove is refused."""


class LogFormatError(MraLabError):
    """A line is not in any of the Expressway log forms."""


class RouteError(MraLabError):
    """The first path segment does not say where the request goes."""

    status = 400


class OriginError(MraLabError):
    """The origin could not be reached, refused TLS or answered rubbish."""

    status = 502


class OriginNameError(OriginError):
    """The origin's name has no address."""

    status = 500


class OriginConnectError(OriginError):
    """No usable connection to the origin: refused, unreachable, reset or closed."""


class OriginTimeoutError(OriginConnectError):
    """The origin did not answer in time."""


class ServeError(MraLabError):
    """The proxy cannot run though its settings are in order, e.g. its address is in use."""


class LabError(MraLabError):
    """The embedded lab could not be built or run."""


class AdminError(MraLabError):
    """The admin listener cannot be reached or refused the request."""
