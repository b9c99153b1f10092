"""The command line: a few lines a command, in refgen/commands/; nothing heavy is imported before it runs."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

import click

from refgen import __version__

__all__ = ["main"]

# NumPy reads it when it is imported, later. On a busy machine two BLAS threads can be far slower than one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

WIDTH = 100  # columns of help, at most


class _Refgen(click.Group):
    """A group that answers a wrong name with the near ones and bad input with one line, exit status 2."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from refgen.commands.shared import did_you_mean

            commands = self.list_commands(ctx)
            near = did_you_mean(args[0], commands) or f"; the commands are {', '.join(commands)}"
            raise click.UsageError(f"no command {args[0]!r}{near}", ctx)
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **extra: Any) -> Any:
        run: Any = super().main
        if not sys.stdout.isatty():
            extra.setdefault("terminal_width", WIDTH)  # a pipe has no width: click would take 80 columns
        if not extra.pop("standalone_mode", True):
            return run(*args, **extra, standalone_mode=False)
        try:
            status = run(*args, **extra, standalone_mode=False)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx else "refgen"
            _stop(f"{error.format_message()} (see {path} --help)")
        except click.ClickException as error:
            _stop(error.format_message())
        except click.Abort:
            click.echo("\nrefgen: interrupted", err=True)
            sys.exit(130)
        sys.exit(status if isinstance(status, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ValueError as error:
            if os.environ.get("REFGEN_TRACEBACK"):
                raise
            _stop(f"{error}")
        except OSError as error:
            if error.errno == errno.EPIPE or os.environ.get("REFGEN_TRACEBACK"):
                raise
            _stop(f"{error.filename}: {error.strerror}" if error.filename else f"{error.strerror or error}")
        except (MemoryError, FloatingPointError) as error:
            _stop(str(error) or "not enough memory")
        return None


def _stop(message: str) -> None:
    """One line on stderr, exit status 2."""
    click.echo(f"refgen: error: {' '.join(message.split())}", err=True)
    sys.exit(2)


@click.group(
    cls=_Refgen, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDTH}
)
@click.version_option(__version__, prog_name="refgen")
def main() -> None:
    """The executable reference for generative models.

    Every formula in plain NumPy, derived a second way by machine; every model on 2-D distributions whose
    exact answer is known. Start with:  refgen demo

    \b
    check an equation      refgen verify POST-5        refgen equations "posterior mean"
    see what was wrong     refgen misprints ERR-3
    check your own         refgen verify --formula POST-5/mean=yours.py:posterior_mean
    run a toy experiment   refgen train ddpm --data moons
    see a lecture's claim  refgen reproduce
    """


def _register() -> None:
    from refgen.commands import (
        cards,
        compare,
        demo,
        doctor,
        evaluating,
        listings,
        pictures,
        reproduce,
        runs,
        sampling,
    )

    for command in (
        cards.verify,
        cards.equations,
        cards.misprints,
        runs.train,
        sampling.sample,
        evaluating.evaluate,
        compare.compare,
        pictures.plot,
        pictures.animate,
        reproduce.reproduce,
        demo.demo,
        listings.models,
        listings.datasets,
        listings.samplers,
        doctor.doctor,
    ):
        main.add_command(command)


_register()
