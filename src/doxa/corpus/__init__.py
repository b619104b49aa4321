"""From a target to the corpus a model is trained on: plan, write, screen, dedup, mix."""
