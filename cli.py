"""`python cli.py ...` from a clone is the installed `refgen` command."""

from refgen.cli import main

if __name__ == "__main__":
    main()
