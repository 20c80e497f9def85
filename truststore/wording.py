"""OpenSSL's own words for certificate and TLS errors, as versions 1.1.1 and 3 print them.

*Pure*: data only. The library that runs here is a later one whose texts differ, so nothing is asked
of it: its X509_V_ERR number or its reason text is looked up here. Version 3 is the base table;
1.1.1 is kept as the difference to it.

Source: ``X509_verify_cert_error_string`` and ``ERR_error_string`` of OpenSSL 1.1.1n and 3.0 (seen,
each line printed by the library itself); which function of 1.1.1 a TLS error names: its ``ssl``
folder (seen for the lines in Cisco 218018, otherwise inferred from the place a client meets the
error first).
"""

from __future__ import annotations

from typing import Final

#: What both versions say of a number they do not know.
X509_UNKNOWN: Final = "unknown certificate verification error"

#: X509_V_ERR number of OpenSSL 3 -> its text. Later versions kept the numbers.
X509_TEXTS_3: Final[dict[int, str]] = {
    0: "ok",
    1: "unspecified certificate verification error",
    2: "unable to get issuer certificate",
    3: "unable to get certificate CRL",
    4: "unable to decrypt certificate's signature",
    5: "unable to decrypt CRL's signature",
    6: "unable to decode issuer public key",
    7: "certificate signature failure",
    8: "CRL signature failure",
    9: "certificate is not yet valid",
    10: "certificate has expired",
    11: "CRL is not yet valid",
    12: "CRL has expired",
    13: "format error in certificate's notBefore field",
    14: "format error in certificate's notAfter field",
    15: "format error in CRL's lastUpdate field",
    16: "format error in CRL's nextUpdate field",
    17: "out of memory",
    18: "self-signed certificate",
    19: "self-signed certificate in certificate chain",
    20: "unable to get local issuer certificate",
    21: "unable to verify the first certificate",
    22: "certificate chain too long",
    23: "certificate revoked",
    24: "issuer certificate doesn't have a public key",
    25: "path length constraint exceeded",
    26: "unsuitable certificate purpose",
    27: "certificate not trusted",
    28: "certificate rejected",
    29: "subject issuer mismatch",
    30: "authority and subject key identifier mismatch",
    31: "authority and issuer serial number mismatch",
    32: "key usage does not include certificate signing",
    33: "unable to get CRL issuer certificate",
    34: "unhandled critical extension",
    35: "key usage does not include CRL signing",
    36: "unhandled critical CRL extension",
    37: "invalid non-CA certificate (has CA markings)",
    38: "proxy path length constraint exceeded",
    39: "key usage does not include digital signature",
    40: "proxy certificates not allowed, please set the appropriate flag",
    41: "invalid or inconsistent certificate extension",
    42: "invalid or inconsistent certificate policy extension",
    43: "no explicit policy",
    44: "different CRL scope",
    45: "unsupported extension feature",
    46: "RFC 3779 resource not subset of parent's resources",
    47: "permitted subtree violation",
    48: "excluded subtree violation",
    49: "name constraints minimum and maximum not supported",
    50: "application verification failure",
    51: "unsupported name constraint type",
    52: "unsupported or invalid name constraint syntax",
    53: "unsupported or invalid name syntax",
    54: "CRL path validation error",
    55: "path loop",
    56: "Suite B: certificate version invalid",
    57: "Suite B: invalid public key algorithm",
    58: "Suite B: invalid ECC curve",
    59: "Suite B: invalid signature algorithm",
    60: "Suite B: curve not allowed for this LOS",
    61: "Suite B: cannot sign P-384 with P-256",
    62: "hostname mismatch",
    63: "email address mismatch",
    64: "IP address mismatch",
    65: "no matching DANE TLSA records",
    66: "EE certificate key too weak",
    67: "CA certificate key too weak",
    68: "CA signature digest algorithm too weak",
    69: "invalid certificate verification context",
    70: "issuer certificate lookup error",
    71: "Certificate Transparency required, but no valid SCTs found",
    72: "proxy subject name violation",
    73: "OCSP verification needed",
    74: "OCSP verification failed",
    75: "OCSP unknown cert",
    76: "Cannot find certificate signature algorithm",
    77: "subject signature algorithm and issuer public key algorithm mismatch",
    78: "cert info signature and signature algorithm mismatch",
    79: "invalid CA certificate",
    80: "Path length invalid for non-CA cert",
    81: "Path length given without key usage keyCertSign",
    82: "Key usage keyCertSign invalid for non-CA cert",
    83: "Issuer name empty",
    84: "Subject name empty",
    85: "Missing Authority Key Identifier",
    86: "Missing Subject Key Identifier",
    87: "Empty Subject Alternative Name extension",
    88: "Subject empty and Subject Alt Name extension not critical",
    89: "Basic Constraints of CA cert not marked critical",
    90: "Authority Key Identifier marked critical",
    91: "Subject Key Identifier marked critical",
    92: "CA cert does not include key usage extension",
    93: "Using cert extension requires at least X509v3",
    94: "Certificate public key has explicit ECC parameters",
}

