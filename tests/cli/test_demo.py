from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from streamapp.cli import main


def test_help_says_what_it_shows_and_has_an_example() -> None:
    result = CliRunner().invoke(main, ["demo", "--help"])
    assert result.exit_code == 0
    for part in ("--report FILE", "--pace EVENTS_PER_S", "--no-dashboard", "--keep", "streamapp demo --fast"):
        assert part in result.output


def test_a_pace_of_nothing_is_wrong_usage() -> None:
    assert CliRunner().invoke(main, ["demo", "--pace", "0"]).exit_code == 2


def test_a_report_without_a_folder_is_one_line_before_anything_starts(tmp_path: Path) -> None:
    report = tmp_path / "nowhere" / "report.json"
    result = CliRunner().invoke(main, ["demo", "--report", str(report)], prog_name="streamapp")
    assert result.exit_code == 1
    assert result.stderr == (
        f"streamapp demo: the report cannot be written: there is no folder {report.parent}\n"
    )
    assert not result.stdout
