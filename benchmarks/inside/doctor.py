"""`ws-doctor` in a healthy workspace, against a bare Python of the image; prints JSON.

Usage: doctor.py whole|metadata ROUNDS
"""

import json
import os
import sys

from benchmarks.inside.timing import pairs

COMMANDS = {"whole": ("ws-doctor", "--strict"), "metadata": ("ws-doctor", "--metadata")}

if __name__ == "__main__":
    found = pairs(COMMANDS[sys.argv[1]], ("python3", "-c", "pass"), dict(os.environ), int(sys.argv[2]))
    print(json.dumps(found))
