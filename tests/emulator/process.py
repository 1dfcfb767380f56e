"""The emulator's own process, so that a busy test does not delay what the emulated link would not.

One thread waits for sockets by ``select``, whose timeout has microseconds where an event loop's has milliseconds. It
ends when its standard input does.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from collections.abc import Iterable

import msgspec

from tests.emulator.link import Link
from tests.emulator.orders import Begin, Change, Order, Pause, Status, Way

MOST_PEERS = 256
LARGEST = 65_535
# What is read of one socket before the others have their turn.
BATCH = 64
BUFFER = 4 * 1024 * 1024
ORDERS = sys.stdin.fileno()


class Proxy:
    """Each address of a client has a socket of its own towards the server, so the server tells them apart."""

    def __init__(self, begin: Begin) -> None:
        now = time.monotonic()
        self._links = {
            Way.UP: Link(begin.up, seed=begin.seed, now=now),
            Way.DOWN: Link(begin.down, seed=begin.seed + 1, now=now),
        }
        self._server = (begin.server_host, begin.server_port)
        self._front = _socket(begin.host)
        self._front.bind((begin.host, 0))
        self._backs: list[socket.socket] = []
        self._numbers: dict[tuple[str, int], int] = {}
        self._addresses: list[tuple[str, int]] = []
        self._refused = self._unsent = 0

    @property
    def sockets(self) -> Iterable[socket.socket]:
        return (self._front, *self._backs)

    @property
    def status(self) -> Status:
        up, down = (self._links[way].counts for way in Way)
        port = self._front.getsockname()[1]
        return Status(port, up, down, len(self._backs), self._refused, self._unsent)

    def obey(self, order: Order) -> None:
        now = time.monotonic()
        if isinstance(order, Change):
            self._links[order.way].change(order.conditions, now=now)
        elif isinstance(order, Pause):
            self._links[order.way].pause(order.seconds, now=now)

    def read(self, ready: socket.socket) -> None:
        for _ in range(BATCH):
            try:
                data, address = ready.recvfrom(LARGEST)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue  # the server is not there (yet): as on a network, nobody is told
            now = time.monotonic()
            if ready is not self._front:
                self._links[Way.DOWN].push(self._backs.index(ready), data, now=now)
            elif (number := self._number(address[:2])) is None:
                self._refused += 1
            else:
                self._links[Way.UP].push(number, data, now=now)

    def send_due(self) -> float | None:
        """Seconds until there is more to send."""
        now = time.monotonic()
        for number, data in self._links[Way.UP].due(now):
            self._send(self._backs[number], data, None)
        for number, data in self._links[Way.DOWN].due(now):
            self._send(self._front, data, self._addresses[number])
        moments = [moment for link in self._links.values() if (moment := link.next_at()) is not None]
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def _number(self, client: tuple[str, int]) -> int | None:
        if client not in self._numbers:
            if len(self._backs) >= MOST_PEERS:
                return None
            back = _socket(self._server[0])
            back.connect(self._server)
            self._numbers[client] = len(self._backs)
            self._backs.append(back)
            self._addresses.append(client)
        return self._numbers[client]

    def _send(self, by: socket.socket, data: bytes, to: tuple[str, int] | None) -> None:
        try:
            if to is None:
                by.send(data)
            else:
                by.sendto(data, to)
        except OSError:
            self._unsent += 1


def _socket(host: str) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    return made


class Orders:
    """Lines of the standard input, whole ones."""

    def __init__(self) -> None:
        self._decoder: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)
        self._read = b""
        self.ended = False

    def next(self) -> list[Order]:
        more = os.read(ORDERS, LARGEST)
        self.ended = not more
        *lines, self._read = (self._read + more).split(b"\n")
        return [self._decoder.decode(line) for line in lines]


def main() -> None:
    orders = Orders()
    proxy: Proxy | None = None
    while not orders.ended:
        wait = proxy.send_due() if proxy else None
        ready, _, _ = select.select([ORDERS, *(proxy.sockets if proxy else ())], [], [], wait)
        for one in ready:
            if isinstance(one, socket.socket) and proxy is not None:
                proxy.read(one)
        if ORDERS in ready:
            for order in orders.next():
                if isinstance(order, Begin):
                    proxy = Proxy(order)
                elif proxy is not None:
                    proxy.obey(order)
                if proxy is not None:
                    sys.stdout.buffer.write(msgspec.json.encode(proxy.status) + b"\n")
                    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
