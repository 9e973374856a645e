"""A section of a model card on the Hugging Face Hub."""

from typing import Any

from gevaldi.integrations.contents import Contents, Metric, slug
from gevaldi.integrations.results import Source, contents_of


def card(source: Source) -> str:
    """A section on a result, for the model card of the newer classifier, in Markdown.

    Numbers on real pictures also stand in front, as the model index that the Hub reads.

    Args:
        source: a verdict, a comparison, regions, or the folder of one.

    Raises:
        GevaldiError: the result cannot be read.
    """
    contents = contents_of(source)
    return _front(contents) + contents.markdown()


def _front(contents: Contents) -> str:
    """The metadata of the card between two lines of hyphens; nothing without numbers on real pictures."""
    import yaml

    if not (results := model_index(contents)):
        return ""
    return f"---\n{yaml.safe_dump(results, sort_keys=False, allow_unicode=True)}---\n\n"


def model_index(contents: Contents) -> dict[str, Any]:
    """The numbers on real pictures as `model-index`, which the Hub specifies; empty without any. The older one's are left out."""
    metrics = [one for one in contents.metrics if one.real and one.value == one.value and not one.name.endswith("/first")]
    results = [
        {
            "task": {"type": "image-classification"},
            "dataset": {"type": slug(real), "name": real},
            "metrics": [_entry(one) for one in metrics if one.real == real],
        }
        for real in dict.fromkeys(one.real for one in metrics)
    ]
    return {"model-index": [{"name": contents.model, "results": results}]} if results else {}


def _entry(metric: Metric) -> dict[str, Any]:
    kind = metric.name.removeprefix("real/").removesuffix("/second").replace("/", "_")  # accuracy, accuracy_difference
    own: dict[str, Any] = {"type": kind, "name": metric.words, "value": float(metric.value)}
    return own | ({"args": {"low": float(metric.low), "high": float(metric.high)}} if metric.low == metric.low else {})
