"""The command of the installed package knows every command there is."""

from __future__ import annotations

import pytest

from backend.console import CORE_COMMANDS, main
from cdsp_core.__main__ import COMMANDS


def test_every_command_of_the_core_is_passed_on(tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(CORE_COMMANDS) == set(COMMANDS)
    asked = ["sweep", "--x", "p_drop=0", "--y", "p_drop=1", "--out", str(tmp_path)]
    assert main(asked) == 2
    assert capsys.readouterr().err == "cdsp_core: the two axes must be two settings. Found p_drop twice.\n"
