"""Saves as programs do, a number of times: writes a new file and renames it over the old one.

Usage: saver.py PATH COUNT SECONDS_BETWEEN
"""

import os
import sys
import time

RECORD = 16
SIZE = 20_000
"""More than a page and no multiple of a block, so that a torn file shows."""


def content(number: int) -> bytes:
    return (f"{number:0{RECORD - 1}}\n".encode() * (SIZE // RECORD + 1))[:SIZE]


def main(path: str, count: int, pause: float) -> None:
    for number in range(1, count + 1):
        with open(f"{path}.tmp", "wb") as file:
            file.write(content(number))
        os.rename(f"{path}.tmp", path)
        time.sleep(pause)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
