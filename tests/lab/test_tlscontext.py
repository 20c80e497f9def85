"""What a TLS service loads, and what it refuses to load."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mralab.errors import LabError
from mralab.lab.pki import CertificateFields, Credential, Digest, KeyCache, KeyKind
from mralab.lab.tlscontext import ServerTls, suite_name


def test_two_certificates_of_one_family_do_not_fit(tomcat: Credential) -> None:
    with pytest.raises(LabError, match="one RSA and one EC") as caught:
        ServerTls({"a": tomcat, "b": tomcat})
    assert caught.value.hint
    with pytest.raises(LabError, match="not \\[\\]"):
        ServerTls({})


def test_a_wrong_cipher_string_is_named(tomcat: Credential) -> None:
    with pytest.raises(LabError, match="'NOTHING' selects nothing"):
        ServerTls({"tomcat": tomcat}, ciphers="NOTHING")


def test_a_key_that_is_not_its_own(tomcat: Credential, keys: KeyCache) -> None:
    mixed = replace(tomcat, key=keys.get("another"))
    with pytest.raises(LabError, match=r"cucm-ms.steven.lab.*its key is another one's"):
        ServerTls({"tomcat": mixed})


def test_old_certificates_are_served(ca: Credential, keys: KeyCache) -> None:
    fields = CertificateFields(cn="old", digest=Digest.MD5)
    signer = keys.get("old CA")
    old = replace(ca, key=signer).issue(fields, key=keys.get("old", KeyKind.RSA_1024))
    assert ServerTls({"tomcat": old}).credentials == {"tomcat": old}


def test_suites_have_names() -> None:
    assert suite_name(0xC030) == "ECDHE-RSA-AES256-GCM-SHA384"
    assert suite_name(0x1302) == "TLS_AES_256_GCM_SHA384"
    assert suite_name(0xFFFF) == "0xFFFF"
