import re
from pathlib import Path

from clock.store import keys
from clock.store.key_types import _TYPES

KINDS = {name: name for name in ("string", "hash", "list", "set", "stream")} | {"sorted set": "zset"}


def test_each_key_is_looked_at_for_the_type_that_its_comment_names() -> None:
    source = Path(keys.__file__).read_text()
    described = re.findall(r'^[A-Z_]+(?:: Final)? = \(?\s*"([^"]+)"  # ([a-z ]+)[,:]', source, re.MULTILINE)

    assert len(described) > 60
    assert {key: KINDS[kind] for key, kind in described if kind in KINDS} == _TYPES
