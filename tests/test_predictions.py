"""Predictions in tables: which columns are read, what is refused, and how several are brought together."""

import json
from collections.abc import Callable
from itertools import permutations
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gevaldi
from gevaldi.classifiers import load_classifier
from gevaldi.errors import DataError, GevaldiError, SpecError, UnknownName
from gevaldi.predictions.base import NO_ANSWER
from gevaldi.predictions.matching import places_among
from gevaldi.predictions.pool import load_pool
from gevaldi.predictions.ranking import digest_of_ids, most_probable
from gevaldi.predictions.table import load_table
from gevaldi.verdicts.labels import known_ids

NAMES = ["cat", "dog", "horse"]
IDS = ["007", "a/b.png", "ü, v.png", "8"]
ANSWERS = ["dog", "cat", "dog", "horse"]
P = np.array([[0.2, 0.7, 0.1], [0.5, 0.25, 0.25], [0.1, 0.6, 0.3], [0.0, 0.0, 1.0]])


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"id": IDS, **columns})


def as_csv(table: pd.DataFrame, folder: Path) -> Path:
    table.to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


def as_tsv(table: pd.DataFrame, folder: Path) -> Path:
    table.to_csv(folder / "t.tsv", index=False, sep="\t")
    return folder / "t.tsv"


def as_parquet(table: pd.DataFrame, folder: Path) -> Path:
    table.to_parquet(folder / "t.parquet")
    return folder / "t.parquet"


def as_lines(table: pd.DataFrame, folder: Path) -> Path:
    table.to_json(folder / "t.jsonl", orient="records", lines=True)
    return folder / "t.jsonl"


FORMS = [as_csv, as_tsv, as_parquet, as_lines]
Write = Callable[[pd.DataFrame, Path], Path]


def read(path: Path, options: str = "") -> Any:
    return load_table(f'table:"{path}"{options}')


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(GevaldiError) as caught:
        call()
    return str(caught.value)


def answers(found: Any) -> list[str | None]:
    return [found.classes[i].name if i >= 0 else None for i in found.top[:, 0]]


@pytest.mark.parametrize("write", FORMS)
@pytest.mark.parametrize("column", ["class", "Label", "prediction", "Predicted Class"])
def test_a_column_of_names_is_read_as_pandas_wrote_it(tmp_path: Path, write: Write, column: str) -> None:
    found = read(write(frame(**{column: ANSWERS}), tmp_path))
    assert (found.ids.to_pylist(), answers(found), found.probability) == (IDS, ANSWERS, None)
    assert [label.name for label in found.classes] == NAMES


@pytest.mark.parametrize("write", FORMS)
def test_columns_of_probabilities_are_ranked_as_numpy_ranks_them(tmp_path: Path, write: Write) -> None:
    found = read(write(frame(**{name: P[:, i] for i, name in enumerate(NAMES)}), tmp_path))
    order = np.argsort(-P, axis=1, kind="stable")
    assert np.array_equal(found.top, order)
    assert np.allclose(found.probability, np.take_along_axis(P, order, 1))
    assert [label.name for label in found.classes] == NAMES


@pytest.mark.parametrize("write", FORMS)
def test_classes_by_rank_are_read_with_their_probabilities(tmp_path: Path, write: Write) -> None:
    second = ["cat", "dog", "horse", "cat"]
    table = frame(top1=ANSWERS, top2=second, probability1=[0.7, 0.5, 0.6, 1.0], probability2=[0.2, 0.25, 0.3, 0.0])
    found = read(write(table, tmp_path))
    assert answers(found) == ANSWERS
    assert [found.classes[i].name for i in found.top[:, 1]] == second
    assert np.allclose(found.probability[:, 1], [0.2, 0.25, 0.3, 0.0])


