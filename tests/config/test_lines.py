"""Keys are found on their lines, whatever stands around them."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mralab.config.lines import item_lines, key_lines, line_of

TRICKY = '''\
# listen = "comment"
listen = "a = 1 # no comment"  # a comment
text = """
release = "inside"
""""
trusted_ca = [
  "one.pem",  # [log]
  "]",
]
'literal key' = 'C:\\'
"quoted \\u0061" = { inner = 1, deep = { x = 2 } }
a.b . "c" = 5

[log]
debug = true
[ "timeouts" . x ]
y = 1979-05-27T07:32:00Z
[[many]]
z = 1
[[many]]
z = 2
'''


def test_every_kind_of_statement_is_found() -> None:
    tomllib.loads(TRICKY)
    assert key_lines(TRICKY) == {
        ("listen",): 2,
        ("text",): 3,
        ("trusted_ca",): 6,
        ("literal key",): 10,
        ("quoted a",): 11,
        ("a", "b", "c"): 12,
        ("log",): 14,
        ("log", "debug"): 15,
        ("timeouts", "x"): 16,
        ("timeouts", "x", "y"): 17,
        ("many",): 18,
        ("many", "z"): 19,
    }


@pytest.mark.parametrize(
    ("path", "line"),
    [
        pytest.param(("log", "debug"), 15, id="the key itself"),
        pytest.param(("quoted a", "inner"), 11, id="the table around a key of an inline table"),
        pytest.param(("nowhere", "x"), 1, id="the first line if nothing is near"),
    ],
)
def test_line_of(path: tuple[str, ...], line: int) -> None:
    assert line_of(key_lines(TRICKY), path) == line


ARRAYS = """\
[[cluster]]
name = "a"
[[cluster.node]]
name = "b"
certificate.tomcat.reuse = "x"
[cluster.node.trust]
list = []
[[cluster.node]]
[[cluster]]
[[cluster.node]]
trust = { list = [
] }
[other]
[other.deep]
[[ "other" . "many" ]]
[other.many.one]
[late.inner]
[late]
[nowhere.inner]
"""


def test_each_table_of_an_array_has_lines_of_its_own() -> None:
    tomllib.loads(ARRAYS)
    assert item_lines(ARRAYS) == {
        ("cluster",): 1,
        ("cluster", "0"): 1,
        ("cluster", "0", "name"): 2,
        ("cluster", "0", "node"): 3,
        ("cluster", "0", "node", "0"): 3,
        ("cluster", "0", "node", "0", "name"): 4,
        ("cluster", "0", "node", "0", "certificate"): 5,
        ("cluster", "0", "node", "0", "certificate", "tomcat"): 5,
        ("cluster", "0", "node", "0", "certificate", "tomcat", "reuse"): 5,
        ("cluster", "0", "node", "0", "trust"): 6,
        ("cluster", "0", "node", "0", "trust", "list"): 7,
        ("cluster", "0", "node", "1"): 8,
        ("cluster", "1"): 9,
        ("cluster", "1", "node"): 10,
        ("cluster", "1", "node", "0"): 10,
        ("cluster", "1", "node", "0", "trust"): 11,
        ("other",): 13,
        ("other", "deep"): 14,
        ("other", "many"): 15,
        ("other", "many", "0"): 15,
        ("other", "many", "0", "one"): 16,
        ("late", "inner"): 17,
        ("late",): 18,  # its own header, not the one that implied it
        ("nowhere",): 19,
        ("nowhere", "inner"): 19,
    }


def paths_of(table: dict[str, Any]) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for name, value in table.items():
        found.add((name,))
        if isinstance(value, dict):
            found |= {(name, *rest) for rest in paths_of(value)}
    return found


names = st.text("abc-_. \"'#=[]", max_size=4)


def quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


values = st.sampled_from(
    ['"a # = ["', "'x\"'", "3", "[1, [2, 3]]", '"""\n[t]\nk = 1\n"""', "[\n1,\n]", "true"]
)


@given(st.lists(st.tuples(names, values), unique_by=lambda item: item[0], max_size=6))
def test_lines_point_at_the_keys(items: list[tuple[str, str]]) -> None:
    text = "".join(f"{quoted(name)} = {value}\n" for name, value in items)
    lines = key_lines(text)
    assert set(lines) == paths_of(tomllib.loads(text))
    for (name,), line in lines.items():
        assert text.split("\n")[line - 1].startswith(quoted(name))
