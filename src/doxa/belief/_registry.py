"""What inspect_ai finds under its entry point `doxa`: importing this registers the tasks and the provider."""

from doxa.belief.agentic.task import AGENTIC_TASKS
from doxa.belief.monitor_task import VALUE_TASKS
from doxa.belief.tasks import TASKS
from doxa.lm.inspect_provider import doxa

__all__ = ["AGENTIC_TASKS", "TASKS", "VALUE_TASKS", "doxa"]
