"""A room an instrument: __init__.py and words.py say what a reader plays with, <name>.js draws it."""
