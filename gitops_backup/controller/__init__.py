"""The controller: three reconcilers, each with its queue, and the manager that wires, starts and stops them.

A reconciler takes a key, looks at the state as it is now, and does the one next thing. What it did shows in
the objects, and their watch events wake whoever waits: steps do not call each other. Killed anywhere, the
same step is taken again, and taking it twice does no harm.
"""