@pytest.mark.parametrize("write", FORMS)
def test_numbers_are_places_in_the_classes_that_are_named(tmp_path: Path, write: Write) -> None:
    (tmp_path / "names.txt").write_text("cat\ndog\nhorse\n")
    path = write(frame(**{"class": [1, 0, 1, 2]}), tmp_path)
    assert answers(read(path, f",classes={tmp_path}/names.txt")) == ANSWERS
    assert answers(read(path, ',classes=["cat","dog","horse"]')) == ANSWERS
    assert answers(read(path, ",classes=[cat, dog, horse]")) == ANSWERS
    assert answers(read(path)) == ["1", "0", "1", "2"]


@pytest.mark.parametrize("write", [as_csv, as_parquet, as_lines])
def test_a_row_without_a_class_or_probabilities_has_no_answer(tmp_path: Path, write: Write) -> None:
    found = read(write(frame(**{"class": ["dog", None, "dog", "horse"]}), tmp_path))
    assert answers(found) == ["dog", None, "dog", "horse"]
    table = frame(**{name: P[:, i] for i, name in enumerate(NAMES)})
    table.loc[1, NAMES] = None
    found = read(write(table, tmp_path))
    assert found.top[1].tolist() == [NO_ANSWER] * 3
    assert answers(found) == ["dog", None, "dog", "horse"]


def test_numbers_that_pandas_made_floats_because_one_is_missing_are_whole_numbers(tmp_path: Path) -> None:
    found = read(as_parquet(frame(**{"class": [3.0, None, 12.0, 3.0]}), tmp_path))
    assert answers(found) == ["3", None, "12", "3"]


def test_classes_that_are_called_na_or_null_are_names(tmp_path: Path) -> None:
    found = read(as_csv(frame(**{"class": ["NA", "null", "nan", "NA"]}), tmp_path))
    assert answers(found) == ["NA", "null", "nan", "NA"]


def test_wordnet_ids_as_classes_are_ids(tmp_path: Path) -> None:
    found = read(as_csv(frame(**{"class": ["n01440764"] * 4}), tmp_path))
    assert found.classes[0].id == "n01440764"


@pytest.mark.parametrize("kind", ["U", "S"])
def test_an_npz_file_is_read_as_numpy_wrote_it(tmp_path: Path, kind: str) -> None:
    ids = np.array(["a", "b", "c", "d"]).astype(kind)
    np.savez(tmp_path / "p.npz", ids=ids, probabilities=P.astype(np.float32), classes=np.array(NAMES))
    np.savez_compressed(tmp_path / "c.npz", ids=ids, classes=np.array(ANSWERS))
    np.savez(tmp_path / "n.npz", ids=np.arange(4), classes=np.array([1, 0, 1, 2]))
    for name, options in (("p", ""), ("c", ""), ("n", ',classes=["cat","dog","horse"]')):
        assert answers(read(tmp_path / f"{name}.npz", options)) == ANSWERS


def test_a_parquet_column_of_lists_has_a_probability_for_each_class(tmp_path: Path) -> None:
    path = as_parquet(frame(probabilities=list(P)), tmp_path)
    assert answers(read(path, ',classes=["cat","dog","horse"]')) == ANSWERS
    assert "but classes= names 2" in refusal(lambda: read(path, ',classes=["cat","dog"]'))


