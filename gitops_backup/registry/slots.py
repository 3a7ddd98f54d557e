"""How many copies at a time may use a registry.

A place is tried, and not waited for: whoever finds none stands in line, does something else, and is called
when one was kept for him. So a copy that waits holds no worker, and nobody has to ask again and again.

What becomes free goes to who has stood in line for longest among those who find a place everywhere they need
one; nobody who comes later takes it away before he is back. Who waits for one registry keeps no place at
another: a copy between others goes on meanwhile. He is not passed over for ever, as all copies share the
backup registry: what he waits for stays free, once it is, until he has a place there, too.
"""

import threading
from collections.abc import Callable, Iterable, Mapping


class Slots:
    """The places at each registry, by host; a host that is not listed has as many as are asked for.

    `call` gets the name of somebody in line when places are kept for him.
    """

    def __init__(self, limits: Mapping[str, int], *, call: Callable[[str], None]) -> None:
        self._free = dict(limits)
        self._call = call
        self._held: dict[str, frozenset[str]] = {}
        self._line: dict[str, frozenset[str]] = {}
        self._lock = threading.Lock()

    def take(self, who: str, hosts: Iterable[str]) -> bool:
        """Whether he has a place at each of the hosts, until he leaves; where not, he stands in line."""
        with self._lock:
            if who not in self._held:
                self._line.setdefault(who, frozenset(hosts) & self._free.keys())
                self._let_in([who])
            return who in self._held

    def leave(self, who: str) -> None:
        """Give the places back, those that are kept as well, and leave the line; nothing for all others."""
        with self._lock:
            self._line.pop(who, None)
            given_back = self._held.pop(who, frozenset())
            for host in given_back:
                self._free[host] += 1
            called = self._let_in(list(self._line)) if given_back else []
        for each in called:
            self._call(each)

    def _let_in(self, line: Iterable[str]) -> list[str]:
        """Keep places for those who find them, in this order; who they are."""
        found = []
        for who in line:
            if all(self._free[host] > 0 for host in self._line[who]):
                self._held[who] = self._line.pop(who)
                for host in self._held[who]:
                    self._free[host] -= 1
                found.append(who)
        return found
