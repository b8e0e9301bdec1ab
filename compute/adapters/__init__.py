"""What is learned beside a frozen model: LoRA and the rest of the menu, their files, mixes and merges."""
