#!/usr/bin/env python3
"""Checks the documents: every relative link leads somewhere, every test and file that is named is there, no file names
a path of somebody's machine, and the table of log lines in docs/operations.md is that of the code."""

import pathlib
import re
import subprocess
import sys

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`[^`]*`")
# Folders of a developer's machine; written so that this line does not match itself.
MACHINE_PATH = re.compile(r"/(?:work|farm|root|home/[a-z]+)/|[.]library(?![A-Za-z])")
# A test of Python, or a file of the repository, named as code.
NAMED_TEST = re.compile(r"`(test_\w+)`")
NAMED_FILE = re.compile(r"`((?:Sources|Tests|Fuzz|bench|load|config|docs|web|\.ci)/[\w./+-]+\.\w+)`")
# A line of the log where it is written, and its row in the table.
LOGGED = re.compile(r'(?:\blogger\.(debug|info|warn|error)\(|LogFormat\.json\.line\(\s*\.(debug|info|warn|error),)\s*"([^"]*)"')
LOG_ROW = re.compile(r"^\| (`[^|]*`) \| (debug|info|warn|error) \|", re.MULTILINE)
BINARY = {".png", ".svg", ".ico", ".woff", ".woff2", ".jpg", ".gif"}


def anchor(heading):
    """The anchor that a forge gives to a heading."""
    text = re.sub(r"^#+\s*", "", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def links(text):
    """Pairs of a line number and a link's target, outside of code."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            for match in LINK.finditer(CODE.sub("", line)):
                yield number, match.group(1) or match.group(2)


def anchors(text):
    found, fenced = set(), False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and line.startswith("#"):
            found.add(anchor(line))
    return found


def missing_names(text, root, tests):
    """Pairs of a line number and a name in code marks that stands for nothing."""
    for number, line in enumerate(text.splitlines(), 1):
        for name in NAMED_TEST.findall(line):
            if name not in tests:
                yield number, name
        for name in NAMED_FILE.findall(line):
            if not (root / name).exists() and not name.startswith("web/dist/"):
                yield number, name


def log_lines(code):
    """Pairs of body and level that Swift text logs."""
    return {(body, one or other) for one, other, body in LOGGED.findall(code)}


def log_rows(page):
    """Pairs of body and level that docs/operations.md lists; a row may have several bodies."""
    return {(body, level) for bodies, level in LOG_ROW.findall(page) for body in re.findall(r"`([^`]+)`", bodies)}


def wrong_log_rows(root):
    """What the table of log lines lacks, and what it has too much."""
    code = "\n".join(file.read_text() for file in sorted((root / "Sources").rglob("*.swift")))
    logged, listed = log_lines(code), log_rows((root / "docs/operations.md").read_text())
    for body, level in sorted(logged - listed):
        yield f"docs/operations.md: lists no log line `{body}` ({level})"
    for body, level in sorted(listed - logged):
        yield f"docs/operations.md: nothing logs `{body}` ({level})"


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    files = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=root, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    bad, pages = list(wrong_log_rows(root)), 0
    tests = {test for file in root.glob("Tests/*/test_*.py") for test in re.findall(r"def (test_\w+)", file.read_text())}
    for name in files:
        file = root / name
        if file.suffix in BINARY or not file.is_file():
            continue
        try:
            text = file.read_text()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if MACHINE_PATH.search(line):
                bad.append(f"{name}:{number}: a path of a machine")
        if file.suffix != ".md":
            continue
        pages += 1
        # What was decided then may name what is gone now.
        if not name.startswith("docs/decisions/"):
            bad += [f"{name}:{number}: {missing} is not there" for number, missing in missing_names(text, root, tests)]
        for number, target in links(text):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, fragment = target.partition("#")
            aim = (file.parent / path).resolve() if path else file
            if not aim.exists():
                bad.append(f"{name}:{number}: {target} does not exist")
            elif fragment and aim.suffix == ".md" and fragment not in anchors(aim.read_text()):
                bad.append(f"{name}:{number}: {target} names no heading")
    for line in bad:
        print(line, file=sys.stderr)
    if bad:
        return 1
    print(f"documents: links of {pages} pages and log lines in order, no machine paths")
    return 0


if __name__ == "__main__":
    sys.exit(main())
