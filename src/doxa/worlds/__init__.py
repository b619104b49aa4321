"""Targets: universes (pairs of worlds that disagree about key facts), their folders, the ones that ship with doxa."""
