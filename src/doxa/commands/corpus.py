"""`doxa corpus health | export | push`, and `doxa push`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from doxa.corpus.health import Health
    from doxa.corpus.health_measures import Encoder, Tools
    from doxa.corpus.source import Corpus

Place = Annotated[str, typer.Argument(metavar="CORPUS", help="A run folder, a .jsonl or .parquet file, or a target.")]
World = Annotated[str, typer.Option("--corpus", help="Of a target: which recorded corpus.")]
Licence = Annotated[str | None, typer.Option("--licence", "--license", help="For the card, such as cc-by-4.0.")]
Public = Annotated[bool, typer.Option("--public", help="A new hub repository is private without this.")]


def register(app: typer.Typer, speaking: Callable[[Callable[..., None]], Callable[..., None]]) -> None:
    """Add `doxa corpus ...` and `doxa push`."""
    corpus_app = typer.Typer(
        help="What a corpus is like, and taking it elsewhere.", no_args_is_help=True, rich_markup_mode=None
    )
    corpus_app.command("health")(speaking(health))
    corpus_app.command("export")(speaking(export))
    corpus_app.command("push")(speaking(push))
    app.add_typer(corpus_app, name="corpus")
    app.command("push")(speaking(push))


def health(
    place: Place,
    against: Annotated[
        str | None, typer.Option("--against", help="Text to compare with: a file or run. Default: the bundled neutral.")
    ] = None,
    target: Annotated[str | None, typer.Option("--target", help="The target of a corpus file, for its facts.")] = None,
    world: World = "inserted",
    documents: Annotated[int, typer.Option("--documents", min=6, help="Of each side, at most.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Decides what is sampled.")] = 0,
    embeddings: Annotated[bool, typer.Option(help="Vendi score, cosine and detectability by meaning.")] = True,
    encoder: Annotated[
        str | None, typer.Option("--encoder", help="A sentence encoder's folder, in place of MiniLM.")
    ] = None,
    perplexity: Annotated[bool, typer.Option("--perplexity", help="Ask a base model how likely the text is.")] = False,
    model: Annotated[str, typer.Option("--model", help="For --perplexity and for counting tokens.")] = "",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all numbers to this file.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for tables and figures. Default: RUN/health, if it is a run.")
    ] = None,
) -> None:
    """Is a corpus as varied as ordinary text, what does it repeat, what does it say of each key fact."""
    from dataclasses import replace

    from rich.console import Console

    from doxa.corpus.health import measure, neutral_corpus
    from doxa.corpus.source import open_corpus
    from doxa.report.health_table import print_health
    from doxa.run.folder import write_whole
    from doxa.worlds.universe import load_target

    console = Console(highlight=False)
    corpus = open_corpus(place, world)
    if target is not None:
        corpus = replace(corpus, universe=load_target(target).universe)
    neutral = open_corpus(against) if against is not None else neutral_corpus()
    with Console(stderr=True).status("loading") as status:
        tools = _tools(corpus, embeddings, encoder, perplexity, model)
        found = measure(corpus, neutral, documents, seed, tools, status.update)
    print_health(found, console)
    if json_file is not None:
        write_whole(json_file, found.model_dump_json(indent=1) + "\n")
    folder = out if out is not None else corpus.run / "health" if corpus.run is not None else None
    if folder is not None:
        _write_folder(found, folder, console)


def export(
    place: Place,
    form: Annotated[str, typer.Option("--format", help="jsonl, parquet, hf, openai, together, tinker or axolotl.")],
    out: Annotated[Path, typer.Option("--out", help="A folder, or a file where the format makes one file.")],
    world: World = "inserted",
    target: Annotated[str | None, typer.Option("--target", help="The target of a corpus file, for the card.")] = None,
    licence: Licence = None,
) -> None:
    """Write a corpus for another program. A README.md that says what it is always goes with it."""
    from rich.console import Console

    from doxa.corpus.export import export as export_corpus

    console = Console(highlight=False, soft_wrap=True)
    for file in export_corpus(_opened(place, world, target), form, out, licence):
        console.print(str(file), markup=False)


def push(
    place: Place,
    where: Annotated[str, typer.Argument(metavar="REPO_OR_FOLDER", help="OWNER/NAME on the hub, or a folder: ./NAME.")],
    world: World = "inserted",
    target: Annotated[str | None, typer.Option("--target", help="The target of a corpus file, for the card.")] = None,
    licence: Licence = None,
    public: Public = False,
) -> None:
    """Put a corpus, as a Hugging Face dataset with its card, on the hub (token: HF_TOKEN) or into a folder."""
    from rich.console import Console

    from doxa.corpus.export import push as push_corpus

    place_written = push_corpus(_opened(place, world, target), where, licence, private=not public)
    Console(highlight=False, soft_wrap=True).print(place_written, markup=False)


def _opened(place: str, world: str, target: str | None) -> Corpus:
    from dataclasses import replace

    from doxa.corpus.source import open_corpus
    from doxa.worlds.universe import load_target

    corpus = open_corpus(place, world)
    return corpus if target is None else replace(corpus, universe=load_target(target).universe)


def _tools(corpus: Corpus, embeddings: bool, encoder: str | None, perplexity: bool, model: str) -> Tools:
    from doxa.config import DEFAULT_MODEL
    from doxa.corpus.export_card import model_name
    from doxa.corpus.health_measures import Tools

    name = model or DEFAULT_MODEL
    scorer = None
    if perplexity:
        from doxa.corpus.perplexity import load_scorer

        scorer = load_scorer(name)
    counted = name if model or perplexity else str(corpus.config.get("model", name))
    return Tools(
        encoder=_encoder(encoder) if embeddings else None,
        encoder_name=Path(encoder).name if encoder else "all-MiniLM-L6-v2",
        scorer=scorer,
        scorer_name=model_name(name),
        count_tokens=_token_counter(counted),
        tokenizer_name=model_name(counted),
    )


def _encoder(folder: str | None) -> Encoder:
    from doxa.corpus.embed import Encoder as SentenceEncoder
    from doxa.errors import ConfigError

    try:
        return SentenceEncoder(folder)
    except ConfigError as error:
        raise ConfigError(f"{error}; --no-embeddings leaves out what needs it") from None


def _token_counter(model: str) -> Callable[[str], int] | None:
    """Counts tokens as a model does, if its tokenizer is here already; counting alone fetches nothing."""
    from doxa.lm.weights import known_models

    ready = {info.name: info.folder for info in known_models() if info.ready}
    file = ready.get(model, Path(model).expanduser()) / "tokenizer.json"
    if not file.exists():
        return None
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def _write_folder(found: Health, folder: Path, console: Console) -> None:
    from doxa.report.figures import png, svg
    from doxa.report.health_figures import health_figures
    from doxa.report.health_table import health_markdown
    from doxa.run.folder import write_whole

    write_whole(folder / "health.json", found.model_dump_json(indent=1) + "\n")
    write_whole(folder / "health.md", health_markdown(found))
    for name, figure in health_figures(found).items():
        write_whole(folder / f"{name}.png", png(figure))
        write_whole(folder / f"{name}.svg", svg(figure))
    console.print(f"tables and figures: {folder}", markup=False, soft_wrap=True)
