"""Checks certificate files. Imported only if a variable names one."""

import os
import re
import ssl

_CERTIFICATE = re.compile(rb"-----BEGIN ((?:TRUSTED |X509 )?CERTIFICATE)-----.+?-----END \1-----", re.DOTALL)


def is_ca_file(path: str) -> bool:
    """Whether a file is readable, complete PEM, and its first certificate is valid.

    Only the first: loading a usual bundle costs half as much as the function's start, and the first connection loads it
    again.
    """
    try:
        with open(path, "rb") as file:
            content = file.read()
        first = _CERTIFICATE.search(content)
        if first is None or content.count(b"-----BEGIN ") != content.count(b"-----END "):
            return False
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=first[0].decode("ascii"))
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        return False
    return True


def is_ca_file_or_directory(path: str) -> bool:
    """Whether a path is such a file, or a directory of certificates as made by OpenSSL's `c_rehash`."""
    return os.path.isdir(path) or is_ca_file(path)


def is_client_certificate(certificate: str, key: str | None) -> bool:
    """Whether a certificate and its key match and need no passphrase.

    Args:
        certificate: Path of a PEM file.
        key: Path of the PEM file with the private key; None if it is in the first.
    """
    try:
        # Without a password, OpenSSL would prompt for one of an encrypted key.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError):
        return False
    return True
