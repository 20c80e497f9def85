"""Check that pure modules are covered in full: ``tools/check_coverage.py JSON``.

A module is pure if its docstring says ``*Pure*``.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

FULL = 100.0


def is_pure(path: Path) -> bool:
    """Tell whether a module calls itself pure."""
    return "*Pure*" in (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "")


def main() -> int:
    """Report pure modules with a line or branch that no test takes; 1 if there are any."""
    files = json.loads(Path(sys.argv[1]).read_text("utf-8"))["files"]
    pure = [path for path in map(Path, files) if is_pure(path)]
    faults = [
        f"{path}: pure, but {files[str(path)]['summary']['percent_covered']:.1f} % covered"
        for path in pure
        if files[str(path)]["summary"]["percent_covered"] < FULL
    ]
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"{len(pure) - len(faults)} of {len(pure)} pure modules covered in full")
    return bool(faults or not pure)


if __name__ == "__main__":
    sys.exit(main())
