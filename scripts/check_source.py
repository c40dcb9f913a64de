#!/usr/bin/env python3
"""Checks rules of the source tree that no compiler checks.

    scripts/check_source.py      run by the tests; prints each violation and exits with 1 if any exist

- Floors: a file includes only its own floor and those below (docs/architecture.md).
- Includes of the project's headers are quoted and relative to the root; examples include an installed copy with <>.
- Retired names and phrases, listed with their replacements in scripts/retired_names.txt, do not come back.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FLOOR = {"core": 1, "simt": 1, "kernels": 2, "layers": 3, "data": 3, "models": 4, "training": 5, "exchange": 5, "minception.h": 5, "c_api": 5,
         "python": 6, "tools": 6, "studies": 6, "tests": 7, "benchmarks": 7}
RETIRED = ROOT / "scripts" / "retired_names.txt"
# Files that quote retired names on purpose.
MAY_QUOTE = {"scripts/retired_names.txt", "scripts/compare_bits.py", "CHANGELOG.md", "tools/train_options.cpp",
             "tools/program.cpp", "tests/tools/test_resume.cpp"}


def tracked():
    """Paths of the tracked files, or of all files without git or outside of a checkout."""
    try:
        listed = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True, check=True).stdout.splitlines()
    except (FileNotFoundError, subprocess.CalledProcessError):
        listed = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*")]
    return [path for path in listed if (ROOT / path).is_file() and not path.startswith(("build/", ".git/"))]


def check_includes(path, text):
    """Violations of the rules about includes."""
    folder = path.split("/")[0]
    for number, line in enumerate(text.splitlines(), 1):
        angled = re.match(r"#include <minception/", line)
        if angled and folder != "examples":
            yield f"{path}:{number}: write a root-relative include: {line.replace('<minception/', chr(34)).replace('>', chr(34))}"
        quoted = re.match(r'#include "([^"]+)"', line)
        if not quoted:
            continue
        if not (ROOT / quoted[1]).is_file():
            yield f"{path}:{number}: no file {quoted[1]} relative to the root"
            continue
        included = quoted[1].split("/")[0]
        if folder in FLOOR and FLOOR[included] > FLOOR[folder]:
            yield f"{path}:{number}: {folder} (floor {FLOOR[folder]}) includes {quoted[1]} (floor {FLOOR[included]})"


def retired_names():
    """Pairs of a pattern and its replacement."""
    for line in RETIRED.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, replacement = (part.strip() for part in line.partition("->"))
            ends = [r"\b" if re.match(r"\w", letter) else "" for letter in (name[0], name[-1])]
            yield re.compile(ends[0] + re.escape(name) + ends[1]), name, replacement


def main():
    problems = []
    retired = list(retired_names())
    for path in tracked():
        if not re.search(r"\.(cpp|cu|h|py|sh|md|cmake|txt|dox)$", path):
            continue
        text = (ROOT / path).read_text(encoding="utf-8")
        if re.search(r"\.(cpp|cu|h)$", path):
            problems += check_includes(path, text)
        if path in MAY_QUOTE or path.startswith("docs/results/"):
            continue
        for pattern, name, replacement in retired:
            for match in pattern.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                problems.append(f"{path}:{line}: '{name}' is retired: {replacement}")
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems" if problems else "ok")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
