"""What a generator says of who is right: a guess, with the bias of its generator."""

import json
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from scipy.special import expit, logit

import gevaldi
from gevaldi.classifiers import load_classifier
from gevaldi.errors import SpecError
from gevaldi.generators import load_generator
from gevaldi.statistics.paired import Paired
from gevaldi.verdicts.guess import Bias, Guess, known_bias, paired_counts, right_on_draws


def test_a_bias_is_the_regression_of_log_odds_as_statsmodels_fits_it() -> None:
    rng = np.random.default_rng(0)
    guessed = rng.uniform(0.6, 0.99, 12)
    true = expit(0.9 * logit(guessed) - 0.4 + rng.normal(0, 0.2, 12))
    expected = sm.OLS(logit(true), sm.add_constant(logit(guessed))).fit()
    own = Bias.fit(guessed, true)
    assert (own.intercept, own.slope) == pytest.approx(tuple(expected.params))
    assert own.spread == pytest.approx(np.sqrt(expected.mse_resid))


def test_the_interval_with_a_bias_covers_the_true_difference_of_other_classifiers() -> None:
    rng, missed, repeats, pictures = np.random.default_rng(1), 0, 1000, 2000
    for _ in range(repeats):
        ability = rng.uniform(1.5, 3.5, 14)  # log-odds on generated pictures
        true = expit(0.9 * ability - 0.3 + rng.normal(0, 0.15, 14))
        guessed = rng.binomial(pictures, expit(ability)) / pictures
        own = Bias.fit(guessed[2:], true[2:]).difference(guessed[0], guessed[1], pictures)
        missed += not own.low <= true[1] - true[0] <= own.high
    assert missed <= 67  # 5 % and two standard errors


def test_a_bias_needs_five_classifiers() -> None:
    with pytest.raises(SpecError, match="5 classifiers"):
        Bias.fit(np.array([0.9, 0.8]), np.array([0.9, 0.8]))


def test_the_counts_are_those_of_the_classifiers_on_the_conditions() -> None:
    generator, both = (
        load_generator("bundled:mnist-vae"),
        [load_classifier(f"bundled:mnist-{name}") for name in ("strided", "pooled")],
    )
    right = right_on_draws(generator, both, count=300)
    conditions = torch.arange(300) % 10
    with torch.no_grad():
        pictures = generator(generator.prior.sample(range(300)), conditions)
        expected = np.array([(own(pictures).argmax(1) == conditions).numpy() for own in both])
    assert (right == expected).all()
    counts = paired_counts(right[0], right[1])
    assert (counts.both + counts.only_first, counts.both + counts.only_second) == tuple(expected.sum(1))


def test_a_generator_without_conditions_is_refused() -> None:
    generator = gevaldi.generator(torch.nn.Linear(2, 4), latent=2)
    with pytest.raises(SpecError, match="has no conditions"):
        right_on_draws(generator, [load_classifier("bundled:mnist-strided")])


def test_a_guess_says_that_it_is_none_and_knows_the_bias_of_bundled_generators_only() -> None:
    counts = Paired(9879, 43, 28, 50)
    known = Guess("bundled:mnist-vae", counts, known_bias("bundled:mnist-vae"))
    assert known.on_real_pictures
    assert known.on_real_pictures.low < 0.0019 < known.on_real_pictures.high  # the difference on real digits
    assert "A guess, not a decision" in known.sentences(["old", "new"])[0]
    unknown = Guess("mine", counts, known_bias("mine"))
    assert unknown.on_real_pictures is None
    assert "unknown, so nothing follows for real pictures" in " ".join(unknown.sentences(["old", "new"]))


def test_a_guess_stands_beside_a_verdict_and_decides_nothing(tmp_path: Path) -> None:
    names = [f"bundled:mnist-{name}" for name in ("strided", "pooled")]
    settings = {"use_truth": False, "predictions": tmp_path / "predictions"}
    plain = gevaldi.verdict(*names, "bundled:mnist-digits", **settings)
    verdict = gevaldi.verdict(*names, "bundled:mnist-digits", generator="bundled:mnist-vae", out=tmp_path / "v", **settings)
    assert (verdict.interval.low, verdict.interval.high) == (plain.interval.low, plain.interval.high)
    assert json.loads((tmp_path / "v" / "verdict.json").read_text())["guess"]["counts"]["both"] > 9000
    page = verdict.report().read_text()
    assert "What the generator says" in page
    assert "data:image/png" in page  # the pictures to label


def test_a_table_cannot_be_asked_about_new_pictures(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / f"{name}.csv").write_text("picture,class\na,1\nb,2\n")
    both = [f"table:{tmp_path / name}.csv" for name in ("old", "new")]
    with pytest.raises(SpecError, match="a table has predictions on old ones only"):
        gevaldi.verdict(*both, generator="bundled:mnist-vae")
