"""Reads paths that are saved all the while, and prints as JSON what it saw of each, until a file appears.

Usage: reader.py UNTIL PATH…
"""

import json
import os
import sys
import time

from saver import RECORD, content


def main(until: str, paths: list[str]) -> None:
    counted = {"readings": 0, "missing": 0, "torn": 0, "back": 0, "last": 0, "longest_ms": 0}
    seen = {path: dict(counted) for path in paths}
    changed = dict.fromkeys(paths, time.monotonic())
    over = False
    while not over:
        over = os.path.exists(until)  # before the readings, so that the last save is among them
        time.sleep(0.0005)  # leaves the processor to those who save
        for path, counts in seen.items():
            counts["readings"] += 1
            try:
                with open(path, "rb") as file:
                    text = file.read()
            except FileNotFoundError:
                counts["missing"] += 1
                continue
            number = int(text[:RECORD] or 0)
            counts["torn"] += text != content(number)
            counts["back"] += number < counts["last"]
            now = time.monotonic()
            counts["longest_ms"] = max(counts["longest_ms"], int((now - changed[path]) * 1000))
            if number != counts["last"]:
                changed[path] = now
            counts["last"] = number
    print(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
