"""Every script touches only keys that it receives in KEYS, as strict servers and exact rights of users demand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from hiredis import pack_command
from redis import Redis

from clock.store.scripts import scripts, source
from clock.store.server.client import client
from tests.store.every_script import USES

NAMES = sorted(scripts())


class OnlyDeclared:
    """Packs commands, and allows the user `strict` the keys of each script just before it is sent.

    The keys of commands outside scripts are not limited: they are in the commands.
    """

    def __init__(self, admin: Redis) -> None:
        self._admin = admin
        self.scripts: set[str] = set()  # the sha of each that was run

    def pack(self, *args: Any) -> list[bytes]:
        if args[0] == "EVALSHA":
            self.scripts.add(args[1])
            self._allow(args[3 : 3 + int(args[2])])
        elif len(args) > 1:
            self._allow(["*"])
        return [pack_command(tuple(args[0].split()) + args[1:])]

    def packed(self, words: tuple[Any, ...]) -> bytes:
        """A command that clock packs itself."""
        return b"".join(self.pack(*words))

    def _allow(self, names: Any) -> None:
        patterns = [name.decode() if isinstance(name, bytes) else name for name in names]
        self._admin.acl_setuser(
            "strict", enabled=True, nopass=True, reset_keys=True, keys=patterns, categories=["+@all"]
        )


@pytest.fixture
def packer(redis: Redis) -> OnlyDeclared:
    return OnlyDeclared(redis)


@pytest.fixture
def strict(redis: Redis, redis_url: str, packer: OnlyDeclared) -> Iterator[Redis]:
    """A connection of a user that may touch in a script only what the script's KEYS name."""
    redis.acl_setuser("strict", enabled=True, nopass=True, keys=["*"], channels=["*"], commands=["+@all"])
    connection = client(redis_url.replace("//", "//strict:any@", 1), 5)
    pool: Any = connection.connection_pool
    pool.connection_kwargs["command_packer"] = packer
    pool.packed = packer.packed
    yield connection
    connection.close()
    redis.acl_deluser("strict")


@pytest.mark.parametrize("name", NAMES)
def test_a_script_touches_only_the_keys_that_it_receives(name: str, strict: Redis, packer: OnlyDeclared) -> None:
    sha = hashlib.sha1(source(name).encode()).hexdigest()  # noqa: S324  # Redis names scripts so

    USES[name](strict)

    assert sha in packer.scripts


def test_a_script_that_builds_a_key_is_found(strict: Redis) -> None:
    builds = strict.register_script("return redis.call('GET', KEYS[1] .. 'x')")

    with pytest.raises(Exception, match=r"ACL failure|NOPERM|permission|can't access"):
        builds(keys=["a"])
