"""Comparisons of arms: statistics with intervals."""
