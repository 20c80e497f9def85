"""Check the Markdown files: links lead somewhere, decision records have their form."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

RECORDS = Path("docs/adr")
RECORD_LINES = 60
RECORD_HEADINGS = ("Context", "Decision", "Evidence", "Consequences")

_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?P<file>[^)#\s]*)(?:#(?P<heading>[^)\s]+))?\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
_RECORD_NAME = re.compile(r"[0-9]{4}-[a-z0-9-]+\.md")


def anchors_of(path: Path) -> set[str]:
    """Return the anchors that a Markdown file's headings get."""
    text = _FENCE.sub("", path.read_text("utf-8"))
    bare = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(text))
    return {heading.replace(" ", "-") for heading in bare}


def dead_links(path: Path) -> list[str]:
    """Say which links of a file lead nowhere. Links to other hosts are not looked at."""
    faults = []
    for link in _LINK.finditer(_FENCE.sub("", path.read_text("utf-8"))):
        if ":" in link["file"]:
            continue
        target = path.parent / link["file"] if link["file"] else path
        if not target.exists():
            faults.append(f"{path}: no file {link['file']}")
        elif link["heading"] and link["heading"] not in anchors_of(target):
            faults.append(f"{path}: no heading #{link['heading']} in {target}")
    return faults


def record_faults(path: Path) -> list[str]:
    """Say what is wrong with the form of a decision record."""
    text = path.read_text("utf-8")
    headings = _HEADING.findall(text)
    faults = [f"{path}: no heading {need}" for need in RECORD_HEADINGS if need not in headings]
    if not _RECORD_NAME.fullmatch(path.name):
        faults.append(f"{path}: not named NNNN-subject.md")
    if text.count("\n") > RECORD_LINES:
        faults.append(f"{path}: longer than {RECORD_LINES} lines")
    return faults


def main() -> int:
    """Check every Markdown file that git knows or would take; 1 if something is wrong."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    pages = [path for path in map(Path, listed) if path.exists()]
    faults = [fault for path in pages for fault in dead_links(path)]
    faults += [fault for path in pages if path.parent == RECORDS for fault in record_faults(path)]
    for fault in faults:
        print(fault, file=sys.stderr)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
