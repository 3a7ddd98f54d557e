"""Measurements, each beside its reference in the same run: what the same job costs with nothing around it.

The servers are the sandbox's own. Imports are not counted: a controller is timed from the line in its log
that says that it has started, and by that log alone, so that measuring does not disturb; what is measured
within a process is measured in one of its own. Processor time and memory are read from /proc, so this runs
on Linux alone. With `--quick`, everything is a fiftieth as large: enough to see that a measurement works, and
no measurement.
"""
