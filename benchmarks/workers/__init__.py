"""One module for each program that is measured: how it pushes the same jobs, and how its worker is started."""
