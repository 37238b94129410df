"""The figures that README and the guides quote."""
