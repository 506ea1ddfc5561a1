"""Jobs: a queue that hands out ids, the table that is the truth, and the worker that reads.

``queue`` carries ids, ``claim`` gives a job to one worker for a while, ``sweep`` gives out again what was lost,
``worker`` loops, ``attempt`` watches one reading, ``process`` and ``child`` are the two ends of the process that
reads, ``finish`` writes what came of it.
"""
