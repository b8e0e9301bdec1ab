"""The numbers behind the pages: NumPy functions that know nothing about how they are drawn."""
