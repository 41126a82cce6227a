"""``streamapp completion``."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

__all__ = ["command"]

_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(_SHELLS)), metavar="|".join(_SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print what makes SHELL complete commands, options and choices on the tab key.

    Names of deployments are not completed: Kafka would have to be asked for them at each key.

    \b
    Example:
      eval "$(streamapp completion bash)"                              in ~/.bashrc
      eval "$(streamapp completion zsh)"                               in ~/.zshrc
      streamapp completion fish > ~/.config/fish/completions/streamapp.fish
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    # Not the class's own source(): that of bash starts a bash to ask for its version.
    found = _SHELLS[shell](ctx.find_root().command, {}, "streamapp", "_STREAMAPP_COMPLETE")
    click.echo(found.source_template % found.source_vars())
