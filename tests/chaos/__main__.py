"""`uv run poe chaos`: many cases under random faults; prints what came of it, fails unless all is well."""

import argparse
import asyncio
import sys

from tests.chaos.run import run

CASES, SEED = 1000, 1


def main() -> None:
    """Run, print the table and whatever is broken, and end with 1 if anything is."""
    options = argparse.ArgumentParser(prog="poe chaos", description=__doc__)
    options.add_argument("--cases", type=int, default=CASES, help="how many cases")
    options.add_argument("--seed", type=int, default=SEED, help="which faults, decisions and amounts")
    given = options.parse_args()
    result = asyncio.run(run(given.cases, given.seed))
    print(result.table())
    for broken in result.broken:
        print(broken, file=sys.stderr)
    sys.exit(bool(result.broken))


if __name__ == "__main__":
    main()
