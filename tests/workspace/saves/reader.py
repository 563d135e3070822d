"""Reads paths that are saved all the while, and prints as JSON what it saw of each, until a file appears.

Usage: reader.py UNTIL PATH…
"""

import json
import os
import sys
import time

from saver import RECORD, content


def main(until: str, paths: list[str]) -> None:
    seen = {path: {"readings": 0, "missing": 0, "torn": 0, "back": 0, "last": 0} for path in paths}
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
            counts["last"] = number
    print(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
