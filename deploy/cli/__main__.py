"""`python -m deploy.cli`: the `tenure` command, for those who start it with a Python of their own."""

from deploy.cli import main

main()
