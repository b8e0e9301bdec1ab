"""What it costs: numbers, memory, multiply-accumulates and disk, for published models."""
