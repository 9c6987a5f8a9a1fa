"""Certificates for a measurement with TLS on loopback."""

from pathlib import Path

import trustme

from bench.target import Certificates


def make_certificates(directory: Path, authorities: Path) -> Certificates:
    """Write a key and a certificate for 127.0.0.1, and a bundle that trusts it.

    Args:
        directory: Where the files are written.
        authorities: botocore's CA bundle, PEM. It is part of the bundle, because reading it is most of the cost of TLS.
    """
    authority = trustme.CA()
    server, bundle = directory / "server.pem", directory / "bundle.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(server)
    bundle.write_bytes(authorities.read_bytes())
    authority.cert_pem.write_to_path(bundle, append=True)
    return Certificates(server, bundle)
