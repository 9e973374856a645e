"""The contents of a verdict, a comparison or regions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gevaldi.comparison import Comparison
from gevaldi.errors import RunFolderError, SpecError
from gevaldi.images import open_picture, stored_bytes
from gevaldi.integrations.contents import Contents, Metric, Picture, slug
from gevaldi.measures.evaluation import Evaluation
from gevaldi.measures.predictions import top
from gevaldi.measures.summary import Summary
from gevaldi.names import plain, told_apart
from gevaldi.regions.regions import Regions
from gevaldi.reports.answer import answer
from gevaldi.reports.page import render as page_of_run
from gevaldi.reports.sentences import probable_sentences
from gevaldi.runs.store.run import Run
from gevaldi.sounds.words import medium_of
from gevaldi.spec import write_spec
from gevaldi.statistics.intervals import Estimate
from gevaldi.statistics.paired import exact_share
from gevaldi.statistics.words import counted, interval
from gevaldi.storage import Location, is_there, location
from gevaldi.verdicts.assessment import Assessment
from gevaldi.verdicts.gate import claim_in_words
from gevaldi.verdicts.gate import rows as rows_of_verdict
from gevaldi.verdicts.page import answer_in_words, truth_in_words
from gevaldi.verdicts.page import render as page_of_verdict
from gevaldi.verdicts.pictures import picture_of
from gevaldi.verdicts.record import FILE, as_json
from gevaldi.verdicts.sentences import sentences, short_names
from gevaldi.verdicts.start import open_verdict

Source = Comparison | Assessment | Regions | str | Location

SHOWN = 8  # pictures of each kind
SHARES = {
    "differ_start": "samples on which the two differ before the search",
    "differ_end": "samples on which the two differ after the search",
    "differ_by_chance": "samples on which the two differ as far away, in random directions",
    "survives_storage": "samples whose classes are the same on the stored picture",
    "probable": "starts with a most probable disagreement",
}
MEDIANS = {
    "divergence_start": "median divergence before the search",
    "divergence_end": "median divergence after the search",
    "delta_z": "median distance of the search, relative to the latent",
    "typicality": "median typicality of samples",
}
IN_TABLES = ("differ_start", "differ_end", "probable", "divergence_end")
REGION = {
    "mass": "of what the generator draws",
    "share": "of all disagreements",
    "rate": "of the pictures like these",
}
COLUMNS = ["index", *(f"{key}_{stage}" for key in ("picture", "first", "second") for stage in ("end", "probable"))]


def contents_of(source: Source) -> Contents:
    """The contents of a verdict, a comparison, regions, or the folder of one.

    Raises:
        SpecError: the source is something else.
        RunFolderError: the folder holds none of them, or cannot be read.
        GevaldiError: classifiers or pool of a verdict cannot be loaded again.
    """
    if isinstance(source, str | Location):
        source = _read(location(source))
    if isinstance(source, Assessment):
        return _of_verdict(source)
    if isinstance(source, Comparison):
        return _of_run(source.run)
    if isinstance(source, Regions):
        return _of_run(Run.open(source.folder))
    raise SpecError(f"{type(source).__name__} was given; a verdict, a comparison, regions or the folder of one was expected.")


def _read(folder: Location) -> Comparison | Assessment:
    if is_there(folder / FILE) and isinstance(folder, Path):
        return open_verdict(folder)
    if is_there(folder / "run.json"):
        return Comparison.open(folder)
    raise RunFolderError(
        f"{folder} holds neither a verdict ({FILE}) nor a run (run.json). Give the folder that gevaldi verdict, compare or regions "
        "wrote."
    )


# a verdict


def _of_verdict(verdict: Assessment) -> Contents:
    names, settings = short_names(verdict), verdict.settings
    return Contents(
        title=" or ".join(names) if len(names) == 2 else f"The best of {len(names)}",
        model=names[1],
        facts={
            "claim": claim_in_words(verdict),
            "state": verdict.state,
            "classifiers": ", ".join(verdict.names),
            "pictures": f"{len(verdict.pool):,} of {verdict.pool.name}",
            "confidence": f"{settings.confidence:g}",
        },
        sentences=sentences(verdict),
        table=rows_of_verdict(verdict),
        metrics=list(_metrics_of_verdict(verdict)),
        pictures=list(_pictures_of_verdict(verdict)),
        files={"report.html": page_of_verdict(verdict), FILE: as_json(verdict)},
    )


def _metrics_of_verdict(verdict: Assessment) -> Iterator[Metric]:
    pool = verdict.pool.name
    yield Metric("pictures", len(verdict.pool), words="pictures")
    yield Metric("disputed", len(verdict.disputed), words=f"{verdict.pool.medium.real}s on which they can differ")
    yield Metric("labels", verdict.used, words="labels used")
    if len(verdict.names) > 2:
        ranking = verdict.ranking
        for place, i in enumerate(ranking.order, 1):
            name, (best, worst) = verdict.names[i], ranking.ranks[i]
            yield Metric(f"rank/{slug(name)}", place, best, worst, f"rank of {name}", pool)
        return
    first, second = short_names(verdict)
    for number, question in enumerate(verdict.questions):
        own, name = verdict.evidence[number, (0, 1)], slug(question.name)
        flips = own.flips()
        yield Metric.of(f"{name}/difference", own.difference(), f"{question.name}: {second} minus {first}", pool)
        yield Metric.of(
            f"{name}/worse",
            flips.negative,
            f"{verdict.pool.medium.real}s on which {second} is worse than {first} ({question.name})",
            pool,
        )
        yield Metric.of(
            f"{name}/better",
            flips.positive,
            f"{verdict.pool.medium.real}s on which {second} is better than {first} ({question.name})",
            pool,
        )


def _pictures_of_verdict(verdict: Assessment) -> Iterator[Picture]:
    """Labelled pictures on which the new classifier is worse, and better. Those to be labelled stay blind, and are not shown."""
    if len(verdict.names) > 2 or verdict.pool.pictures is None:
        return
    names, classes = short_names(verdict), verdict.pool.classes
    for kind, places in verdict.main.flipped().items():
        shown = places[:SHOWN]
        for number, (text, place) in enumerate(zip(verdict.ids_at(shown), shown.tolist(), strict=True), 1):
            answers = [answer_in_words(int(own.top[place, 0]), classes) for own in verdict.pool.predictions]
            shows = truth_in_words(verdict.truths[place], classes)
            said = ", ".join(f"{name} says {one}" for name, one in zip(names, answers, strict=True))
            if picture := picture_of(verdict.pool, place):
                yield Picture(f"{kind}/{number:02}", f"{plain(text)} shows {shows}: {said}", picture)


# a run


def _of_run(run: Run) -> Contents:
    from gevaldi.runs.near_duplicates import summary_of

    first, second = told_apart(*(run.record["models"][side]["name"] for side in ("first", "second")))
    names = {"first": first, "second": second}
    found, regions, own = summary_of(run), Regions.of(run), answer(run.record, names)
    measured = [*_of_evaluation(Evaluation.of(run.record), names), *_of_summaries(found), *_of_regions(regions)]
    return Contents(
        title=f"{first} and {second}",
        model=second,
        facts={
            "classifiers": f"{run.spec.first}, {run.spec.second}",
            "generator": run.spec.generator,
            "divergence": str(run.spec.divergence),
            "samples": f"{len(run.done()):,} of {run.total:,}",
            "fingerprint": run.spec.fingerprint,
        },
        sentences=[
            own.verdict,
            *own.reasons,
            *([f"The generator fails its audit. {own.trouble}"] if own.trouble else ()),
            *probable_sentences(found, medium_of(run.record)),
            *(regions.sentences if regions else ()),
        ],
        table=[row for _, row in measured if row],
        metrics=[metric for metric, _ in measured],
        pictures=[*_samples(run, names), *_pictures_of_regions(regions)],
        files={"report.html": page_of_run(run), "spec.yaml": write_spec(run.spec)},
    )


Measured = tuple[Metric, tuple[str, str, str] | None]
"""A number, and its row in words if tables show it."""


def _share(name: str, estimate: Estimate, words: str, real: str = "") -> Measured:
    return Metric.of(name, estimate, words, real), (words, counted(estimate), interval(estimate))


def _of_evaluation(found: Evaluation | None, names: dict[str, str]) -> Iterator[Measured]:
    if found is None:
        return
    yield _share("real/differ", found.disagreement, f"{found.medium.real}s of {found.name} on which the two differ", found.name)
    if not found.known:
        return
    for side, name in names.items():
        accuracy = exact_share(found.sides[side]["right"], found.known)
        yield _share(f"real/accuracy/{side}", accuracy, f"accuracy of {name} on {found.name}", found.name)
    gap = found.paired.difference()  # first minus second; here as in a verdict, the newer one minus the older one
    words = f"accuracy on {found.name}: {names['second']} minus {names['first']}"
    yield Metric.of("real/accuracy/difference", Estimate(-gap.value, -gap.high, -gap.low), words, found.name), None


def _of_summaries(found: list[Summary]) -> Iterator[Measured]:
    for summary in found:
        order = summary.order
        yield Metric(f"{order}/samples", summary.samples, words=f"samples, {order}"), None
        yield Metric(f"{order}/failed", summary.failed, words=f"failed samples, {order}"), None
        for name, words in SHARES.items():
            if (share := getattr(summary, name)) is not None and share.value == share.value:
                metric, row = _share(f"{order}/{name}", share, f"{words}, {order}")
                yield metric, row if name in IN_TABLES else None
        for name, words in MEDIANS.items():
            own: Estimate = getattr(summary, name)
            if own.value == own.value:
                row = (f"{words}, {order}", f"{own.value:.3g}", f"{own.low:.3g} to {own.high:.3g}")
                yield Metric.of(f"{order}/{name}", own, row[0]), row if name in IN_TABLES else None


def _of_regions(regions: Regions | None) -> Iterator[Measured]:
    if regions is None:
        return
    yield Metric.of("mass", _estimate(regions.record["mass"]), "of what the generator draws, the two differ on"), None
    for number, region in enumerate(regions.record["regions"][:SHOWN], 1):
        for key, words in REGION.items():
            metric = Metric.of(f"region_{number:02}/{key}", _estimate(region["drawn"][key]), f"{region['title']}: {words}")
            row = (metric.words, *_value_and_interval(region[f"{key}_words"]))
            yield metric, row if key != "rate" else None


def _estimate(own: dict[str, Any]) -> Estimate:
    value, low, high = (float("nan") if own[key] is None else own[key] for key in ("value", "low", "high"))
    return Estimate(value, low, high)


def _value_and_interval(words: str) -> tuple[str, str]:
    value, _, rest = words.partition(" (")
    return value, rest.removesuffix(")")


def _samples(run: Run, names: dict[str, str]) -> Iterator[Picture]:
    """The samples with the largest divergence: of each the most probable disagreement, if the run looked for it."""
    for number, row in enumerate(run.largest(SHOWN, COLUMNS), 1):
        stage = "probable" if row["picture_probable"] else "end"
        said = ", ".join(f"{name} says {(top(row, side, stage) or {'name': '–'})['name']}" for side, name in names.items())
        name = f"The picture of sample {row['index']}"
        yield Picture(
            f"samples/{number:02}",
            f"sample {row['index']}: {said}",
            open_picture(stored_bytes(row[f"picture_{stage}"], name), name),
        )


def _pictures_of_regions(regions: Regions | None) -> Iterator[Picture]:
    for number, region in enumerate(regions.record["regions"][:SHOWN] if regions else (), 1):
        assert regions
        shown = [*regions.pictures(number, "probable"), *regions.pictures(number)][:1]
        yield from (Picture(f"regions/{number:02}", f"region {number}: {region['title']}", one) for one in shown)
