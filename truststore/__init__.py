"""The trusted CA list, the name rules, the verdicts and OpenSSL's contexts."""
