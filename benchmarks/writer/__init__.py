"""The report writer, measured: ``python -m benchmarks.writer`` runs all parts, ``-m benchmarks.writer.<part>``
one.

``channels`` what it reads (parts taken away), ``captions`` CIDEr against references in four styles, beside
baselines, ``consistency`` what agreement of sampled drafts tells, ``speed`` time and memory, ``showcase`` five
real studies to look at.
"""
