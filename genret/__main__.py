"""`python -m genret`: the command line."""

from genret.cli.app import main

main()
