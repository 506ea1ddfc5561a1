"""The lumbar phantom: T8 to the sacrum, with its wear."""
