"""What runs Python for one reader: training in front of her, and her own matrix."""
