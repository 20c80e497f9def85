"""The sample estate: that of Cisco 218018 made whole, and a sound one derived from it. *Pure*."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final

from mralab.config.estateread import read_estate
from mralab.config.lines import item_lines

if TYPE_CHECKING:
    from mralab.config.estate import Estate, NodePlan

#: What signs every certificate that the sound estate has and the sample has not.
_ROOT: Final = "steven-DC-CA"

#: Annotated TOML, what ``mralab lab init`` writes. Names, address and certificates of the publisher
#: are those of Cisco 218018 (seen); the other nodes and the second user are made up.
SAMPLE: Final = """\
# An MRA estate for mralab: the lab of Cisco document 218018, made whole.
#
# It works under X14.0.7. After a fresh X14.2 it no longer does: port 6972 is then answered with the
# CallManager-ECDSA certificate, which nobody has looked at since the installation. It is still
# self-signed, and Expressway-C does not trust it.
#
#   mralab lab check FILE                               every mistake at once, or the whole of it
#   mralab login emusk@steven.lab --estate FILE         one login, step by step
#   mralab upgrade FILE                                 the same login under every release
#
# Every key: docs/reference/estate.md. Where CUCM shows it: docs/howto/describe-an-estate.md.
#
# A certificate that is not described is what an installation leaves behind: self-signed, made for
# the node's FQDN. Say only what somebody has changed.

# What stands behind the @ when a user signs in.
domain = "steven.lab"


# --- Certificate authorities --------------------------------------------------------------------

[[authority]]
name = "steven-DC-CA"               # no signed_by: a root

[[authority]]
name = "steven-Issuing-CA"
signed_by = "steven-DC-CA"          # an intermediate; who has a certificate of it sends it along


# --- Expressway ---------------------------------------------------------------------------------

[expressway_c]
name = "vcsc.steven.lab"
address = "10.48.36.191"

# What it runs, and how it got there. The path decides which certificate a node is asked for:
#   "fresh", "below-14.0"   the cipher list prefers ECDSA
#   "from-14.0"             the list of 14.0 is kept: it begins with ECDHE-RSA-AES256-GCM-SHA384
release = "X14.2"                   # "X12.5", "X14.0.7", "X14.2" or "X15.5"
upgrade_path = "fresh"
#verify_origin_server = "Off"       # the way out of Cisco 218018; without it: the release's, On

# Maintenance > Security > Trusted CA certificate, in its order. Anything can stand in it: an
# authority, or a self-signed certificate of a node ("cucm.steven.lab/tomcat-ECDSA").
trusted_ca = ["steven-DC-CA", "steven-Issuing-CA"]

# Editable inbound rules of the HTTP allow list; those for discovered nodes are made by themselves.
#allow = ["https://photos.steven.lab:443/"]

# Its server certificate, which CUCM asks for on 6971 and 6972.
[expressway_c.certificate]
signed_by = "steven-Issuing-CA"

# Configuration > Unified Communications: the publishers, as somebody typed them in. TLS verify mode
# looks at this one name, once. What clients are sent to is what System > Server has; see below.
[[expressway_c.discovery]]
kind = "unified-cm"                 # Unified CM servers
address = "cucm.steven.lab"
tls_verify_mode = "On"

[[expressway_c.discovery]]
kind = "im-presence"                # IM and Presence Service nodes: the database publisher
address = "imp.steven.lab"
tls_verify_mode = "On"

[[expressway_c.discovery]]
kind = "unity"                      # Unity Connection servers
address = "cuc.steven.lab"
tls_verify_mode = "On"

[expressway_e]
name = "vcse.steven.lab"            # what _collab-edge._tls.steven.lab leads to
address = "10.48.36.192"

[expressway_e.certificate]          # SANs by default: its FQDN and the MRA domain
signed_by = "steven-Issuing-CA"


# --- A CUCM cluster with its IM and Presence nodes ----------------------------------------------

[[cluster]]
name = "steven"

[[cluster.node]]
name = "cucm.steven.lab"
role = "publisher"                  # "publisher", "subscriber" or "im-presence"
address = "10.48.36.215"

# System > Server: this name goes into every answer, so it is this name that has to be in the
# certificate. Write "10.48.36.215" here, and the login of Cisco 218018 fails although discovery,
# by FQDN, goes on to succeed.
advertised = "cucm.steven.lab"      # FQDN, short name or IP

