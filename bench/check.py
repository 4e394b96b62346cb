#!/usr/bin/env python3
"""Counts instructions, allocations and system calls of the hot path and holds them against bench/thresholds.json.

bench/check.py [--write] [--document]

--write takes what was measured for the thresholds, --document for the table of docs/benchmarks.md.

Counts, not times, so that a busy machine measures the same. One more than a tenth above its threshold
fails; one more than a tenth below is told, to be tightened with --write. Needs valgrind and strace.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile

import bench
from harness import PROGRAMS, ROOT, fill, simulator, table

THRESHOLDS = ROOT / "bench" / "thresholds.json"
TOLERANCE = 0.10
# Operation and how often: the second run does twice as much, and the difference is what counts.
OPERATIONS = {"sse": 2000, "reduce": 2000, "append": 2000, "batch": 3200, "render": 2000,
              "frame": 2000, "resume": 100, "token": 200}
# What docs/benchmarks.md calls them.
MEANINGS = {"sse": "take one event from the event stream", "reduce": "recognise one delta in the event stream",
            "append": "and log it", "batch": "the same for one of sixteen that a chunk brings",
            "render": "recognise, log and render one delta as a frame",
            "frame": "render one delta as a frame, by itself",
            "resume": "render 1,000 missed deltas", "token": "verify a resume token"}
# Of the whole gateway, one frame a delta. How many deltas a wake-up brings depends on what else the machine
# does: a bound that is kept, not a figure to be tightened.
CALLS, MOST_CALLS = "system calls per paced delta", 4


def valgrind(tool, operation, count, pattern):
    with tempfile.NamedTemporaryFile() as output:
        result = subprocess.run(
            ["valgrind", f"--tool={tool}", f"--{tool}-out-file={output.name}",
             PROGRAMS / "millrace-bench", operation, str(count)], capture_output=True, text=True)
    found = re.search(pattern, result.stderr)
    if result.returncode != 0 or not found:
        sys.exit(result.stderr)
    return int(found[1].replace(",", ""))


def measure():
    figures = {}
    for operation, count in OPERATIONS.items():
        for unit, tool, pattern in (("instructions", "callgrind", r"Collected : (\d+)"),
                                    ("allocations", "dhat", r"Total:.* in ([\d,]+) blocks")):
            once, twice = (valgrind(tool, operation, n * count, pattern) for n in (1, 2))
            figures[f"{operation} {unit}"] = round((twice - once) / count, 2)
    with simulator() as upstream:
        figures[CALLS] = round(bench.system_calls(upstream)["calls per delta"], 2)
    return figures


def document(figures):
    """Writes what was measured into the table that people read."""
    rows = [[meaning, f"{figures[f'{name} instructions']:,.0f}", figures[f"{name} allocations"]]
            for name, meaning in MEANINGS.items()]
    fill("docs/benchmarks.md", "counted", table(["operation", "instructions", "allocations"], rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="take what is measured for the thresholds")
    parser.add_argument("--document", action="store_true", help="write what is measured into docs/benchmarks.md")
    arguments = parser.parse_args()
    figures = measure()
    if arguments.write:
        THRESHOLDS.write_text(json.dumps({**figures, CALLS: MOST_CALLS}, indent=2) + "\n")
    thresholds = json.loads(THRESHOLDS.read_text())
    if arguments.document:
        document(figures)
    rows, failed, beaten = [], 0, 0
    for name, value in figures.items():
        limit = thresholds.get(name)
        # A twentieth of an allocation is noise of growing arrays.
        slack = 0.05 if name.endswith("allocations") else 0
        if limit is None or value > limit * (1 + TOLERANCE) + slack:
            verdict = "FAILED"
            failed += 1
        elif value < limit * (1 - TOLERANCE) - slack and name != CALLS:
            verdict = "tighten"
            beaten += 1
        else:
            verdict = "holds"
        rows.append([name, f"{value:,}", "none" if limit is None else f"{limit:,}", verdict])
    print(table(["per operation", "measured", "threshold", ""], rows))
    if beaten:
        print(f"\n{beaten} thresholds can be tightened: bench/check.py --write")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
