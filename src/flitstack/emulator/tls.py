"""HTTPS with a certificate of the emulator's own, kept in its data directory; clients have to be told to trust it."""

import ssl
import subprocess
from pathlib import Path

CERTIFICATE = "tls-certificate.pem"
_KEY = "tls-key.pem"
_DAYS = 3650


class NoCertificate(RuntimeError):
    """A certificate could not be made; says why."""


def own_context(directory: Path, host: str) -> ssl.SSLContext:
    """The server's side of TLS; the certificate is made on first use (by the openssl command). Raises NoCertificate."""
    certificate, key = directory / CERTIFICATE, directory / _KEY
    if not certificate.exists():
        directory.mkdir(parents=True, exist_ok=True)
        _make(certificate, key, host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def _make(certificate: Path, key: Path, host: str) -> None:
    names = ["DNS:localhost", "IP:127.0.0.1", "IP:::1"]
    if host not in {"localhost", "127.0.0.1", "::1"}:
        names.append(f"{'IP' if host.replace('.', '').isdigit() or ':' in host else 'DNS'}:{host}")
    part = certificate.with_suffix(".part")
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-days", str(_DAYS), "-subj", "/CN=flitstack emulator", "-addext", f"subjectAltName={','.join(names)}",
        "-keyout", str(key), "-out", str(part),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NoCertificate("--tls needs the command openssl, which is not on the PATH") from error
    if done.returncode:
        raise NoCertificate(f"openssl made no certificate: {done.stderr.strip()[-300:]}")
    key.chmod(0o600)
    part.replace(certificate)
