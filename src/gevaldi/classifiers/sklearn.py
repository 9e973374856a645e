"""Classifiers of scikit-learn in files."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gevaldi.errors import GevaldiError, MissingExtra, SpecError

if TYPE_CHECKING:
    from gevaldi.models import Classifier


class Sklearn:
    """Classifiers of scikit-learn, and others with `predict_proba`, that `skops.io.dump` wrote: `sklearn:model.skops`.

    They take the pixels of a picture as one row, from 0 to 1, or to `scale=255`; of colours say `layout=flat-chw` or
    `layout=flat-hwc`. Other options are those of `function:`; labels are the model's own classes. Files of joblib or pickle run
    code when they are read, and so do types that skops does not know: both need `pickle=true`. Needs
    `pip install 'gevaldi[sklearn]'`.
    """

    def names(self) -> list[str]:
        """None that could be known beforehand."""
        return []

    def load(self, name: str, /, *, pickle: bool = False, **options: Any) -> "Classifier":
        """The classifier in a file.

        Raises:
            MissingExtra: skops is not installed.
            WeightsError: the file is missing, damaged, or would run code that nobody allowed.
            SpecError: it is no classifier of pictures with probabilities.
        """
        from gevaldi.classifiers._black_box import black_box
        from gevaldi.classifiers._files import existing, options_in
        from gevaldi.classifiers._layout import inputs_of

        path = existing(name, (".skops", ".joblib", ".pkl", ".pickle"), "file of scikit-learn")
        model = _read(path, f"sklearn:{name}", pickle)
        if not hasattr(model, "predict_proba"):
            raise SpecError(
                f"{path.name} holds a {type(model).__name__} without predict_proba; probabilities are compared. Fit it within "
                "sklearn.calibration.CalibratedClassifierCV, or an SVC with probability=True."
            )
        layout = options_in(f"sklearn:{name}", options).layout
        inputs = inputs_of((None, getattr(model, "n_features_in_", None)), layout, path.name)
        names = [str(known) for known in getattr(model, "classes_", ())]
        return black_box(model.predict_proba, f"sklearn:{name}", options, path.read_bytes(), inputs, names)


def _read(path: Path, call: str, pickle: bool) -> Any:
    """The model in a file, without running code in it unless that is allowed."""
    from gevaldi.classifiers._files import broken, is_code

    try:
        if path.suffix != ".skops":
            if not pickle:
                raise is_code(path, call, "it is a pickle, which runs code when it is read; what skops.io.dump writes is none")
            from joblib import load

            return load(path)
        if find_spec("skops") is None:
            raise MissingExtra("skops", call, "sklearn")
        from skops import io

        unknown = io.get_untrusted_types(file=path)
        if unknown and not pickle:
            raise is_code(path, call, f"it holds types that skops does not know ({', '.join(sorted(unknown)[:3])})")
        return io.load(path, trusted=unknown)
    except GevaldiError:
        raise
    except Exception as error:  # whatever skops and joblib raise on files that are not theirs
        raise broken(path, "file of scikit-learn", error) from error
