"""The cure that a failed first connection adds to its error: it depends on the URL."""

from __future__ import annotations

from clock.errors import StoreError
from clock.store.server.address import SENTINEL_SCHEMES

#: The errors if only one side speaks TLS: the server does not answer, or it closes the connection.
_SILENT = ("Timeout connecting", "reset by peer", "closed by server")

#: The words of a certificate's error, and the cure.
_CERTIFICATE = (
    ("no certificate or crl found", "The file of ?ssl_ca_certs holds no certificate."),
    ("certificate has expired", "Renew the server's certificate."),
    ("not yet valid", "Is this machine's clock right?"),
    (
        "mismatch",
        "Connect by a name that the certificate contains, or add this one to it. "
        "?ssl_check_hostname=false turns this check off.",
    ),
)
_UNVERIFIED = (
    "The server's certificate could not be verified: name its CA with ?ssl_ca_certs=FILE, "
    "or turn the check off with ?ssl_cert_reqs=none."
)


def advised(error: StoreError, url: str, source: str) -> str:
    """The error's text for this URL. `source` is the name of the setting that holds the URL."""
    scheme = url.partition("://")[0]
    text = str(error).replace("is its address right", f"is {source} right")
    text = text.replace("redis://:PASSWORD@HOST", f"{scheme}://:PASSWORD@HOST")
    if error.cause == "certificate":
        return f"{text} {_of_certificate(text, scheme)}"
    hint = _of_tls(text, scheme) if error.cause in ("unreachable", "no_answer") else ""
    return f"{text} {hint}".rstrip()


def _of_certificate(text: str, scheme: str) -> str:
    cure = next((cure for words, cure in _CERTIFICATE if words in text), _UNVERIFIED)
    if "mismatch" in text and scheme in SENTINEL_SCHEMES and not text.startswith("The sentinels"):
        cure += " The sentinels name this address; they name hosts with announce-hostnames."
    return cure


def _of_tls(text: str, scheme: str) -> str:
    """A question about TLS if the server is silent, as it is when only one side speaks TLS."""
    if not any(words in text for words in _SILENT):
        return ""
    is_tls, is_of_sentinel = scheme.startswith("rediss"), "no sentinel answers" in text
    if is_of_sentinel and is_tls:
        return "Do the sentinels speak TLS? If not: ?sentinel_ssl=false."
    if is_tls:
        return "Does the server speak TLS on this port?"
    if scheme in SENTINEL_SCHEMES and not is_of_sentinel:
        return "Does this port need TLS (?ssl=true)?"
    return f"Does this port need TLS ({scheme.replace('redis', 'rediss')}://)?"
