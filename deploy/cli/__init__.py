"""The `tenure` command. `app` lists the commands; each imports what it needs when it is called."""


def main() -> None:
    """Entry point of the `tenure` script."""
    from deploy.cli.app import main as run  # noqa: PLC0415 - endpoints.py is imported by what needs no command line

    run()


__all__ = ["main"]
