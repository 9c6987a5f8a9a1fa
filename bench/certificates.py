"""Certificates for a measurement with TLS: our own authority's, for loopback, in files."""

from pathlib import Path

import trustme

from bench.target import Certificates


def make_certificates(directory: Path, authorities: Path) -> Certificates:
    """Write a key and a certificate for 127.0.0.1, and a bundle that trusts it.

    Args:
        directory: where the files go.
        authorities: botocore's own bundle, PEM. It is copied into ours: reading it is most of what TLS costs at start.
    """
    authority = trustme.CA()
    server, bundle = directory / "server.pem", directory / "bundle.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(server)
    bundle.write_bytes(authorities.read_bytes())
    authority.cert_pem.write_to_path(bundle, append=True)
    return Certificates(server, bundle)
