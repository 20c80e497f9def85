from __future__ import annotations

from typing import TYPE_CHECKING

from tests.differential import mutate, run

if TYPE_CHECKING:
    import pytest


def test_without_traffic_server_nothing_is_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "installed", lambda: "")
    monkeypatch.setattr(mutate, "installed", lambda: "")
    assert run.main([]) == 0
    assert mutate.main([]) == 0
    assert capsys.readouterr().out == f"{run.SKIPPED}\n" * 2
