"""Training of the sacroiliac grader on phantoms; others use ``grading.train``."""
