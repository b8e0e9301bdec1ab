"""The mini-model: in torch, in plain NumPy, on disk, in few bits, and what it writes."""
