"""Adapters in the wild, of any format: read, see what is in them, shrink, convert, merge, compare. No torch."""
