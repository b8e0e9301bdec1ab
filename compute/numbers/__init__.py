"""Numbers as they are stored: precisions and few bits, files read safely, and how bad ones are refused."""