@given(st.integers(1, 60), st.integers(1, 12), st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_the_most_probable_classes_are_those_of_a_stable_sort(classes: int, depth: int, seed: int, levels: int) -> None:
    p = np.random.default_rng(seed).integers(0, levels, (7, classes)) / 4
    top, values = most_probable(p, depth)
    order = np.argsort(-p, axis=1, kind="stable")[:, :depth]
    assert np.array_equal(top, order)
    assert np.array_equal(values, np.take_along_axis(p, order, 1).astype(np.float32))


def test_equal_ids_have_equal_digests_wherever_they_lie() -> None:
    ids = pa.array(["x", *IDS, "y"])[1:-1]
    assert digest_of_ids(ids) == digest_of_ids(pa.array(IDS)) != digest_of_ids(pa.array(["0", "07a", "/b.png", "8"]))


REFUSED = [
    ("id,class\n", "has no rows"),
    ("", "is empty"),
    (
        "id,class\na,cat\nb,dog\na,dog\na,cat\nb,dog\n",
        "different answers about 1 pictures: a. Keep one row of each. .1 rows contradict an earlier one; 2 only repeat one",
    ),
    ("id,cat,dog\na,0.4,0.6\na,0.3,0.7\n", "1 rows contradict an earlier one; 0 only repeat"),
    ("id,class\na,cat\n,dog\n", "Row 2 of .* does not say which picture"),
    ("id,class,label\na,cat,dog\n", "the columns class and label. Say which is predicted: class=COLUMN"),
    ("id,class\na\0,cat\n", "byte 10 is NUL. Save it as CSV in UTF-8"),
    ("id,cat,dog\na,0.5,0.5\nb,nan,1\n", "gives b the probability nan"),
    ("id,cat,dog\na,0.5,0.5\nb,-3,7\n", "gives b the probability -3; .*If the numbers are logits, take their softmax first"),
    ("id,cat,dog\na,0.5,0.5\nb,0.2,\n", "gives b the probability nan"),
    ("id,note,other\na,x,y\n", "not apparent which column of .* is the predicted class. .*It holds the columns id, note, other"),
    (
        "width,height\n3,4\n",
        "not apparent which column of .* names the pictures. Say it: id=COLUMN. It holds the columns width, height",
    ),
    ("id,class\na,cat,dog\n", "cannot be read: CSV parse error: Row #2: Expected 2 columns, got 3"),
    ("id,id,class\na,b,cat\n", "multiple columns named id"),
    ("id,class\na,\nb,\n", "names no class"),
    ("id,cat,dog\na,x,y\nb,z,w\n", "not apparent which column"),
]


def test_rows_that_repeat_an_earlier_one_count_once_and_are_counted_in_a_note(tmp_path: Path) -> None:
    once = "id,cat,dog\na,0.4,0.6\nb,0.3,0.7\nc,0.1,0.9\n"
    (tmp_path / "once.csv").write_text(once)
    (tmp_path / "repeats.csv").write_text(once + "b,0.3,0.7\na,0.4,0.6\nb,0.3,0.7\n")
    one, other = (read(tmp_path / f"{name}.csv") for name in ("once", "repeats"))
    assert (other.ids.to_pylist(), other.digest) == (one.ids.to_pylist(), one.digest)
    assert np.array_equal(other.probability, one.probability)
    pool = load_pool(None, [f"table:{tmp_path / 'once.csv'}", f"table:{tmp_path / 'repeats.csv'}"])
    assert [note for note in pool.notes if "3 rows of" in note and "each picture counts once" in note]


@pytest.mark.parametrize(("text", "words"), REFUSED, ids=[words[:30] for _, words in REFUSED])
def test_a_table_that_says_too_little_or_too_much_is_refused_in_a_sentence(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        read(tmp_path / "t.csv")


def test_columns_and_options_that_are_not_there_are_answered_with_those_that_are(tmp_path: Path) -> None:
    path = as_csv(frame(**{"class": ANSWERS}), tmp_path)
    assert "has no column 'picture', which id= names. It holds the columns id, class." in refusal(lambda: read(path, ",id=picture"))
    assert "has no column 'x', which class= names" in refusal(lambda: read(path, ",class=x"))
    assert "A table has no option shape. It takes id, class, classes, name and partial" in refusal(lambda: read(path, ",shape=3"))
    with pytest.raises(UnknownName, match="Did you mean 'house'"):
        read(path, ',classes=["cat","dog","house"]')


@pytest.mark.parametrize("suffix", ["csv", "parquet", "npz", "jsonl"])
def test_damaged_and_missing_tables_are_refused_by_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.{suffix}"
    with pytest.raises(DataError, match="There is no table"):
        read(path)
    writers = {"csv": as_csv, "parquet": as_parquet, "jsonl": as_lines}
    if suffix == "npz":
        np.savez(path, ids=np.arange(900), classes=np.arange(900) % 3)
    else:
        writers[suffix](frame(**{"class": ANSWERS}), tmp_path)
    whole = path.read_bytes()
    damaged = [whole[: len(whole) // 3] + b"\0\xff" * 9, b"\x80\x04\x95garbage", b"\xff\xfe\xff"]
    for content in damaged + [whole[: len(whole) // 2]] * (suffix != "csv"):
        path.write_bytes(content)
        with pytest.raises(GevaldiError) as caught:
            read(path)
        assert str(path) in str(caught.value)


def test_no_pickle_in_an_npz_file_is_loaded(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.write_text, (tmp_path / "canary", "it ran"))

    np.savez(tmp_path / "t.npz", ids=np.array([Bomb(), "b"], object), classes=np.array(["cat", "dog"]))
    assert "Save names as text: ids.astype(str)" in refusal(lambda: read(tmp_path / "t.npz"))
    assert not (tmp_path / "canary").exists()


def pool(*tables: str) -> Any:
    return load_pool(None, list(tables))


def two(folder: Path, first: pd.DataFrame, second: pd.DataFrame, options: str = "") -> Any:
    first.to_csv(folder / "first.csv", index=False)
    second.to_csv(folder / "second.csv", index=False)
    return pool(f"table:{folder}/first.csv", f"table:{folder}/second.csv{options}")


def test_tables_are_joined_by_id_whatever_their_order_and_their_classes_united(tmp_path: Path) -> None:
    first, second = frame(**{"class": ANSWERS}), frame(**{"class": ["ape", "cat", "dog", "dog"]})
    found = two(tmp_path, first, second.sample(frac=1, random_state=3))
    expected = first.merge(second, on="id")
    names = [label.name for label in found.classes]
    assert sorted(names) == ["ape", *NAMES]
    assert found.ids.to_pylist() == IDS
    for one, column in zip(found.predictions, ("class_x", "class_y"), strict=True):
        assert [names[i] for i in one.top[:, 0]] == expected[column].tolist()
    assert found.predictions[1].digest == two(tmp_path, first, second).predictions[1].digest
    assert (found.truth, found.pictures) == (None, None)


@pytest.mark.parametrize("windows", [0, 1])
def test_paths_of_windows_match_those_with_slashes(tmp_path: Path, windows: int) -> None:
    paths = ["night/1.png", "day/2.png", "day/3.png"]
    ids = [paths, [path.replace("/", "\\") for path in paths]]
    first = pd.DataFrame({"id": ids[windows], "class": NAMES})
    second = pd.DataFrame({"id": ids[1 - windows][::-1], "class": NAMES[::-1]})
    found = two(tmp_path, first, second)
    assert found.ids.to_pylist() == ids[windows]
    assert found.predictions[1].top.tolist() == found.predictions[0].top.tolist()
    assert known_ids(found, ids[1 - windows]) == dict(zip(ids[1 - windows], ids[windows], strict=True))


def ends(one: str, other: str) -> bool:
    """Whether one path is the end of the other, by pathlib."""
    short, long = sorted((PureWindowsPath("/" + one).parts[1:], PureWindowsPath("/" + other).parts[1:]), key=len)
    return long[len(long) - len(short) :] == short


PATHS = st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join), min_size=1, max_size=8, unique=True)


@given(PATHS, PATHS)
def test_pictures_are_matched_by_their_name_or_the_only_one_that_is_the_end_of_the_other(
    names: list[str], known: list[str]
) -> None:
    found = places_among(pa.array([name.replace("/", "\\") for name in names]), pa.array(known)).to_pylist()
    for name, place in zip(names, found, strict=True):
        fits = [name] if name in known else [one for one in known if ends(name, one)]
        assert (known[place] if place is not None else None) == (fits[0] if len(fits) == 1 else None)
    once = places_among(pa.array(names), pa.array(known), once=True).drop_null().to_pylist()
    assert len({*once}) == len(once)


def test_rows_are_matched_by_the_end_of_their_path_with_a_note(tmp_path: Path) -> None:
    first = pd.DataFrame({"id": ["/data/batch1/a.png", "/data/batch1/b.png"], "class": ["cat", "dog"]})
    second = pd.DataFrame({"id": ["b.png", "batch1\\a.png"], "class": ["cat", "dog"]})
    found = two(tmp_path, first, second)
    assert [answers(one) for one in found.predictions] == [["cat", "dog"], ["dog", "cat"]]
    assert found.notes == (
        f"2 rows of table:{tmp_path}/second.csv are matched to pictures by the end of their path, such as batch1\\a.png to "
        "/data/batch1/a.png.",
    )


@pytest.mark.parametrize("options", ["", ",partial=true"])
def test_tables_without_a_picture_in_common_are_refused_with_a_name_of_each(options: str, tmp_path: Path) -> None:
    said = refusal(lambda: two(tmp_path, frame(**{"class": ANSWERS}), frame(**{"class": ANSWERS}).replace("007", "7")[:1], options))
    assert (
        "second.csv and the first table have no picture in common: '7' is one there, and '007' is one of the first table." in said
    )
    assert "partial" not in said


def test_tables_that_are_all_partial_are_compared_on_all_their_pictures(tmp_path: Path) -> None:
    whole = frame(**{"class": ANSWERS})
    for stem, rows in (("first", whole[:3]), ("second", whole[1:])):
        rows.to_csv(tmp_path / f"{stem}.csv", index=False)
    names = [f"table:{tmp_path}/{stem}.csv" for stem in ("first", "second")]
    found = pool(*(f"{one},partial=true" for one in names))
    assert found.ids.to_pylist() == IDS
    assert [answers(one) for one in found.predictions] == [[*ANSWERS[:3], None], [None, *ANSWERS[1:]]]
    assert [f"1 of 4 pictures are missing in {one}, and count as no answer." for one in names] == [*found.notes[:2]]
    assert "write partial=true after each table" in refusal(lambda: pool(names[0], f"{names[1]},partial=true"))
    verdict = gevaldi.verdict(*(f"{one},partial=true" for one in names))
    assert f"are missing in {names[1]}" in Path(str(verdict.report(tmp_path / "v.html"))).read_text()


def test_rows_that_are_missing_are_refused_with_their_number_and_the_first_of_them(tmp_path: Path) -> None:
    whole = frame(**{"class": ANSWERS})
    few = whole[whole["id"] == "8"]
    assert "second.csv has no row for 3 pictures of the first table: 007, a/b.png, ü, v.png;" in refusal(
        lambda: two(tmp_path, whole, few)
    )
    assert "3 pictures of" in refusal(lambda: two(tmp_path, few, whole))
    assert f"write table:{tmp_path / 'second.csv'},partial=true: they count as no answer" in refusal(
        lambda: two(tmp_path, whole, few)
    )
    found = two(tmp_path, whole, few, options=",partial=true")
    assert found.predictions[1].top[:, 0].tolist() == [NO_ANSWER] * 3 + [found.predictions[0].top[3, 0]]
    assert "3 of 4 pictures are missing in" in found.notes[0]


def test_numbers_beside_names_are_refused_with_the_remedy(tmp_path: Path) -> None:
    named, numbered = frame(**{"class": ANSWERS}), frame(**{"class": [1, 0, 1, 2]})
    said = refusal(lambda: two(tmp_path, named, numbered))
    assert "second.csv numbers its classes (0, 1, 2) and" in said
    assert "Give the names in the order of the numbers: classes=FILE." in said
    found = two(tmp_path, named, numbered, options=',classes=["cat","dog","horse"]')
    assert np.array_equal(found.predictions[0].top, found.predictions[1].top)


@pytest.mark.parametrize(
    "content",
    [
        'picture,"cat; tabby; wild",dog\np.png,0.5,0.5\n',
        '"cat, tabby, wild"\tdog\tpicture\n0.5\t0.5\tp.png\n',
        "dog, wild;cat;picture\n0.5;0.5;p.png\n",
    ],
)
def test_columns_are_separated_by_what_stands_most_often_outside_quotes(content: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(content)
    assert len(read(tmp_path / "t.csv").classes) == 2


@pytest.mark.parametrize("separator", [";", ",", "\t"])
@pytest.mark.parametrize("columns", [{name: P[:, i] for i, name in enumerate(NAMES)}, {"class": ANSWERS, "p": P.max(1)}])
def test_decimal_commas_are_read_as_points_are(columns: dict[str, Any], separator: str, tmp_path: Path) -> None:
    for stem, decimal in (("comma", ","), ("point", ".")):
        frame(**columns).rename(columns={"p": "probability"}).to_csv(
            tmp_path / f"{stem}.csv", index=False, sep=separator, decimal=decimal
        )
    comma, point = (read(tmp_path / f"{stem}.csv") for stem in ("comma", "point"))
    assert "0,7" in (tmp_path / "comma.csv").read_text()
    assert np.array_equal(comma.top, point.top)
    assert np.array_equal(comma.probability, point.probability)


def test_a_name_among_numbers_is_a_class_like_these(tmp_path: Path) -> None:
    found = two(tmp_path, frame(**{"class": [1, 0, 1, 2]}), frame(**{"class": ["1", "unknown", "1", "2"]}))
    assert [label.name for label in found.classes] == ["0", "1", "2", "unknown"]


def test_tables_without_a_class_in_common_are_refused(tmp_path: Path) -> None:
    said = refusal(lambda: two(tmp_path, frame(**{"class": ANSWERS}), frame(**{"class": ["Katze", "Hund"] * 2})))
    assert "have no class in common: cat, dog, horse; Hund, Katze." in said


def test_names_that_differ_only_in_case_or_spaces_are_one_class_where_each_side_has_one(tmp_path: Path) -> None:
    found = two(
        tmp_path, frame(**{"class": ["cat", "Big dog", "owl", "eel"]}), frame(**{"class": ["cat", " big  Dog", "owl", "eel"]})
    )
    assert np.array_equal(found.predictions[0].top, found.predictions[1].top)
    assert found.notes == (
        f"1 classes of table:{tmp_path}/second.csv are matched without regard to case and spaces: ' big  Dog' is 'Big dog'.",
    )
    found = two(
        tmp_path, frame(**{"class": ["cat", "Polish", "polish", "eel"]}), frame(**{"class": ["cat", "POLISH", "eel", "eel"]})
    )
    assert len(found.classes) == 5  # nothing says which of the two it is
    assert f"second.csv never predicts 2 classes of table:{tmp_path}/first.csv: Polish, polish. If these are" in found.notes[1]


def test_ids_and_names_mean_the_same_class_where_one_side_has_both(tmp_path: Path) -> None:
    (tmp_path / "both.txt").write_text("n01440764\ttench\nn01443537\tgoldfish\n")
    first, second, third = tmp_path / "1.csv", tmp_path / "2.csv", tmp_path / "3.csv"
    pd.DataFrame({"id": ["a", "b"], "class": [0, 1]}).to_csv(first, index=False)
    pd.DataFrame({"id": ["a", "b"], "class": ["tench", "goldfish"]}).to_csv(second, index=False)
    pd.DataFrame({"id": ["a", "b"], "class": ["n01440764", "n01443537"]}).to_csv(third, index=False)
    for order in permutations([first, second, third]):
        found = pool(*(f"table:{path}" + f",classes={tmp_path}/both.txt" * (path == first) for path in order))
        assert {label.id for label in found.classes} == {"n01440764", "n01443537"}
        assert all(np.array_equal(one.top, found.predictions[0].top) for one in found.predictions)


def test_two_classes_of_one_name_are_not_matched_by_another_spelling(tmp_path: Path) -> None:
    (tmp_path / "cranes.txt").write_text("n02012849\tcrane\nn03126707\tcrane\nn01440764\ttench\n")
    first, second = frame(**{"class": [0, 1, 2, 2]}), frame(**{"class": ["Crane", "Crane", "tench", "tench"]})
    first.to_csv(tmp_path / "first.csv", index=False)
    second.to_csv(tmp_path / "second.csv", index=False)
    found = pool(f"table:{tmp_path}/first.csv,classes={tmp_path}/cranes.txt", f"table:{tmp_path}/second.csv")
    assert [label.name for label in found.classes] == ["crane", "crane", "tench", "Crane"]


def test_a_table_is_no_classifier_to_search_with_and_says_who_takes_it(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"holds predictions, which have no gradients, .* `gevaldi verdict` takes it"):
        gevaldi.compare("table:x.csv", "bundled:mnist-strided", "bundled:mnist-vae", out=tmp_path / "run")
    with pytest.raises(SpecError, match="no gradients"):
        load_classifier("ensemble:table:x.csv+table:y.csv")


def test_a_network_without_pictures_is_asked_for_a_pool() -> None:
    assert "name the pool, such as --pool folder:DIR" in refusal(lambda: pool("bundled:mnist-strided"))


def test_files_without_a_source_are_answered_with_how_to_write_them() -> None:
    assert (
        "acme.csv and bolt.csv are no classifier's name. For a file of predictions, write table:acme.csv table:bolt.csv"
        in refusal(lambda: pool("acme.csv", "bolt.csv"))
    )


def test_a_table_records_its_file_and_its_hash(tmp_path: Path) -> None:
    from hashlib import sha256

    path = as_csv(frame(**{"class": ANSWERS}), tmp_path)
    found = read(path, ",name=API of March")
    assert (found.name, found.source["files"]) == ("API of March", {str(path): sha256(path.read_bytes()).hexdigest()})
    assert json.dumps(found.source)


def test_a_parquet_file_of_many_row_groups_is_read_in_their_order(tmp_path: Path) -> None:
    table = pa.table({"id": [str(i) for i in range(1000)], "class": ["cat", "dog"] * 500})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=64)
    assert answers(read(tmp_path / "t.parquet")) == ["cat", "dog"] * 500


def test_a_classifier_of_ones_own_is_called_by_its_name_and_by_its_source_where_two_have_one_name(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(
        "import gevaldi, torch\n"
        "def load(seed, name):\n"
        "    torch.manual_seed(seed)\n"
        "    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))\n"
        "    return gevaldi.classifier(net, labels=10, name=name)\n"
    )
    one, other, same = (
        f"python:{tmp_path}/m.py:load,seed={seed},name={name}" for seed, name in ((0, "old"), (1, "new"), (2, "old"))
    )
    names = [
        [p.name for p in load_pool("bundled:mnist-digits", some, folder=tmp_path / "stored").predictions]
        for some in ([one, other], [one, other], [one, other, same])
    ]
    assert names == [["old", "new"], ["old", "new"], [one, "new", same]]


def test_a_mean_that_one_of_two_networks_lacks_is_named(tmp_path: Path) -> None:
    torch.manual_seed(0)
    nets = [torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10)).eval() for _ in range(3)]
    first, other = (
        gevaldi.classifier(net, labels=10, mean=[0.5], std=[0.5], name=name).eval()
        for net, name in zip(nets[:2], "ab", strict=True)
    )
    bare = gevaldi.classifier(nets[2], labels=10, name="c").eval()
    notes = [load_pool("bundled:mnist-digits", pair, folder=tmp_path).notes for pair in ((first, bare), (first, other))]
    assert "for a, subtract the mean 0.5 and divide by the standard deviation 0.5; for c, nothing" in " ".join(notes[0])
    assert not any("shown different pictures" in note for note in notes[1])
