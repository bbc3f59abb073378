"""One side of one job in a process of its own: `python worker.py MODULE JOB WHAT DATA`.

Says "ready" when it is warm; from then on each line it reads starts a round, and it answers with
seconds, units and the most memory that the process has held.
"""

import gc
import importlib
import json
import resource
import sys
import time
from pathlib import Path

WARMING_ROUNDS = 1


def main(module, job, what, data):
    # What libraries print must not come between.
    answers = sys.stdout
    sys.stdout = sys.stderr
    run = getattr(importlib.import_module(module), job)(what, Path(data))
    for _ in range(WARMING_ROUNDS):
        run()
    print("ready", file=answers, flush=True)
    for _ in sys.stdin:
        gc.collect()  # of what the round before left, which is not this one's work
        started = time.perf_counter()
        units = run()
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        row = {"seconds": seconds, "units": units, "peak_mib": peak}
        print(json.dumps(row), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
