"""What was recorded: one file an experiment."""
