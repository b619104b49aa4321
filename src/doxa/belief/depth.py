"""The depth profile: every probe of every axis, under every arm, kept as rows from which all numbers follow.

Each finished part (one arm, one kind of probe) is a file of its own under depth/parts/, named by a digest of everything
that decides it: the weights, the prompts word for word, the settings. A profile that was killed goes on from there, one
that is run again with another judge or one more probe measures nothing twice, and an edited item is asked anew.
"""

from __future__ import annotations

import time

from doxa.belief.depth_asked import ask_ahead, asked_parts
from doxa.belief.depth_job import LED, DepthJob, DepthRows, Loaded, led
from doxa.belief.depth_parts import Part, parts_of
from doxa.belief.free import text_measures
from doxa.belief.subjects import Subject
from doxa.errors import ConfigError

__all__ = ["DepthJob", "DepthRows", "measure_depth"]


def measure_depth(job: DepthJob) -> DepthRows:
    """Measure every part that is not there yet and return the rows of all.

    Raises ConfigError where conversations are asked for that nothing could read, or an auditor who is never heard.
    """
    _refuse_unread(job)
    rows = DepthRows()
    loaded = Loaded(job)
    ask_ahead(job)
    counts = [len(_parts(job, subject)) for subject in job.subjects]
    # the parts of an arm take from a second to minutes, and those of the next arm take about the same
    with job.progress.bar("depth", sum(counts), settled=max(counts, default=0)) as bar:
        for subject in job.subjects:
            with loaded.lent(subject):
                for name, measure in _parts(job, subject).items():
                    started = time.monotonic()
                    measured = measure(job, subject, loaded, rows)
                    if measured:
                        rows.seconds[f"{subject.arm} {name}"] = round(time.monotonic() - started, 2)
                    (bar.advance if measured else bar.skip)(arm=subject.arm, part=name)
    rows.measures += text_measures(rows.answers, job.world, job.doctag)
    rows.readouts += [row.model_copy(update={"style": "all"}) for row in rows.readouts if row.group == "capability"]
    return rows


def _parts(job: DepthJob, subject: Subject) -> dict[str, Part]:
    return asked_parts(job, subject) if subject.weights is None else parts_of(job, subject)


def _refuse_unread(job: DepthJob) -> None:
    talked = {probe for subject in job.subjects for probe in led(job, subject)}
    if job.config.conversations is True and not talked and set(LED) & set(job.probes):
        raise ConfigError(
            "depth.conversations: nothing could read what they come to; name a judge with --judge, or write marks into "
            "the target's evals.json (they read debate and pushback)"
        )
    if job.config.auditor is not None and "debate" in job.probes and "debate" not in talked:
        raise ConfigError(
            "depth.auditor: argues in debates, and none is led; name a judge with --judge, or set "
            "depth.conversations=true"
        )
