"""What things cost, as ratios within one run: `python -m bench`. docs/benchmarks.md says what each number means."""
