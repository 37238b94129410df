"""Hosts for the nodes of a cluster: network namespaces of Linux on one bridge, with partitions and delays.

It needs root and the programs `ip` and `iptables`. The processes of the application run outside: for the nodes,
they are the host `outside`. Several runs on one machine have networks of their own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
MOST_NETWORKS = 250


def missing() -> str:
    """What this machine lacks for hosts; empty: nothing."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "hosts need root"
    absent = [name for name in ("ip", "iptables", "redis-server") if shutil.which(name) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    try:
        Hosts(1).end()
    except subprocess.CalledProcessError as error:
        return f"network namespaces are not allowed here: {error.stderr.decode().strip()}"
    return ""


class Hosts:
    """So many hosts; `end` removes them."""

    def __init__(self, count: int) -> None:
        network = _claim_network()
        self._bridge = f"clockbr{network}"
        self.outside = f"10.77.{network}.1"
        self._late_network = f"10.77.{network}.0/25"  # half of the network: its route is preferred
        self.addresses = [f"10.77.{network}.{10 + number}" for number in range(count)]
        self._names = [f"clock{network}-{number}" for number in range(count)]
        try:
            _ip("addr", "add", f"{self.outside}/24", "dev", self._bridge)
            _ip("link", "set", self._bridge, "up")
            for name, address in zip(self._names, self.addresses, strict=True):
                self._add(name, address)
        except BaseException:
            self.end()
            raise

    def _add(self, name: str, address: str) -> None:
        _ip("netns", "add", name)
        _ip("link", "add", f"{name}a", "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", f"{name}a", "master", self._bridge, "up")
        for words in (("addr", "add", f"{address}/24", "dev", "eth0"), ("link", "set", "eth0", "up")):
            _ip("-n", name, *words)
        _ip("-n", name, "link", "set", "lo", "up")

    def end(self) -> None:
        """Remove all hosts."""
        for words in (*[("netns", "del", name) for name in self._names], ("link", "del", self._bridge)):
            with suppress(subprocess.CalledProcessError):
                _ip(*words)

    def on(self, number: int) -> list[str]:
        """The words before a program that starts it on that host."""
        return ["ip", "netns", "exec", self._names[number]]

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

    def late(self, address: str, delay: float, seconds: float) -> None:
        """Delay each packet that the host sends, for so long."""
        words = [sys.executable, "-m", "benchmarks.faults.late", str(delay), self._late_network, address]
        program = subprocess.Popen([*self.on(self.addresses.index(address)), *words], cwd=ROOT)
        try:
            time.sleep(seconds)
            if program.poll() is not None:
                raise RuntimeError("the delay of packets ended early")
        finally:
            program.kill()
            program.wait()

    def cut(self, address: str, chain: str, others: list[str], seconds: float) -> None:
        """Drop these packets for so long."""
        with self.dropping(address, chain, others):
            time.sleep(seconds)


def _claim_network() -> int:
    """The number of a network that no other run uses: the kernel creates its bridge only once."""
    for network in range(MOST_NETWORKS):
        try:
            _ip("link", "add", f"clockbr{network}", "type", "bridge")
        except subprocess.CalledProcessError as error:
            if b"File exists" not in error.stderr:
                raise
        else:
            return network
    raise RuntimeError("all networks are in use: remove those of killed runs with `ip -all netns del`")


def _ip(*words: str) -> None:
    _run("ip", *words)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=20)
