"""`rediss://` to a real server whose certificate is our own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from clock.errors import StoreError
from clock.store.server.connection import connect
from tests.servers import certificates

pytestmark = pytest.mark.process


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """The certificate of an authority of our own; it has signed `server.crt` for 127.0.0.1, beside it."""
    return certificates(tmp_path)


@pytest.fixture
def url(authority: Path, real_redis: Callable[..., Redis], free_port: int) -> str:
    """The URL of a server that speaks TLS."""
    files = {"--tls-cert-file": "server.crt", "--tls-key-file": "server.key", "--tls-ca-cert-file": "ca.crt"}
    words = [word for option, file in files.items() for word in (option, str(authority.parent / file))]
    real_redis("--tls-port", str(free_port), "--tls-auth-clients", "no", *words)
    return f"rediss://127.0.0.1:{free_port}"


def test_a_certificate_of_ones_own_is_verified_by_its_authority(url: str, authority: Path) -> None:
    redis = connect(f"{url}?ssl_ca_certs={authority}")

    assert redis.ping()
    redis.close()


def test_a_certificate_that_cannot_be_verified_is_refused_and_what_to_do_is_said(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        connect(url)

    assert "certificate" in str(caught.value)
    assert str(caught.value).endswith(
        "The server's certificate could not be verified: name its CA with ?ssl_ca_certs=FILE, "
        "or turn the check off with ?ssl_cert_reqs=none."
    )


def test_verification_can_be_left_out_on_ones_word(url: str) -> None:
    redis = connect(f"{url}?ssl_cert_reqs=none")

    assert redis.ping()
    redis.close()


def test_plain_redis_to_a_server_that_speaks_tls_is_one_clear_line(url: str) -> None:
    with pytest.raises(StoreError, match=r"Redis cannot be reached.* Does this port need TLS \(rediss://\)\?$"):
        connect(url.replace("rediss://", "redis://"))


def test_a_certificate_for_another_name_has_its_own_cure(url: str, authority: Path) -> None:
    with pytest.raises(StoreError, match=r"Hostname mismatch.* Connect by a name that the certificate contains"):
        connect(f"{url.replace('127.0.0.1', 'localhost')}?ssl_ca_certs={authority}")


def test_a_file_without_a_certificate_is_named_as_the_fault(url: str) -> None:
    with pytest.raises(StoreError, match=r"The file of \?ssl_ca_certs holds no certificate\.$"):
        connect(f"{url}?ssl_ca_certs={__file__}")
