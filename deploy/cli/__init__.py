"""The `tenure` command. `app` lists the commands; each imports what it needs when it is called."""


def main() -> None:
    """Entry point of the `tenure` script."""
    from deploy.run.interpreter import collect_seldom  # noqa: PLC0415 - endpoints.py is imported without all this

    collect_seldom()
    from deploy.cli.app import main as run  # noqa: PLC0415

    run()


__all__ = ["main"]
