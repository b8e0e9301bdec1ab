"""One file an experiment: its plan, its record, how it is made and how it is read."""
