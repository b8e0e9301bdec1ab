"""Instruments: one figure per pair of files, name.py and name.js, that a lesson places and a reader plays with."""
