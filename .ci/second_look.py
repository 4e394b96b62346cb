"""A second look at tests that failed: docs/decisions/0061-a-second-look.md.

At most three failed tests run once more, by themselves. One that fails again has failed; one that passes is named as
unsteady, with what it said first, and counts as passed.
"""

import xml.etree.ElementTree as tree

SECOND_LOOKS = 3


def outcomes(reports):
    """What reports in JUnit's form say of each test: its name to `passed`, `skipped`, or the message of its failure."""
    found = {}
    for case in cases(reports):
        name = f"{case.get('classname')} {case.get('name')}"
        reasons = case.findall("failure") + case.findall("error")
        if reasons:
            found[name] = " ".join(" | ".join(reason.get("message") or "failed" for reason in reasons).split())
        elif name not in found:
            found[name] = "skipped" if case.find("skipped") is not None else "passed"
    return found


def cases(reports):
    for report in reports:
        try:
            yield from tree.parse(report).getroot().iter("testcase")
        except (OSError, tree.ParseError):
            continue


def failures(found):
    return {name: said for name, said in found.items() if said not in ("passed", "skipped")}


def deserves_second_look(found):
    return 0 < len(failures(found)) <= SECOND_LOOKS


def judge(first, again, crash):
    """The lines to end with, and whether all is well.

    `again` is `None` when there was no second look, `crash` when the run came to its end.
    """
    failed = failures(first)
    unsteady = {name: said for name, said in failed.items() if again is not None and again.get(name) == "passed"}
    failed = {name: said for name, said in failed.items() if name not in unsteady}
    skipped = sum(said == "skipped" for said in first.values())
    passed = len(first) - len(failed) - skipped
    lines = [f"unsteady: {name}: {said}" for name, said in unsteady.items()]
    lines += [f"failed: {name}: {said}" for name, said in failed.items()]
    if crash:
        lines.append(f"failed: {crash}")
    counts = f"{passed} passed, {len(failed) + bool(crash)} failed"
    lines.append(counts + (f", {skipped} skipped" if skipped else ""))
    return lines, passed > 0 and not failed and not crash
