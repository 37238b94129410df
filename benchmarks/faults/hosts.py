"""Hosts for the nodes of a cluster: network namespaces of Linux on one bridge, and partitions between them.

It needs root and the programs `ip` and `iptables`. The processes of the application run outside: for the nodes,
they are the host 10.77.0.1.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

BRIDGE, OUTSIDE = "clockbr", "10.77.0.1"


class Hosts:
    """So many hosts; `end` removes them."""

    def __init__(self, count: int) -> None:
        self.addresses = [f"10.77.0.{10 + number}" for number in range(count)]
        self.end()
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("addr", "add", f"{OUTSIDE}/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        for number, address in enumerate(self.addresses):
            name = f"clock{number}"
            _ip("netns", "add", name)
            _ip("link", "add", f"{name}a", "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", f"{name}a", "master", BRIDGE, "up")
            for words in (("addr", "add", f"{address}/24", "dev", "eth0"), ("link", "set", "eth0", "up")):
                _ip("-n", name, *words)
            _ip("-n", name, "link", "set", "lo", "up")

    def end(self) -> None:
        """Remove all hosts, also those of a run that was killed."""
        for number in range(len(self.addresses)):
            with suppress(subprocess.CalledProcessError):
                _ip("netns", "del", f"clock{number}")
        with suppress(subprocess.CalledProcessError):
            _ip("link", "del", BRIDGE)

    def on(self, number: int) -> list[str]:
        """The words before a program that starts it on that host."""
        return ["ip", "netns", "exec", f"clock{number}"]

    @contextmanager
    def dropping(self, address: str, chain: str, others: list[str]) -> Iterator[None]:
        """Drop, at a host, what it gets from others (chain INPUT) or sends to them (OUTPUT), inside the block."""
        on, side = self.on(self.addresses.index(address)), "-s" if chain == "INPUT" else "-d"
        for other in others:
            _run(*on, "iptables", "-I", chain, side, other, "-j", "DROP")
        try:
            yield
        finally:
            _run(*on, "iptables", "-F", chain)

    def cut(self, address: str, chain: str, others: list[str], seconds: float) -> None:
        """Drop these packets for so long."""
        with self.dropping(address, chain, others):
            time.sleep(seconds)


def _ip(*words: str) -> None:
    _run("ip", *words)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=20)
