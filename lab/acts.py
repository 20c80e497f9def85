"""The scenarios of ``mralab demo``: the case of Cisco 218018 and each of its documented fixes.

Source: names, ports, texts and fixes in Cisco 218018 and the X14.2 release note (seen); attempts
and alerts from the capture described there (seen for the chain; alert 80 for a name is what stock
Traffic Server sends, observed).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from mralab.config.releases import Release, UpgradePath, VerifyMode
from mralab.lab.embedded import CUCM, TFTP_PORT, UDS_PORT, USER
from mralab.lab.scenario import ADVERTISED, Scenario, Step
from mralab.truststore.store import append_to_file, remove_from_file

if TYPE_CHECKING:
    from mralab.lab.embedded import EmbeddedLab

_DEVICES: Final = f"/cucm-uds/user/{USER}/devices?max=100"
_UNKNOWN_CA: Final = (2, 48)
_INTERNAL_ERROR: Final = (2, 80)
_RESTART_C: Final = "The product needs a restart of Expressway-C for this; here it works at once."
_RESTART_TFTP: Final = (
    "The node serves the old certificate until its Cisco TFTP service is restarted; done here."
)

UDS: Final = Step(
    title="the user's devices, from the node by name",
    host=CUCM,
    port=UDS_PORT,
    path=_DEVICES,
    certificate="tomcat",
    sni=CUCM,
)
TFTP: Final = Step(
    title="the phone configuration, by TFTP over HTTPS",
    host=CUCM,
    port=TFTP_PORT,
    path="/CSFemusk.cnf.xml",
    certificate="CallManager-ECDSA",
    sni=CUCM,
)
TFTP_REFUSED: Final = replace(
    TFTP,
    warning=(
        "WARNING: Core server certificate verification failed for (cucm.steven.lab). "
        "Action=Terminate Error=self signed certificate server=cucm.steven.lab({address}) depth=0"
    ),
    alert=_UNKNOWN_CA,
    attempts=2,
)
TFTP_RSA: Final = replace(TFTP, certificate="CallManager")
BY_ADDRESS: Final = replace(
    UDS, title="the same, from the server that the node advertises", host=ADVERTISED, sni=None
)
BY_ADDRESS_REFUSED: Final = replace(
    BY_ADDRESS,
    warning=(
        "WARNING: SNI ({address}) not in certificate. Action=Terminate server={address}({address})"
    ),
    alert=_INTERNAL_ERROR,
    attempts=2,
)
_LOGIN: Final = (
    replace(UDS, title="the user's home cluster", path=f"/cucm-uds/clusterUser?username={USER}"),
    replace(UDS, title="the cluster's servers", path="/cucm-uds/servers"),
    replace(UDS, title="the user", path=f"/cucm-uds/user/{USER}"),
    UDS,
    replace(TFTP_RSA, title="the Jabber configuration", path="/jabber-config.xml"),
    replace(TFTP_RSA, title="the service profile", path="/SPDefault.cnf.xml"),
    TFTP_RSA,
    BY_ADDRESS,
)


async def _as_x14_0_7(lab: EmbeddedLab) -> None:
    await lab.use(release=Release.X14_0_7)


async def _as_x14_2(lab: EmbeddedLab) -> None:
    await lab.use(release=Release.X14_2, upgrade_path=UpgradePath.FRESH)


async def _append_leaf(lab: EmbeddedLab) -> None:
    leaf = lab.node.certificates["CallManager-ECDSA"]
    await asyncio.to_thread(append_to_file, lab.trusted_ca_file, leaf.pem, now=datetime.now(UTC))
    await lab.use()


async def _remove_leaf(lab: EmbeddedLab) -> None:
    await asyncio.to_thread(remove_from_file, lab.trusted_ca_file, "cucm-EC.steven.lab")
    await lab.use()


async def _rsa_first(lab: EmbeddedLab) -> None:
    await lab.use(upgrade_path=UpgradePath.FROM_14_0)


async def _ecdsa_first(lab: EmbeddedLab) -> None:
    await lab.use(upgrade_path=UpgradePath.FRESH)


async def _resign(lab: EmbeddedLab) -> None:
    await lab.install(
        "CallManager-ECDSA", await asyncio.to_thread(lab.call_manager_ec, signed=True)
    )


async def _self_sign(lab: EmbeddedLab) -> None:
    await lab.install("CallManager-ECDSA", lab.documented["CallManager-ECDSA"])


async def _advertise_address(lab: EmbeddedLab) -> None:
    await lab.advertise(lab.address)


async def _advertise_name(lab: EmbeddedLab) -> None:
    await lab.advertise(CUCM)


async def _add_address_to_san(lab: EmbeddedLab) -> None:
    await lab.install("tomcat", await asyncio.to_thread(lab.tomcat, ips=(lab.address,)))


async def _documented_tomcat(lab: EmbeddedLab) -> None:
    await lab.install("tomcat", lab.documented["tomcat"])


async def _verify_off(lab: EmbeddedLab) -> None:
    await lab.use(verify_origin_server=VerifyMode.OFF)


async def _verify_on(lab: EmbeddedLab) -> None:
    await lab.use(verify_origin_server=None)  # the release's own default, On


SCENARIOS: Final = (
    Scenario(
        name="before",
        title="Release X14.0.7: nothing is verified, the login works",
        story=(
            "One CUCM, cucm.steven.lab. Its tomcat certificate on 8443 is signed by the "
            "enterprise CA steven-DC-CA; the ECDSA one on 6972 is self-signed. The traffic "
            "server of this release asks for neither, and its cipher list prefers RSA."
        ),
        change=_as_x14_0_7,
        steps=_LOGIN,
        undo=_as_x14_2,
    ),
    Scenario(
        name="upgrade",
        title="Release X14.2, fresh install: every request is verified",
        story=(
            "The same node, the same login. The trusted CA list holds steven-DC-CA. The cipher "
            "list of a fresh install puts ECDSA first, so on 6972 the node now presents its "
            "self-signed ECDSA certificate. System > Server holds the node's address, so clients "
            "are sent there by address, and the certificate is checked against it."
        ),
        change=_as_x14_2,
        steps=(UDS, TFTP_REFUSED, BY_ADDRESS_REFUSED),
    ),
    Scenario(
        name="fix-trust",
        title="Fix 1: append the self-signed certificate to the trusted CA list",
        story="mralab trust append cucm-EC.pem: the list now holds the node's certificate itself.",
        product=_RESTART_C,
        change=_append_leaf,
        steps=(TFTP,),
        undo=_remove_leaf,
        after_undo=(TFTP_REFUSED,),
    ),
    Scenario(
        name="fix-ciphers",
        title="Fix 2: prefer RSA, so that the node presents its CA-signed certificate",
        story=(
            "ECDHE-RSA-AES256-GCM-SHA384: in front of the cipher list, as upgrades from 14.0 and "
            "later have it (--upgrade-path from-14.0). This works for TLS 1.2 only."
        ),
        product=_RESTART_C,
        change=_rsa_first,
        steps=(TFTP_RSA,),
        undo=_ecdsa_first,
        after_undo=(TFTP_REFUSED,),
    ),
    Scenario(
        name="fix-resign",
        title="Fix 3: have the ECDSA certificate signed by the enterprise CA",
        story="A new CallManager-ECDSA certificate, signed by steven-DC-CA, goes on the node.",
        product=_RESTART_TFTP,
        change=_resign,
        steps=(TFTP,),
        undo=_self_sign,
        after_undo=(TFTP_REFUSED,),
    ),
    Scenario(
        name="fix-san",
        title="Fix 4: add the address to the certificate's SAN",
        story=(
            "The node is advertised by its address, so the tomcat certificate gets it as an "
            "iPAddress in its SAN. That this counts is a lab decision: the document promises "
            "'FQDN or IP', stock Traffic Server looks at dNSName only (--name-rule ats)."
        ),
        product="The node serves the old certificate until Cisco Tomcat is restarted; done here.",
        change=_add_address_to_san,
        steps=(BY_ADDRESS,),
        undo=_documented_tomcat,
        after_undo=(BY_ADDRESS_REFUSED,),
    ),
    Scenario(
        name="fix-fqdn",
        title="Fix 5: change System > Server from the address to the name",
        story=(
            "CUCM advertises what stands under System > Server. The client asks who the servers "
            "are and goes where the answer says."
        ),
        product="On Expressway-C, Refresh servers afterwards.",
        change=_advertise_name,
        steps=(replace(BY_ADDRESS, sni=CUCM),),
        undo=_advertise_address,
        after_undo=(BY_ADDRESS_REFUSED,),
    ),
    Scenario(
        name="workaround",
        title="Workaround: xConfiguration EdgeConfigServer VerifyOriginServer: Off",
        story=(
            "The product's own switch, live: nothing is verified any more and nothing is logged "
            "about it. It buys time and no security."
        ),
        product="Works without a restart, here as in the product (inferred).",
        change=_verify_off,
        steps=(TFTP, BY_ADDRESS),
        undo=_verify_on,
        after_undo=(TFTP_REFUSED, BY_ADDRESS_REFUSED),
    ),
)
