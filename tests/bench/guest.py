"""One chapter of the measurements, in a guest whose clock counts instructions: guest.py CHAPTER ORDERS, the orders from `run` as JSON."""

import json
import platform
import sys

import crowds
import traffic

CHAPTERS = crowds.CHAPTERS | traffic.CHAPTERS


def main():
    chapter, orders = sys.argv[1], json.loads(sys.argv[2])
    print("run", orders["run"], platform.release(), flush=True)
    CHAPTERS[chapter](orders)
    return 0


if __name__ == "__main__":
    sys.exit(main())
