"""Classifiers made of others: checked against integer arithmetic, closed forms and torch's own kernels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import gevaldi
from conftest import small_classifier
from gevaldi.alignment import Aligned
from gevaldi.calls import Call
from gevaldi.classifiers import load_classifier
from gevaldi.classifiers._preprocessing import Preprocessing
from gevaldi.errors import RunFolderError, SpecError, UnknownName
from gevaldi.generators import load_generator
from gevaldi.pictures import load_pictures
from gevaldi.quoting import split_unquoted
from gevaldi.wrappers.copies import in_half_precision, pruned, quantised, rounded_weights
from gevaldi.wrappers.predictions import Ensemble, Surrogate, Tempered

PAIR = "bundled:mnist-strided", "bundled:mnist-pooled"


def pictures(count: int = 5, size: int = 28, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 1, size, size, generator=torch.Generator().manual_seed(seed))


def gradient(classifier: gevaldi.Classifier, x: torch.Tensor) -> torch.Tensor:
    x = x.clone().requires_grad_()
    (found,) = torch.autograd.grad(classifier(x)[:, 1].sum(), x)
    return found


def test_an_ensemble_is_the_mean_of_its_members_probabilities() -> None:
    members = [load_classifier(name) for name in PAIR]
    x = pictures()
    expected = sum(member(x).exp() for member in members) / 2
    assert torch.allclose(Ensemble(members)(x).exp(), expected, atol=1e-6)
    assert torch.allclose(load_classifier("+".join(["ensemble:" + PAIR[0], PAIR[1]]))(x).exp(), expected, atol=1e-6)


def test_an_ensemble_of_one_twice_is_that_one() -> None:
    one = load_classifier(PAIR[0])
    assert torch.allclose(Ensemble([one, one])(pictures()), one(pictures()), atol=1e-6)


@given(temperature=st.floats(0.05, 20))
def test_tempering_divides_the_log_odds_and_keeps_the_top_class(temperature: float) -> None:
    one, x = small_classifier(), pictures(size=8)
    before, after = one(x), Tempered(one, temperature)(x)
    odds = (after[:, 0] - after[:, 1]) * temperature
    assert torch.allclose(odds, before[:, 0] - before[:, 1], atol=1e-4)
    assert torch.equal(after.argmax(-1), before.argmax(-1))
    assert torch.allclose(after.exp().sum(-1), torch.ones(len(x)), atol=1e-5)


def test_a_surrogate_says_what_the_first_says_and_has_the_gradients_of_the_second() -> None:
    class Step(gevaldi.Classifier):
        """Rounds its pictures, so that it has no gradient."""

        def __init__(self, inner: gevaldi.Classifier) -> None:
            super().__init__()
            self.inner, self.labels = inner, inner.labels
            self.eval()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner((x > 0.5).float()).detach()

    smooth, x = small_classifier(), pictures(size=8)
    lent = Surrogate(Step(smooth), smooth)
    assert torch.equal(lent(x), Step(smooth)(x))
    # The derivative of the divergence is that at what the first says; the derivative of the classifier is the second's.
    leaf = x.clone().requires_grad_()
    (ours,) = torch.autograd.grad((lent(leaf).exp() ** 2).sum(), leaf)
    leaf = x.clone().requires_grad_()
    said = Step(smooth)(x)
    (theirs,) = torch.autograd.grad((smooth(leaf) * 2 * said.exp() ** 2).sum(), leaf)
    assert torch.allclose(ours, theirs, atol=1e-6)
    assert "gradients are those of" in str(lent.note)


@pytest.mark.parametrize("bits", [8, 4])
def test_a_quantised_layer_computes_what_integer_arithmetic_does(bits: int) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 5, 3, padding=1)
    x = torch.randn(4, 3, 9, 9)
    made = quantised(gevaldi.classifier(nn.Sequential(layer, nn.Flatten()).eval(), labels=5 * 81), bits)
    ours = made.module[0](x).detach().numpy()  # type: ignore[union-attr, operator, index]
    weight, bias = layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()  # type: ignore[union-attr]
    levels, most = 2**bits - 1, 2 ** (bits - 1) - 1
    for sample, found in zip(x.double().numpy(), ours, strict=True):
        low, high = min(0.0, sample.min()), max(0.0, sample.max())
        step = (high - low) / levels
        zero = round(-low / step)
        whole = np.clip(np.rint(sample / step) + zero, 0, levels).astype(np.int64) - zero
        padded = np.pad(whole, ((0, 0), (1, 1), (1, 1)))
        for channel in range(5):
            scale = np.abs(weight[channel]).max() / most
            kernel = np.rint(weight[channel] / scale).astype(np.int64)
            sums = np.array([[(padded[:, i : i + 3, j : j + 3] * kernel).sum() for j in range(9)] for i in range(9)])
            # a value that lies halfway between two levels may go either way in single precision
            assert np.mean(np.abs(sums * scale * step + bias[channel] - found[channel]) < 1e-4) > 0.98


def test_a_quantised_layer_with_fixed_ranges_rounds_as_torch_does() -> None:
    torch.manual_seed(1)
    layer, x = nn.Linear(12, 7), torch.rand(32, 12) * 2 - 1
    made = quantised(gevaldi.classifier(nn.Sequential(nn.Flatten(), layer).eval(), 7), pictures=[x.view(32, 1, 3, 4)])
    inner = made.module[1]  # type: ignore[union-attr, index]
    scale = float((x.max() - x.min()) / 255)
    wide = torch.cat([x, 3 * x])  # beyond the range: clamped
    steps = torch.fake_quantize_per_tensor_affine(wide, scale, round(float(-x.min()) / scale), 0, 255)
    scales = layer.weight.detach().abs().amax(1) / 127
    weight = torch.fake_quantize_per_channel_affine(layer.weight.detach(), scales, torch.zeros(7, dtype=torch.int32), 0, -127, 127)
    difference = (inner(wide) - nn.functional.linear(steps, weight, layer.bias)).abs()
    assert difference.mean() < 1e-4
    assert difference.max() < scale  # where a value lies halfway between two levels


def test_a_quantised_copy_has_straight_through_gradients_and_says_so() -> None:
    one = load_classifier(PAIR[0])
    copy = quantised(one)
    x = pictures()
    assert not torch.equal(copy(x), one(x))
    assert (copy(x).exp() - one(x).exp()).abs().max() < 0.05
    straight, exact = gradient(copy, x).flatten(), gradient(one, x).flatten()
    assert torch.nn.functional.cosine_similarity(straight, exact, dim=0) > 0.95
    assert "straight through" in str(copy.note)


def test_fewer_bits_are_further_from_the_network() -> None:
    one, x = load_classifier(PAIR[0]), pictures(64)
    distances = [(quantised(one, bits)(x) - one(x)).abs().mean().item() for bits in (8, 6, 4, 2)]
    assert distances == sorted(distances)


def test_a_sample_in_a_quantised_network_does_not_depend_on_its_batch() -> None:
    copy, x = quantised(load_classifier(PAIR[0])), pictures(8)
    x[3] *= 0.01  # a range of its own
    assert torch.allclose(copy(x), torch.cat([copy(picture[None]) for picture in x]), atol=1e-4)


def test_copies_leave_the_classifier_as_it_was() -> None:
    one, x = load_classifier(PAIR[0]), pictures()
    before = one(x)
    quantised(one), pruned(one, 0.5), in_half_precision(one, torch.bfloat16)
    assert torch.equal(one(x), before)


@given(amount=st.floats(0.05, 0.95))
def test_pruning_leaves_the_largest_weights_and_no_others(amount: float) -> None:
    one = small_classifier()
    before, after = (
        torch.cat([m.weight.flatten() for m in made.modules() if isinstance(m, nn.Linear)]) for made in (one, pruned(one, amount))
    )
    kept = after != 0
    assert abs((~kept).double().mean().item() - amount) < 1 / len(after)
    assert torch.equal(after[kept], before[kept])
    assert before[kept].abs().min() >= before[~kept].abs().max()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_near_and_passes_gradients(dtype: torch.dtype) -> None:
    one, x = load_classifier(PAIR[0]), pictures()
    copy = in_half_precision(one, dtype)
    assert copy(x).dtype == torch.float32
    tolerance = 0.01 if dtype == torch.float16 else 0.1
    assert 0 < (copy(x).exp() - one(x).exp()).abs().max() < tolerance
    assert torch.nn.functional.cosine_similarity(gradient(copy, x).flatten(), gradient(one, x).flatten(), dim=0) > 0.9


def test_a_restricted_classifier_is_the_classifier_given_that_it_is_one_of_those_classes(tmp_path: Path) -> None:
    (tmp_path / "low.txt").write_text("2\n0\n\n1\n")
    one, x = load_classifier(PAIR[0]), pictures()
    few = load_classifier(f"restricted:{PAIR[0]},classes={tmp_path / 'low.txt'}")
    assert [label.name for label in few.labels] == ["0", "1", "2"]
    p = one(x).exp()[:, :3]
    assert torch.allclose(few(x).exp(), p / p.sum(-1, keepdim=True), atol=1e-5)
    assert [label.name for label in load_classifier(f'restricted:{PAIR[0]},classes=["7","3"]').labels] == ["3", "7"]


@pytest.mark.slow
def test_wrappers_of_imagenet_networks_keep_the_official_pipeline() -> None:
    from test_hub_classifiers import as_tensor, photograph

    picture = photograph(3)
    for name in ("quantised", "half", "pruned"):
        options = {"pruned": ",amount=0.3", "half": ",dtype=bfloat16"}.get(name, "")
        made = load_classifier(f"{name}:torchvision:squeezenet1_1,weights=random{options}")
        plain = load_classifier("torchvision:squeezenet1_1,weights=random")
        assert made.official is not None
        assert plain.official is not None
        near = (made.official(picture).exp() - made(as_tensor(picture)).exp()).abs().max()
        assert near < 0.01
        assert not torch.equal(made.official(picture), plain.official(picture))


def test_wrappers_can_be_nested_and_pass_options_on() -> None:
    x = pictures()
    inner = quantised(load_classifier(PAIR[0]), 4)
    outer = load_classifier(f"tempered:(quantised:{PAIR[0]},bits=4),temperature=2")
    assert torch.allclose(outer(x), (inner(x) / 2).log_softmax(-1), atol=1e-5)
    assert torch.allclose(load_classifier(f"tempered:quantised:{PAIR[0]},temperature=2,bits=4")(x), outer(x), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (f"tempered:{PAIR[0]}", "needs temperature"),
        (f"tempered:{PAIR[0]},temperature=0", "positive"),
        (f"quantised:{PAIR[0]},bits=1", "from 2 to 8"),
        (f"quantised:{PAIR[0]},colour=3", "no option colour"),
        (f"pruned:{PAIR[0]},amount=1", "between 0 and 1"),
        (f"half:{PAIR[0]},dtype=int8", "float16 or bfloat16"),
        (f"ensemble:{PAIR[0]}", "two or more"),
        (f"surrogate:{PAIR[0]}", "two were expected"),
        (f"ensemble:{PAIR[0]}+(restricted:{PAIR[1]},classes=[1,2])", "other labels"),
        ("pruned:resnet50,amount=0.5", "names no classifier"),
        (f'restricted:{PAIR[0]},classes=["3"]', "two or more"),
        (f"restricted:{PAIR[0]},classes=nowhere.txt", "cannot be read"),
    ],
)
def test_a_wrapper_that_cannot_be_made_is_answered_with_what_is_wrong(name: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        load_classifier(name)


def test_an_unknown_class_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="'11'"):
        load_classifier(f'restricted:{PAIR[0]},classes=["1","11"]')


def test_options_are_cut_at_commas_outside_brackets() -> None:
    call = Call.parse("onnx:a.onnx,mean=[0.1,0.2,0.3],size=224,labels=my(1).txt")
    assert call.options == {"mean": [0.1, 0.2, 0.3], "size": 224, "labels": "my(1).txt"}
    assert Call.parse("onnx:a(.onnx,size=224").options == {"size": 224}
    assert split_unquoted("(a:b,c=1)+(d:e,f=[1,2])+g:h", "+") == ["(a:b,c=1)", "(d:e,f=[1,2])", "g:h"]


@pytest.mark.slow
def test_a_network_is_compared_with_its_own_copy_of_8_bits(tmp_path: Path) -> None:
    search = {"samples": 4, "steps": 5, "goal": "most divergent"}
    done = gevaldi.compare(PAIR[0], f"quantised:{PAIR[0]}", "bundled:mnist-vae", out=tmp_path / "run", **search)
    notes = {side: done.run.record["models"][side]["note"] for side in ("first", "second")}
    assert notes["first"] is None
    assert "straight through" in notes["second"]
    rows = done.rows()
    assert len(rows) == 8
    assert not (rows["status"] == "failed").any()
    assert "straight through" in done.report().read_text(encoding="utf-8")


def test_options_of_the_classifier_behind_quantised_reach_it() -> None:
    plain = load_classifier("torchvision:squeezenet1_1,weights=random,size=128")
    made = load_classifier("quantised:torchvision:squeezenet1_1,weights=random,size=128")
    assert made.module.preprocessing.crop == plain.module.preprocessing.crop == (128, 128)  # type: ignore[union-attr]


def test_ranges_are_found_on_pictures_of_the_channels_and_the_size_that_the_classifier_takes() -> None:
    made = load_classifier(f"quantised:{PAIR[0]},pictures=bundled:mnist-digits,pictures_size=28,pictures_count=20")
    assert "ranges are fixed" in str(made.note)
    known = load_pictures("bundled:mnist-digits", (1, 28, 28)).pictures
    x = torch.stack(known[:200])
    assert (made(x).argmax(1) == load_classifier(PAIR[0])(x).argmax(1)).float().mean() > 0.97
    with pytest.raises(SpecError, match="pictures_size=SIDE"):
        load_classifier(f"quantised:{PAIR[0]},pictures=bundled:mnist-digits,pictures_size=5")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vit_b_32", "swin_t", "convnext_tiny"])
def test_transformers_of_torchvision_can_be_quantised(name: str) -> None:
    x = torch.rand(1, 3, 224, 224)
    plain = load_classifier(f"torchvision:{name},weights=random")
    with torch.no_grad():
        head = next(m for m in reversed(list(plain.modules())) if isinstance(m, nn.Linear))
        head.weight.normal_(0, 0.05, generator=torch.Generator().manual_seed(0))
        copy = quantised(plain)
    assert not torch.equal(copy(x), plain(x))
    assert (copy(x).exp() - plain(x).exp()).abs().max() < 0.02
    assert gradient(copy, x).abs().sum() > 0


def test_a_layer_that_is_used_twice_is_quantised_wherever_it_is_used() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(64, 64)
            self.b = self.a

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.b(self.a(x.flatten(1)))

    torch.manual_seed(0)
    one = gevaldi.classifier(Twice().eval(), 64)
    copy, x = quantised(one, 3), pictures(2, 8)
    apart = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Linear(64, 64)).eval()
    for layer in list(apart)[1:]:
        layer.load_state_dict(one.module.a.state_dict())  # type: ignore[union-attr]
    assert torch.allclose(copy(x), quantised(gevaldi.classifier(apart, 64), 3)(x), atol=1e-5)


def test_small_weights_in_half_precision_keep_their_levels() -> None:
    layer = nn.Linear(64, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(-1e-3, 1e-3, 64)[None])
    assert len(rounded_weights(layer.half(), 8).unique()) > 60


def test_half_precision_is_of_the_whole_network_whatever_its_parts_are_called() -> None:
    class Backbone(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.head = nn.Sequential(nn.Flatten(), nn.Linear(64, 8)), nn.Linear(8, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.network(x))

    torch.manual_seed(0)
    one = gevaldi.classifier(Backbone().eval(), 3)
    copy, x = in_half_precision(one), pictures(size=8)
    assert {p.dtype for p in copy.parameters()} == {torch.float16}
    assert (copy(x).exp() - one(x).exp()).abs().max() < 0.01


def test_improbable_classes_stay_as_improbable_in_half_precision_as_its_numbers_allow() -> None:
    class Sure(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.new_tensor([[1.0, 1e-7, 1e-4]]).expand(len(x), -1)

    one = gevaldi.classifier(Sure().eval(), 3, output="probabilities")
    log_p = in_half_precision(one)(pictures(1))
    assert log_p.dtype == torch.float32
    assert log_p[0, 1] < -15
    assert log_p[0, 2] == pytest.approx(np.log(1e-4), abs=1e-3)


def test_classes_that_share_a_name_stay_apart_in_a_restricted_classifier(tmp_path: Path) -> None:
    (tmp_path / "birds.py").write_text(
        "import gevaldi, torch\n"
        "def make():\n"
        "    torch.manual_seed(0)\n"
        "    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 4))\n"
        "    return gevaldi.classifier(net.eval(), ['crane', 'dog', 'crane', 'cat'])\n"
    )
    name, x = f"python:{tmp_path / 'birds.py'}:make", pictures(size=8)
    few, whole = load_classifier(f'restricted:{name},classes=["crane","dog"]'), load_classifier(name)
    p = whole(x).exp()[:, :3]
    assert torch.allclose(few(x).exp(), p / p.sum(-1, keepdim=True), atol=1e-5)


def test_what_has_to_be_known_of_a_classifier_is_known_of_what_is_made_of_it() -> None:
    copy, plain = quantised(load_classifier(PAIR[0])), load_classifier(PAIR[1])
    made = [Tempered(copy, 2), Ensemble([plain, copy]), Aligned(copy, range(10), copy.labels), Surrogate(copy, plain)]
    assert all("straight through" in str(one.note) for one in made)
    assert "gradients are those of" in str(made[3].note)


def test_labels_that_differ_are_named(tmp_path: Path) -> None:
    one = gevaldi.classifier(small_classifier().module, ["cat", "dog", "emu"]).eval()  # type: ignore[arg-type]
    other = gevaldi.classifier(small_classifier().module, ["cat", "emu", "dog"]).eval()  # type: ignore[arg-type]
    with pytest.raises(SpecError, match=r"class 1 is 'dog' .* in number 1 and 'emu'"):
        Ensemble([one, other])


def _saved(folder: Path, second: gevaldi.Classifier) -> None:
    first, generator = load_classifier(PAIR[0]), load_generator("bundled:mnist-vae")
    gevaldi.compare(first, second, generator, out=folder, samples=2, steps=2, audited=5)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (lambda one: Tempered(one, 2.0), lambda one: Tempered(one, 3.0)),
        (lambda one: quantised(one, 8), lambda one: quantised(one, 7)),
        (lambda one: Tempered(shown(one, 28), 2.0), lambda one: Tempered(shown(one, 24), 2.0)),
        (lambda one: shown(one, 28, 0.1), lambda one: shown(one, 28, 0.2)),
        (lambda one: Tempered(declared(one, "logits"), 2.0), lambda one: Tempered(declared(one, "log-probabilities"), 2.0)),
    ],
    ids=["temperature", "bits", "crop", "mean", "output"],
)
def test_a_run_is_not_gone_on_with_a_classifier_that_was_made_otherwise(before: Any, after: Any, tmp_path: Path) -> None:
    pooled = load_classifier(PAIR[1])
    _saved(tmp_path, before(pooled))
    _saved(tmp_path, before(pooled))  # the same goes on
    with pytest.raises(RunFolderError, match="another second"):
        _saved(tmp_path, after(pooled))


def shown(one: gevaldi.Classifier, crop: int, mean: float = 0.0) -> gevaldi.Classifier:
    """The classifier behind a preprocessing."""
    sized = nn.Upsample(size=(28, 28))
    module = nn.Sequential(Preprocessing(28, (crop, crop), [mean], [1.0]), sized, one)
    return gevaldi.classifier(module.eval(), 10, output="log-probabilities")


def declared(one: gevaldi.Classifier, output: Any) -> gevaldi.Classifier:
    return gevaldi.classifier(nn.Sequential(one).eval(), 10, output=output)
