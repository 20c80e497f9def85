"""Configuration files."""

from __future__ import annotations

import pytest
from bench.template import configuration, fill

from bench import BenchError


def test_values_go_to_their_places_and_dollars_stay() -> None:
    assert fill("return 200 $x; # {{a}} {{b}} {{a}}", {"a": 1, "b": "$y"}) == (
        "return 200 $x; # 1 $y 1"
    )


@pytest.mark.parametrize("values", [{}, {"a": 1, "b": 2}])
def test_a_place_without_value_or_a_value_without_place_is_an_error(
    values: dict[str, object],
) -> None:
    with pytest.raises(BenchError, match=r"differ in [ab]"):
        fill("{{a}}", values)


def test_a_configuration_is_read_from_its_folder() -> None:
    assert configuration("runroot.yaml", home="/x").startswith("prefix: /x\n")
