"""The product's status lines."""

from hypothesis import given
from hypothesis import strategies as st

from mralab.config.xstatus import render_status

TREE = {
    "traffic_server": {
        "release": "X14.2",
        "verify_origin_server": "On",
        "answers": {"200": 12, "502": 1},
        "rules": None,
        "draining": False,
        "up": True,
        "workers": [{"pid": 7}],
        "load": 0.5,
    },
    "odd name": 'a "quoted"\nvalue',
}


def test_every_value_has_a_line_and_the_end_is_marked() -> None:
    assert render_status(TREE) == (
        '*s TrafficServer Release: "X14.2"',
        '*s TrafficServer VerifyOriginServer: "On"',
        "*s TrafficServer Answers 200: 12",
        "*s TrafficServer Answers 502: 1",
        '*s TrafficServer Rules: ""',
        '*s TrafficServer Draining: "False"',
        '*s TrafficServer Up: "True"',
        "*s TrafficServer Workers 1 Pid: 7",
        "*s TrafficServer Load: 0.5",
        '*s OddName: "a ?quoted??value"',
        "** end",
    )


def test_words_choose_without_case() -> None:
    chosen = render_status(TREE, ["xStatus", "trafficserver", "ANSWERS"])
    assert chosen == (
        "*s TrafficServer Answers 200: 12",
        "*s TrafficServer Answers 502: 1",
        "** end",
    )
    assert render_status(TREE, ["nothing"]) == ("** end",)


names = st.text(max_size=8)
leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), names)
branches = st.one_of(st.lists(leaves, max_size=3), st.dictionaries(names, leaves, max_size=3))


@given(st.dictionaries(names, st.one_of(leaves, branches), max_size=3))
def test_every_tree_is_lines(tree: dict[str, object]) -> None:
    lines = render_status(tree)
    assert lines[-1] == "** end"
    assert all(line.startswith("*s ") and line.isprintable() for line in lines[:-1])
