"""The clock file's stub in a new process of `multiprocessing`."""

from clock.timetable.clock_file.loading.loader import names_again

globals().update(names_again())
