"""Midtraining: token-exact data, planned updates, fast CPU passes, guards, checkpoints."""
