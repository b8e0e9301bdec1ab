"""A training run: what is asked for, the loop, its first steps watched closely, and what a reader sees of it."""
