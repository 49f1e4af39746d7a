"""Alerts written to files, in forms that other programs read."""
