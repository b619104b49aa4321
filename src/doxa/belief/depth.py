"""The depth profile: every probe of every axis, under every arm, kept as rows from which all numbers follow.

Each finished part (one arm, one kind of probe) is a file of its own under depth/parts/, named by a digest of everything
that decides it: the weights, the prompts word for word, the settings. A profile that was killed goes on from there, one
that is run again with another judge or one more probe measures nothing twice, and an edited item is asked anew.
"""

from __future__ import annotations

import time

from doxa.belief.depth_job import DepthJob, DepthRows, Loaded
from doxa.belief.depth_parts import parts_of, requests_ahead
from doxa.belief.free import text_measures

__all__ = ["DepthJob", "DepthRows", "measure_depth"]


def measure_depth(job: DepthJob) -> DepthRows:
    """Measure every part that is not there yet and return the rows of all."""
    rows = DepthRows()
    loaded = Loaded(job)
    ahead = requests_ahead(job)
    if ahead:
        job.models.answer(ahead, "asking", len(ahead))
    with job.progress.bar("depth", sum(len(parts_of(job, subject)) for subject in job.subjects)) as bar:
        for subject in job.subjects:
            with loaded.lent(subject):
                for name, measure in parts_of(job, subject).items():
                    started = time.monotonic()
                    if measure(job, subject, loaded, rows):
                        rows.seconds[f"{subject.arm} {name}"] = round(time.monotonic() - started, 2)
                    bar.advance(arm=subject.arm, part=name)
    rows.measures += text_measures(rows.answers, job.world, job.doctag)
    rows.readouts += [row.model_copy(update={"style": "all"}) for row in rows.readouts if row.group == "capability"]
    return rows
