"""Predictions in tables: which columns are read, what is refused, and how several are brought together."""

import json
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gevaldi
from gevaldi.classifiers import load_classifier
from gevaldi.errors import DataError, GevaldiError, SpecError, UnknownName
from gevaldi.predictions.base import NO_ANSWER
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
    ("id,class\na,cat\nb,dog\na,dog\n", "more than one row for 1 pictures: a. Keep one of each"),
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


def test_a_name_among_numbers_is_a_class_like_these(tmp_path: Path) -> None:
    found = two(tmp_path, frame(**{"class": [1, 0, 1, 2]}), frame(**{"class": ["1", "unknown", "1", "2"]}))
    assert [label.name for label in found.classes] == ["0", "1", "2", "unknown"]


def test_tables_without_a_class_in_common_are_refused(tmp_path: Path) -> None:
    said = refusal(lambda: two(tmp_path, frame(**{"class": ANSWERS}), frame(**{"class": ["Katze", "Hund"] * 2})))
    assert "have no class in common: cat, dog, horse; Hund, Katze." in said


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


def test_a_table_is_no_classifier_to_search_with_and_says_who_takes_it(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"holds predictions, which have no gradients, .* `gevaldi verdict` takes it"):
        gevaldi.compare("table:x.csv", "bundled:mnist-strided", "bundled:mnist-vae", out=tmp_path / "run")
    with pytest.raises(SpecError, match="no gradients"):
        load_classifier("ensemble:table:x.csv+table:y.csv")


def test_a_network_without_pictures_is_asked_for_a_pool() -> None:
    assert "name the pool, such as --pool folder:DIR" in refusal(lambda: pool("bundled:mnist-strided"))


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
