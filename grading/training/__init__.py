"""Training of the grader on SPIDER's gradings; others use ``grading.train``."""
