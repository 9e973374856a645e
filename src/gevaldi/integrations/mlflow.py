"""MLflow: numbers as metrics, what they rest on as tags, the page, the record and pictures as artefacts."""

from gevaldi.integrations.contents import GROUP, check_installed
from gevaldi.integrations.results import Source, contents_of


def log(source: Source, *, step: int | None = None) -> str:
    """Log a result to the active run of MLflow, or to a new one, which is then active; returns the run's id.

    Metrics are called gevaldi/accuracy/difference, gevaldi/accuracy/difference_low, gevaldi/accuracy/difference_high and so on;
    artefacts lie in the folder gevaldi. Another call in the same run replaces tags and artefacts, and adds to the metrics.

    Args:
        source: a verdict, a comparison, regions, or the folder of one.
        step: of the metrics, such as the epoch of the new classifier.

    Raises:
        MissingExtra: MLflow is not installed.
        GevaldiError: the result cannot be read.
    """
    check_installed("mlflow")
    import mlflow

    contents = contents_of(source)
    run = mlflow.active_run() or mlflow.start_run()
    mlflow.log_metrics(contents.numbers(), step=step)
    mlflow.set_tags({f"{GROUP}.{name}": text for name, text in contents.facts.items()})
    for name, text in {**contents.files, "summary.md": contents.markdown()}.items():
        mlflow.log_text(text, f"{GROUP}/{name}")
    for picture in contents.pictures:
        mlflow.log_image(picture.image, artifact_file=f"{GROUP}/pictures/{picture.name}.png")
    mlflow.log_dict({picture.name: picture.caption for picture in contents.pictures}, f"{GROUP}/pictures/captions.json")
    return str(run.info.run_id)
