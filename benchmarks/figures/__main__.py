"""`python -m benchmarks.figures`."""

from benchmarks.figures.quoting import main

if __name__ == "__main__":
    main()
