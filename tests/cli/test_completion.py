from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from streamapp.cli import COMMANDS, main


def offered(*words: str) -> set[str]:
    """What the tab key offers after these words."""
    completion = ShellComplete(main, {}, "streamapp", "_STREAMAPP_COMPLETE")
    return {item.value for item in completion.get_completions(list(words[:-1]), words[-1])}


def test_commands_options_and_choices_are_offered() -> None:
    assert offered("") >= set(COMMANDS)
    assert offered("re") == {name for name in COMMANDS if name.startswith("re")}
    assert offered("redrive", "bikes", "--d") == {"--dry-run"}
    assert offered("watch", "bikes", "dead") == {"dead-letters"}
    assert offered("completion", "") == {"bash", "zsh", "fish"}
    assert offered("watch", "") == set()  # deployments are not asked for


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_the_command_itself(shell: str) -> None:
    script = CliRunner().invoke(main, ["completion", shell], prog_name="streamapp")
    assert script.exit_code == 0
    assert f"_STREAMAPP_COMPLETE={shell}_complete" in script.stdout
    assert "%(" not in script.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_takes_it(tmp_path: Path) -> None:
    (tmp_path / "streamapp").write_text(f'#!/bin/sh\nexec {sys.executable} -m streamapp "$@"\n')
    (tmp_path / "streamapp").chmod(0o755)
    script = CliRunner().invoke(main, ["completion", "bash"], prog_name="streamapp").stdout
    ask = f"""{script}
    COMP_WORDS=(streamapp redr) COMP_CWORD=1
    _streamapp_completion {tmp_path}/streamapp
    echo "${{COMPREPLY[@]}}"
    """
    said = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout == "redrive\n"


def test_another_shell_is_wrong_usage() -> None:
    assert CliRunner().invoke(main, ["completion", "tcsh"]).exit_code == 2
