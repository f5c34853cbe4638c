"""`python -m facsimile`."""

from facsimile.cli import main

if __name__ == "__main__":
    main()
