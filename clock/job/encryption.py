"""`encrypt = True`: the last argument of a job, a dict, travels as one encrypted string.

The string is `v1:<key id>:<base64>`: AES-256-GCM, the nonce of 12 bytes before the ciphertext. Class and jid are
its associated data, so a ciphertext that is copied into another job cannot be decrypted there.

The keys are in the environment variable CLOCK_ENCRYPTION_KEYS, newest first: the first one encrypts, all decrypt.
A payload keeps the encrypted argument; only `perform` and the middleware's `job.context.args` get the dict. So
retries, logs, listings and error reports never hold it.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from clock.errors import ArgumentsError, ConfigurationError, EncryptionKeyMissing, UndecryptableArgument
from clock.job.payload import decode, encode
from clock.job.shared_value import SharedValue

VARIABLE = "CLOCK_ENCRYPTION_KEYS"
VERSION = "v1"
KEY_BYTES = 32  # AES-256
NONCE_BYTES = 12  # the size that GCM is made for
#: A job that lacks its key is parked under this and the key's id, as one of an unknown class is under its class.
PARKED_UNDER = "encryption key "
EXTRA = "install the package `cryptography`: pip install 'clockd[crypto]'"


def new_key() -> str:
    """A new random key for CLOCK_ENCRYPTION_KEYS."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


_random_key = cache(new_key)
_uses_random_key = SharedValue("random_key", value=False)

#: For tests: whether a random key of this process is used if none is configured.
change_random_key = _uses_random_key.change


def key_ids() -> list[str]:
    """The ids of the keys of this process, newest first. Raises ConfigurationError for an invalid key."""
    return [key_id for key_id, _ in _keys()]


def has_key_of(parked_under: str) -> bool:
    """Whether this process can decrypt the jobs that are parked under that name."""
    key_id = parked_under.removeprefix(PARKED_UNDER)
    return key_id != parked_under and key_id in key_ids() and _is_installed()


def check_secret(job: str, args: Sequence[object]) -> None:
    """Check that the last argument is a dict. Raises ArgumentsError, which does not show its value."""
    if not args or type(args[-1]) is not dict:
        kind = f"a {type(args[-1]).__name__}" if args else "missing"
        raise ArgumentsError(f"{job}: encrypt encrypts the last argument, which is {kind}; pass a dict")


def encrypted_args(payload: Mapping[str, object]) -> list[object]:
    """A payload's arguments, the last one encrypted with the newest key. Raises JobError, ConfigurationError."""
    args = payload["args"]
    args = list(args) if isinstance(args, list) else []
    check_secret(str(payload["class"]), args)
    keys = _keys()
    if not keys:
        raise EncryptionKeyMissing(
            f"{payload['class']}: no encryption key; make one with `clock encryption new`, and set {VARIABLE}"
        )
    key_id, key = keys[0]
    nonce = os.urandom(NONCE_BYTES)
    data: bytes = _aes(key).encrypt(nonce, encode(args[-1]).encode(), _associated(payload))
    text = base64.b64encode(nonce + data).decode()
    return [*args[:-1], f"{VERSION}:{key_id}:{text}"]


def decrypted_args(payload: Mapping[str, object]) -> list[object] | None:
    """A payload's arguments with the last one decrypted; None: it is not encrypted. Raises JobError."""
    args = payload.get("args")
    if not isinstance(args, list) or not is_encrypted(payload):
        return None
    version, key_id, text = _parts(args[-1])
    if version != VERSION:
        raise UndecryptableArgument(f"it does not start with {VERSION}:")
    key = dict(_keys()).get(key_id)
    if key is None or not _is_installed():
        missing = EXTRA if key else f"add it to {VARIABLE}"
        raise EncryptionKeyMissing(f"cannot decrypt with the key {key_id}: {missing}", key_id)
    try:
        raw = base64.b64decode(text, validate=True)
        plain: bytes = _aes(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _associated(payload))
    except Exception:  # noqa: BLE001  # the package's InvalidTag, or ValueError; nothing of the text may be shown
        raise UndecryptableArgument(f"it was changed, or copied from another job (key {key_id})") from None
    return [*args[:-1], decode(plain)]


def is_encrypted(payload: Mapping[str, object]) -> bool:
    """Whether the last argument of a payload is encrypted: by us, or by Sidekiq Enterprise in its own format."""
    args = payload.get("args")
    return bool(payload.get("encrypt")) and isinstance(args, list) and bool(args) and isinstance(args[-1], str)


def key_id_of(payload: Mapping[str, object]) -> str | None:
    """The id of the key that a payload's last argument is encrypted with; None: it is not encrypted."""
    args = payload.get("args")
    if not isinstance(args, list) or not is_encrypted(payload):
        return None
    version, key_id, _ = _parts(args[-1])
    return key_id if version == VERSION else None


def _parts(text: str) -> list[str]:
    """Version, key id and ciphertext; empty for those that are missing."""
    return [*text.split(":", 2), "", "", ""][:3]


def _associated(payload: Mapping[str, object]) -> bytes:
    return f"{payload.get('class')}\0{payload.get('jid')}".encode()


def _keys() -> Sequence[tuple[str, bytes]]:
    return _parsed(os.environ.get(VARIABLE, "") or (_random_key() if _uses_random_key.get() else ""))


@cache
def _parsed(text: str) -> Sequence[tuple[str, bytes]]:
    """(id, key) of each key. An id is a hash of its key, so keys need no names."""
    keys = []
    for place, word in enumerate(filter(None, map(str.strip, text.split(","))), 1):
        try:
            key = base64.b64decode(word.replace("-", "+").replace("_", "/"), validate=True)
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise ConfigurationError(
                f"{VARIABLE}: key {place} is invalid; a key is {KEY_BYTES} bytes in base64, "
                "and keys are separated by commas. Make one with: clock encryption new"
            )
        keys.append((hashlib.sha256(key).hexdigest()[:8], key))
    return keys


@cache
def _is_installed() -> bool:
    try:
        import cryptography.hazmat.primitives.ciphers.aead  # noqa: F401  # the extra `crypto`
    except ImportError:
        return False
    return True


def _aes(key: bytes) -> Any:
    if not _is_installed():
        raise ConfigurationError(f"encrypted jobs need a package; {EXTRA}")
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)
