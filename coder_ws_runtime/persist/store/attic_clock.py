"""The time by which items of the attic expire, when nobody asked for it.

A clock may be wrong: on one host, or until it is corrected. So what a clock says counts later. Its time is
recorded on the volume, and is confirmed when a day has passed that hosts have counted since they booted
(CLOCK_BOOTTIME, which no correction changes), and no clock has shown an earlier time. Items expire by the
last confirmed time. The time in which no host runs is not counted.

Limits by number and size need no clock.
"""

import json
import math
import os
import time
from contextlib import suppress
from pathlib import Path

from coder_ws_runtime.dataclass import asdict, dataclass, replace
from coder_ws_runtime.persist.store.names import ATTIC_CLOCK, STATE
from coder_ws_runtime.persist.store.volume import Volume

CONFIRMED_AFTER = 86400.0
"""Seconds that have to be counted before a time is confirmed."""
_EVERY = 3600.0
"""Seconds after which the counting host writes what it has counted."""
_GONE = 2 * _EVERY
"""Seconds without a reading after which another host counts on."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Reading:
    """The clocks of one host."""

    wall: float
    """Seconds since the epoch."""
    boot: str
    """Which boot of which host; empty: unknown."""
    uptime: float
    """Seconds since then."""

    @classmethod
    def take(cls) -> "Reading":
        """The present one."""
        boot = ""
        with suppress(OSError):
            boot = _BOOT_ID.read_text().strip()
        return cls(time.time(), boot, time.clock_gettime(time.CLOCK_BOOTTIME))


@dataclass(frozen=True, slots=True)
class AtticClock:
    """What is recorded on the volume."""

    claimed: float
    """The time to be confirmed next, in seconds since the epoch."""
    counted: float
    """Seconds that have passed since it was claimed, as far as a host counted them."""
    confirmed: float
    """The last confirmed time; 0: none."""
    boot: str
    """The host that counts: its last reading."""
    uptime: float
    wall: float


def advance(known: AtticClock | None, now: Reading) -> AtticClock:
    """What is known after another reading. Pure.

    Args:
        known: what was recorded; None: nothing.
        now: the reading.
    """
    here = (now.boot, now.uptime, now.wall)
    if known is None or now.wall < known.claimed:
        # One of two clocks is wrong, and which is not known.
        confirmed = known.confirmed if known and known.confirmed <= now.wall else 0.0
        return AtticClock(now.wall, 0.0, confirmed, *here)
    if now.boot and now.boot == known.boot and now.uptime >= known.uptime:
        counted = known.counted + now.uptime - known.uptime
        if counted >= CONFIRMED_AFTER:
            return AtticClock(now.wall, 0.0, known.claimed, *here)
        return AtticClock(known.claimed, counted, known.confirmed, *here)
    if abs(now.wall - known.wall) > _GONE:
        return AtticClock(known.claimed, known.counted, known.confirmed, *here)
    return known


def confirmed_time(volume: Volume) -> float:
    """The time by which items expire, in seconds since the epoch; 0: none has been confirmed yet."""
    known = _read(volume)
    return min(known.confirmed, time.time()) if known else 0.0


def observe_time(volume: Volume) -> float:
    """Take a reading and record it; returns the same as `confirmed_time`."""
    known, now = _read(volume), Reading.take()
    found = advance(known, now)
    if known is None or _is_worth_writing(known, found):
        with suppress(OSError):  # on a full volume, nothing is counted
            volume.write(ATTIC_CLOCK, json.dumps(asdict(found)).encode() + b"\n")
    return min(found.confirmed, now.wall)


def _is_worth_writing(known: AtticClock, found: AtticClock) -> bool:
    same = replace(found, counted=known.counted, uptime=known.uptime, wall=known.wall)
    return same != known or found.counted - known.counted >= _EVERY


def _read(volume: Volume) -> AtticClock | None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with volume.anchor.parent(f"{STATE}/{ATTIC_CLOCK}") as (fd, name):
            opened = os.open(name, flags, dir_fd=fd)
        with open(opened, "rb") as file:
            found = json.loads(file.read())
        numbers = {key: float(found[key]) for key in ("claimed", "counted", "confirmed", "uptime", "wall")}
        known = AtticClock(boot=str(found["boot"]), **numbers)
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or it is not ours: it begins again
        return None
    return known if all(map(math.isfinite, numbers.values())) else None