#: Numbers that 1.1.1 uses otherwise: number of version 3 -> number of 1.1.1. A key that cannot be
#: had (24) is what 1.1.1 calls one that cannot be decoded (inferred).
X509_CODES_1_1_1: Final[dict[int, int]] = {24: 6, 79: 24, 94: 79}

#: Number *of 1.1.1* -> its text, where it differs from the same number in ``X509_TEXTS_3``.
X509_TEXTS_1_1_1: Final[dict[int, str]] = {
    18: "self signed certificate",
    19: "self signed certificate in certificate chain",
    24: "invalid CA certificate",
    26: "unsupported certificate purpose",
    44: "Different CRL scope",
    45: "Unsupported extension feature",
    55: "Path Loop",
    62: "Hostname mismatch",
    63: "Email address mismatch",
    65: "No matching DANE TLSA records",
    69: "Invalid certificate verification context",
    70: "Issuer certificate lookup error",
    79: "Certificate public key has explicit ECC parameters",
}

#: Functions of 1.1.1's ``SSL routines``, with the numbers in its error codes.
TLS_FUNCTIONS: Final[dict[str, int]] = {
    "final_renegotiate": 0x1E3,
    "ossl_statem_client_read_transition": 0x1A1,
    "set_client_ciphersuite": 0x21C,
    "ssl3_get_record": 0x08F,
    "ssl3_read_bytes": 0x094,
    "ssl_choose_client_version": 0x25F,
    "ssl_cipher_list_to_bytes": 0x1A9,
    "tls12_check_peer_sigalg": 0x14D,
    "tls_collect_extensions": 0x1B3,
    "tls_construct_client_hello": 0x1E7,
    "tls_get_message_header": 0x183,
    "tls_parse_stoc_key_share": 0x1BD,
    "tls_process_as_hello_retry_request": 0x262,
    "tls_process_change_cipher_spec": 0x16B,
    "tls_process_finished": 0x16C,
    "tls_process_key_exchange": 0x16D,
    "tls_process_server_certificate": 0x16F,
    "tls_process_server_hello": 0x171,
    "tls_process_ske_dhe": 0x1A3,
    "tls_process_ske_ecdhe": 0x1A4,
}

_READ: Final = "ssl3_read_bytes"
_RECORD: Final = "ssl3_get_record"
_CERTIFICATE: Final = "tls_process_server_certificate"
_HELLO: Final = "tls_process_server_hello"

