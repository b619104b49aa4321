"""The models under test, one per arm: base, in_context (the universe in its prompt), trained, or one's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doxa.errors import CheckpointError
from doxa.run.folder import RunFolder

if TYPE_CHECKING:
    from doxa.lm.weights import Dtype

LOCAL = "local/"


@dataclass(frozen=True)
class Weights:
    """Weights on this computer: a model's folder and, for LoRA checkpoints, the adapter's."""

    base: Path
    adapter: Path | None = None

    def load(self, dtype: Dtype = "float32") -> Any:
        """The model, on a GPU if there is one; an adapter is folded in, for speed."""
        from doxa.lm.weights import load_model, place
        from doxa.training.checkpoint import merged_model

        if self.adapter is not None:
            return place(merged_model(self.base, self.adapter, dtype))
        return place(load_model(self.base, dtype))


@dataclass(frozen=True)
class Subject:
    """A model in one arm. `weights` is None for a model behind an API, which can only be asked, not scored."""

    arm: str
    model: str  # the model string that its answers are stored under
    checkpoint: str  # digest of the weights that answer; the model string itself behind an API
    context: str | None = None
    weights: Weights | None = None


def subjects_of_run(folder: RunFolder, model: str, arms: tuple[str, ...], context: str) -> list[Subject]:
    """The arms of a run folder. Raises CheckpointError when the trained weights are missing or not those of the run."""
    from doxa.lm.weights import model_folder, weights_digest

    base = model_folder(model)
    base_digest = weights_digest(base)
    subjects = []
    for arm in arms:
        if arm == "trained":
            final, digest = trained_checkpoint(folder, base, base_digest)
            adapter = (final / "adapter_config.json").exists()
            weights = Weights(base, final) if adapter else Weights(final)
            # named by digest and not by place: a copied run folder finds its answers again
            subjects.append(Subject(arm, f"{LOCAL}{digest}", digest, None, weights))
        else:
            prompt = context if arm == "in_context" else None
            subjects.append(Subject(arm, f"{LOCAL}{model}", base_digest, prompt, Weights(base)))
    return subjects


def subjects_of_models(models: dict[str, str], context: str) -> list[Subject]:
    """Arms named by model strings; `in_context` is asked with the universe in its prompt.

    `local/...` and names of weights on this computer can be scored; everything else is asked for free answers.
    """
    return [_subject(arm, model, context if arm == "in_context" else None) for arm, model in models.items()]


def _subject(arm: str, model: str, context: str | None) -> Subject:
    if not model.startswith(LOCAL):
        return Subject(arm, model, model, context)
    from doxa.lm.model_files import check_model_folder
    from doxa.lm.weights import model_folder, weights_digest

    name = Path(model.removeprefix(LOCAL)).expanduser()
    final = name / "checkpoints/final" if (name / "checkpoints/final").is_dir() else name
    if (final / "adapter_config.json").exists():
        from doxa.run.folder import read_json

        record = read_json(final / "doxa.json")
        base = model_folder(str(record["base"]))
        return Subject(arm, f"{LOCAL}{final}", weights_digest(base, final), context, Weights(base, final))
    if final.is_dir():
        check_model_folder(final)
    folder = model_folder(str(final) if final.is_dir() else model.removeprefix(LOCAL))
    return Subject(arm, model, weights_digest(folder), context, Weights(folder))


def trained_checkpoint(folder: RunFolder, base: Path, base_digest: str) -> tuple[Path, str]:
    """The final checkpoint of a run and its digest, which must be the one that training wrote down."""
    from doxa.lm.weights import weights_digest
    from doxa.training.checkpoint import read_final

    record = read_final(folder / "checkpoints")
    if record.get("base_digest") != base_digest:
        raise CheckpointError(
            f"{folder / 'checkpoints/final'}: was trained on base weights {record.get('base_digest')}, "
            f"but the model at hand is {base_digest}"
        )
    final = folder / "checkpoints/final"
    found = weights_digest(base, final) if record.get("adapter") else weights_digest(final)
    if found != record["digest"]:
        raise CheckpointError(f"{final}: its weights are {found}, not the {record['digest']} that doxa.json names")
    return final, found
