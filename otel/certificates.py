"""Whether files of certificates are what a TLS connection needs. Loaded only where a variable names such a file."""

import os
import re
import ssl

_CERTIFICATE = re.compile(rb"-----BEGIN ((?:TRUSTED |X509 )?CERTIFICATE)-----.+?-----END \1-----", re.DOTALL)


def is_ca_file(path: str) -> bool:
    """Whether a file can be read, is complete PEM, and its first certificate is one.

    Not all of them: loading a usual bundle costs as much as half of the function's start, and the first connection does
    it again.
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
    """The same, or a directory of certificates as OpenSSL's `c_rehash` makes one."""
    return os.path.isdir(path) or is_ca_file(path)


def is_client_certificate(certificate: str, key: str | None) -> bool:
    """Whether a certificate and its key belong together and can be used without a passphrase.

    Args:
        certificate: Path of a PEM file.
        key: Path of another with the private key; None where it is in the first.
    """
    try:
        # An encrypted key would have OpenSSL ask the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError):
        return False
    return True
