"""Run the benchmarks of the shipped weights again and compare their figures with stored ones."""
