"""Matrices by themselves: factored, cut to a rank, measured, and their control."""
