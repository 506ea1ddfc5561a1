"""What leaves: a report or a draft in every format, each file marked with the state of the report."""
