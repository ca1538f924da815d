"""A certificate authority for one test, with the certificates that a server and an app's ambassador may show."""

import datetime
from pathlib import Path

import trustme


class Authority:
    """`issue` writes files; `ca_file` is what to trust."""

    def __init__(self, directory: Path, name: str = "ca") -> None:
        self._directory = directory
        self._ca = trustme.CA()
        self.ca_file = directory / f"{name}.pem"
        self._ca.cert_pem.write_to_path(self.ca_file)

    def issue(self, file: str, *names: str, common_name: str | None = None, expired: bool = False) -> tuple[Path, Path]:
        """A certificate for these names and its key, as two files."""
        until = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1) if expired else None
        made = self._ca.issue_cert(*names, common_name=common_name, not_after=until)
        chain, key = self._directory / f"{file}.pem", self._directory / f"{file}.key"
        chain.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        key.write_bytes(made.private_key_pem.bytes())
        key.chmod(0o600)
        return chain, key
