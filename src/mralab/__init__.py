"""mralab: a lab stand-in for the Expressway-C traffic server of Mobile and Remote Access.

A client asks for ``/<base64 of domain/protocol/host/port>/rest``. The proxy decodes where that
goes, checks the allow list, opens TLS to the origin and verifies its certificate inside the
handshake, as Expressway-C does from release X14.2 on. The rooms, from the floor up, each
importing only what stands below it:

``trafficlog``   Expressway's log lines: records, templates, parser, writer
``config``       settings, release profiles, the product's command grammar
``truststore``   the trusted CA list, name rules, verdicts, OpenSSL contexts
``origin``       routes, policy, origin connections, the pool
``proxy``        one transaction from arrival to its last log line; beside it ``diagnostics``
``lab``          simulated nodes and the demo, around an embedded proxy
``admin``        the admin listener
``cli``          the commands
"""

__version__ = "0.1.0"
