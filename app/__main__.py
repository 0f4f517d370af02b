"""`python -m app` and the frozen binary: the `personalize` command."""

from app.cli import main

if __name__ == "__main__":
    main()