version = "14.0.1"                  # from 15 on it speaks TLS 1.3

# Enterprise parameters, in the product's words.
https_ciphers = "RSA Ciphers Only"              # or "All Supported EC and RSA Ciphers": for 8443
tls_ciphers = "All Ciphers RSA Preferred"       # or "All Ciphers ECDSA Preferred": for 6971, 6972

# A multi-server certificate: CN host-ms.domain, every node of the cluster among the SANs.
[cluster.node.certificate.tomcat]
signed_by = "steven-DC-CA"
cn = "cucm-ms.steven.lab"
dns = ["cucm.steven.lab", "cucm-sub.steven.lab", "imp.steven.lab", "steven.lab"]
#not_after = "+30d"                 # or a date: 2027-01-31; "-1d" has run out yesterday

# CUCM 14 and later: Reuse certificate.
[cluster.node.certificate.CallManager]
reuse = "tomcat"

# tomcat-ECDSA and CallManager-ECDSA are not described: self-signed, as on most clusters.
# This is what X14.2 stumbles over. The cure, once for each node:
#[cluster.node.certificate.CallManager-ECDSA]
#signed_by = "steven-DC-CA"

# What the node trusts. Expressway-C's authorities have to be in both lists (release note X14.2),
# or 6971 and 6972 end with "alert unknown ca".
[cluster.node.trust]
tomcat-trust = ["steven-DC-CA", "steven-Issuing-CA"]
CallManager-trust = ["steven-DC-CA", "steven-Issuing-CA"]

# What does not run: "down", "silent", "plain http" or "reset".
#[cluster.node.services]
#tftp-http = "down"                 # uds 8443, tftp-https 6972, tftp-secure 6971, tftp-http 6970

[[cluster.node]]
name = "cucm-sub.steven.lab"
role = "subscriber"                 # never typed in at discovery: the publisher names it
address = "10.48.36.216"
certificate.tomcat.reuse = "cucm.steven.lab/tomcat"          # the multi-server one above
certificate.CallManager.reuse = "cucm.steven.lab/tomcat"
trust.tomcat-trust = ["steven-DC-CA", "steven-Issuing-CA"]
trust.CallManager-trust = ["steven-DC-CA", "steven-Issuing-CA"]

[[cluster.node]]
name = "imp.steven.lab"
role = "im-presence"
address = "10.48.36.217"
certificate.tomcat.reuse = "cucm.steven.lab/tomcat"
certificate.cup-xmpp.signed_by = "steven-DC-CA"


# --- Unity Connection ---------------------------------------------------------------------------

[[unity]]
name = "cuc.steven.lab"
address = "10.48.36.218"
advertised = "cuc.steven.lab"       # as the voicemail UC service has it
certificate.tomcat.signed_by = "steven-Issuing-CA"


# --- Users --------------------------------------------------------------------------------------

[[user]]
id = "emusk"
password = "rocket"
first_name = "E"
last_name = "Musk"
extension = "1001"
voicemail = "cuc.steven.lab"        # the Unity node with the mailbox; leave it out if there is none

[[user]]
id = "ghopper"
password = "compiler"
first_name = "Grace"
last_name = "Hopper"
extension = "1002"
im_presence = true                  # User Management > End User: enabled for IM and Presence
"""


@cache
def sample_estate() -> Estate:
    """Return the estate of Cisco 218018: green under X14.0.7, 6972 refused under a fresh X14.2."""
    estate, faults = read_estate(tomllib.loads(SAMPLE), item_lines(SAMPLE), "sample")
    assert not faults, faults  # noqa: S101 - the text above is wrong then
    return estate


@cache
def sound_estate() -> Estate:
    """Return the sample with every certificate signed by an authority: green on every release."""
    sample = sample_estate()
    return replace(
        sample,
        clusters=tuple(
            replace(cluster, nodes=tuple(map(_signed, cluster.nodes)))
            for cluster in sample.clusters
        ),
        unity=tuple(map(_signed, sample.unity)),
    )


def _signed(node: NodePlan) -> NodePlan:
    """Return a node whose self-signed certificates are signed by the root instead."""
    return replace(
        node,
        certificates={
            kind: plan if plan.signed_by or plan.reuse else replace(plan, signed_by=_ROOT)
            for kind, plan in node.certificates.items()
        },
    )
