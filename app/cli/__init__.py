"""The `personalize` command. Each subcommand is a module, imported only when it is called."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from app import __version__
from app.config import Config, ConfigError, load_config

if TYPE_CHECKING:
    from app.admin.staff import Staff
    from store.keys import KeyRing

COMMANDS = {
    "serve": "Serve the shop: HTTP and background jobs, until SIGTERM.",
    "demo": "Make the generated shop, train, and serve its storefront.",
    "demo-data": "",
    "init": "Write a commented personalize.toml.",
    "check": "Check the configuration and the plugins.",
    "import": "Load a catalogue and a history from files.",
    "feed": "Take over a catalogue feed: a file, or one that is configured.",
    "read-feed": "",
    "train": "Train a new generation and publish it.",
    "models": "List what was learned, show a model card, go back to an earlier generation.",
    "budget": "What learning across people has cost, by release, and what is left.",
    "audit": "Look for people made up to be seen in what is released: does the noise keep its promise?",
    "map-worker": "",
    "quality": "Measure recommendations and search on real data.",
    "plugins": "List what is on: plugins, options, hooks.",
    "keys": "List, make and revoke API keys; show the epochs of the pseudonym keys.",
    "rotate": "Begin a new epoch of the pseudonym keys, end the oldest.",
    "rules": "Carry the marketer's rules as a TOML file.",
    "users": "Who operates the node: accounts, roles, passwords.",
    "erase": "Forget a person in every store.",
    "export": "Write everything that is held about a person.",
    "prove": "Prove on a scratch node that nobody is left after an erasure.",
    "backup": "Copy what the node holds, beside a running server.",
    "restore": "Put a backup in place; who was erased since stays erased.",
    "selftest": "Prove this installation against itself.",
    "simulate": "Let simulated shoppers take part in experiments of known truth.",
    "bench": "Measure speed and memory in the benchmark world.",
}


class Commands(click.Group):
    """Finds `personalize NAME` in app/cli/NAME_command.py."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"app.cli.{cmd_name.replace('-', '_')}_command")
        command: click.Command = module.command
        command.name = cmd_name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([entry for entry in COMMANDS.items() if entry[1]])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            from app.suggestion import suggest

            raise click.UsageError(f"unknown command '{args[0]}'{suggest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="personalize")
@click.option(
    "--config",
    "-c",
    type=click.Path(path_type=Path),
    default=Path("personalize.toml"),
    envvar="PERSONALIZE_CONFIG",
    show_default=True,
    help="The configuration file.",
)
@click.pass_context
def cli(ctx: click.Context, config: Path) -> None:
    """A real-time personalization server that forgets."""
    ctx.obj = config


def read_config(ctx: click.Context) -> Config:
    """The configuration the command was given; prints every problem and exits 2 when it is not right."""
    try:
        return load_config(ctx.obj)
    except ConfigError as wrong:
        fail(str(wrong), 2)


def tell_first_keys(keys: KeyRing, *, err: bool = False) -> None:
    """Print the API keys that were made at this very start, as they are never shown again."""
    if keys.first_keys:
        click.echo("  first start; these API keys are shown only now:", err=err)
        for kind, key in keys.first_keys.items():
            click.echo(f"    {kind:<7} {key}", err=err)


def tell_first_password(staff: Staff) -> None:
    """Print the password of the account made at this very start; there is no default one."""
    if staff.first_password:
        click.echo("  first account; its password is shown only now:")
        click.echo(f"    {staff.FIRST_NAME:<7} {staff.first_password}")


def fail(message: str, code: int = 1) -> NoReturn:
    """End with a message a person can act on, without a traceback."""
    click.echo(message, err=True)
    sys.exit(code)


def main() -> None:
    """Errors a person can act on end with their message, all others with their traceback."""
    try:
        cli(prog_name="personalize")
    except Exception as error:
        told = error
        while isinstance(told, ExceptionGroup) and len(told.exceptions) == 1:
            told = told.exceptions[0]
        if isinstance(told, _for_people()):
            fail(str(told))
        if isinstance(told, OSError) and told.filename and told.strerror:
            fail(f"{told.filename}: {told.strerror}")
        raise


def _for_people() -> tuple[type[Exception], ...]:
    from app.demo.prepare import CannotPrepare
    from app.importing.rows import CannotImport
    from app.learning.pin import NoSuchGeneration
    from app.learning.train import NothingToLearn
    from app.node import CannotOpen
    from plugins.engine import EngineFailed
    from plugins.loading import PluginProblems
    from store.catalogue import CatalogueFull
    from store.faults import StoreFault

    return (
        ConfigError, CannotPrepare, CannotImport, NothingToLearn, NoSuchGeneration, CannotOpen, CatalogueFull,
        PluginProblems, EngineFailed, StoreFault,
    )  # fmt: skip
