"""The tasks of ``spinescribe evaluate``, one file each: from two paths to one ``Evaluation``."""
