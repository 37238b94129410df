"""Stands for the clock file in a process that `multiprocessing` has started anew."""

from clock.timetable.clock_file.loading.own_module import names_again

globals().update(names_again())
