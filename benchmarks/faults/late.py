"""Delays each packet that this host sends, until it is ended: what `tc netem delay` does, for kernels without it.

    ip netns exec HOST python -m benchmarks.faults.late SECONDS NETWORK ADDRESS

NETWORK is a part of the host's own network, so its route is preferred: it leads to a TUN device of this program,
which sends each packet on the host's own device, so much later. When the program ends, the device and its route
are gone. It needs root.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections import deque

DEVICE, OWN_DEVICE = "late0", "eth0"
SET_INTERFACE, TUN, NO_HEADER = 0x400454CA, 0x0001, 0x1000  # of Linux: TUNSETIFF and its flags
LONGEST = 65_536  # bytes of a packet
IPV4 = 4  # in the first four bits of a packet; the kernel also sends IPv6 when a device starts


def tunnel() -> int:
    """A new TUN device."""
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, SET_INTERFACE, struct.pack("16sH14s", DEVICE.encode(), TUN | NO_HEADER, b""))
    return device


def sender() -> socket.socket:
    """A socket that sends whole IP packets on the host's own device."""
    found = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, OWN_DEVICE.encode())
    return found


def delay(device: int, out: socket.socket, seconds: float) -> None:
    """Send what the device gives, so much later."""
    held: deque[tuple[float, bytes]] = deque()
    while True:
        rest = max(0.0, held[0][0] - time.monotonic()) if held else None
        if select.select([device], [], [], rest)[0]:
            held.append((time.monotonic() + seconds, os.read(device, LONGEST)))
        while held and held[0][0] <= time.monotonic():
            packet = held.popleft()[1]
            if packet[0] >> 4 == IPV4:
                out.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))


def main() -> None:
    """Delay all packets to the network."""
    seconds, network, address = float(sys.argv[1]), sys.argv[2], sys.argv[3]
    device = tunnel()
    for words in (["link", "set", DEVICE, "up"], ["route", "add", network, "dev", DEVICE, "src", address]):
        subprocess.run(["/usr/bin/env", "ip", *words], check=True, timeout=20)
    delay(device, sender(), seconds)


if __name__ == "__main__":
    main()