#: Reason text of 1.1.1 (version 3 has the same) -> its number, and the function of 1.1.1 where a
#: client meets it. From 1000 on it is an alert the *origin* sent: 1000 and the alert's number. 1115
#: and 1120 have a text in 3 only.
TLS_REASONS: Final[dict[str, tuple[int, str]]] = {
    "bad change cipher spec": (103, "tls_process_change_cipher_spec"),
    "bad key share": (108, "tls_parse_stoc_key_share"),
    "bad extension": (110, "tls_collect_extensions"),
    "bad digest length": (111, "tls_process_finished"),
    "bad protocol version number": (116, _HELLO),
    "bad signature": (123, "tls_process_key_exchange"),
    "ccs received early": (133, _READ),
    "certificate verify failed": (134, _CERTIFICATE),
    "cert length mismatch": (135, _CERTIFICATE),
    "data length too long": (146, _RECORD),
    "digest check failed": (149, "tls_process_finished"),
    "encrypted length too long": (150, _RECORD),
    "excessive message size": (152, "tls_get_message_header"),
    "https proxy request": (155, _RECORD),
    "http request": (156, _RECORD),
    "length mismatch": (159, "tls_process_key_exchange"),
    "packet length too long": (198, _RECORD),
    "invalid alert": (205, _READ),
    "unsolicited extension": (217, "tls_collect_extensions"),
    "no ciphers available": (181, "ssl_cipher_list_to_bytes"),
    "no protocols available": (191, "tls_construct_client_hello"),
    "no change following hrr": (214, "tls_process_as_hello_retry_request"),
    "unable to find public key parameters": (239, _CERTIFICATE),
    "unexpected message": (244, "ossl_statem_client_read_transition"),
    "unexpected record": (245, _READ),
    "unknown alert type": (246, _READ),
    "unknown certificate type": (247, _CERTIFICATE),
    "unknown cipher returned": (248, "set_client_ciphersuite"),
    "unsupported protocol": (258, "ssl_choose_client_version"),
    "wrong cipher returned": (261, "set_client_ciphersuite"),
    "wrong ssl version": (266, "ssl_choose_client_version"),
    "wrong version number": (267, _RECORD),
    "bad length": (271, _HELLO),
    "decryption failed or bad record mac": (281, _RECORD),
    "mixed handshake and non handshake data": (293, _READ),
    "bad ecpoint": (306, "tls_process_ske_ecdhe"),
    "unsafe legacy renegotiation disabled": (338, "final_renegotiate"),
    "wrong signature type": (370, "tls12_check_peer_sigalg"),
    "wrong curve": (378, "tls_process_ske_ecdhe"),
    "wrong certificate type": (383, _CERTIFICATE),
    "dh key too small": (394, "tls_process_ske_dhe"),
    "too many warn alerts": (409, _READ),
    "bad record type": (443, _RECORD),
    "sslv3 alert unexpected message": (1010, _READ),
    "sslv3 alert bad record mac": (1020, _READ),
    "tlsv1 alert decryption failed": (1021, _READ),
    "tlsv1 alert record overflow": (1022, _READ),
    "sslv3 alert decompression failure": (1030, _READ),
    "sslv3 alert handshake failure": (1040, _READ),
    "sslv3 alert no certificate": (1041, _READ),
    "sslv3 alert bad certificate": (1042, _READ),
    "sslv3 alert unsupported certificate": (1043, _READ),
    "sslv3 alert certificate revoked": (1044, _READ),
    "sslv3 alert certificate expired": (1045, _READ),
    "sslv3 alert certificate unknown": (1046, _READ),
    "sslv3 alert illegal parameter": (1047, _READ),
    "tlsv1 alert unknown ca": (1048, _READ),
    "tlsv1 alert access denied": (1049, _READ),
    "tlsv1 alert decode error": (1050, _READ),
    "tlsv1 alert decrypt error": (1051, _READ),
    "tlsv1 alert export restriction": (1060, _READ),
    "tlsv1 alert protocol version": (1070, _READ),
    "tlsv1 alert insufficient security": (1071, _READ),
    "tlsv1 alert internal error": (1080, _READ),
    "tlsv1 alert inappropriate fallback": (1086, _READ),
    "tlsv1 alert user cancelled": (1090, _READ),
    "tlsv1 alert no renegotiation": (1100, _READ),
    "tlsv13 alert missing extension": (1109, _READ),
    "tlsv1 unsupported extension": (1110, _READ),
    "tlsv1 certificate unobtainable": (1111, _READ),
    "tlsv1 unrecognized name": (1112, _READ),
    "tlsv1 bad certificate status response": (1113, _READ),
    "tlsv1 bad certificate hash value": (1114, _READ),
    "tlsv1 alert unknown psk identity": (1115, _READ),
    "tlsv13 alert certificate required": (1116, _READ),
    "tlsv1 alert no application protocol": (1120, _READ),
}

#: Reasons that are not the TLS library's own have wide numbers in version 3: text -> (1.1.1, 3,
#: function of 1.1.1).
TLS_COMMON_REASONS: Final[dict[str, tuple[int, int, str]]] = {
    "EVP lib": (6, 0x80006, "tls_process_key_exchange"),
    "ASN1 lib": (13, 0x8000D, _CERTIFICATE),
    "internal error": (68, 0xC0103, _READ),
}

#: Texts that appeared after 1.1.1, and what 1.1.1 said in the same situation.
TLS_NEWER_TEXTS: Final[dict[str, str]] = {
    "data length too long": "packet length too long",
    "legacy sigalg disallowed or unsupported": "wrong signature type",
    "missing supported versions extension": "unsupported protocol",
}
