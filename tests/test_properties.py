"""Measured properties of pictures, held against pictures that are drawn to have them, and against scipy."""

import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from gevaldi.properties import PROPERTIES, describe, measure, unit_of
from gevaldi.sounds.log_mel import LogMel

FORM = ("slant", "stroke", "ink", "height", "width", "horizontal position", "vertical position", "holes", "pieces")
Y, X = np.mgrid[:64, :64]


def measured(picture: np.ndarray, name: str) -> float:
    return float(measure(torch.from_numpy(np.ascontiguousarray(picture))[None, None].double())[name][0])


def drawn(text: str, size: int = 64) -> np.ndarray:
    """A character in DejaVu Sans, bright on dark."""
    picture = Image.new("L", (size, size))
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size * 3 // 4)
    ImageDraw.Draw(picture).text((size / 2, size / 2), text, 255, font, anchor="mm")
    return np.asarray(picture) / 255.0


def disc(radius: float, x: float = 31.5, y: float = 31.5) -> np.ndarray:
    return (np.hypot(X - x, Y - y) <= radius).astype(float)


def sheared(picture: np.ndarray, degrees: float) -> np.ndarray:
    """Rows moved to the right in proportion to their height above the middle, by scipy."""
    tangent, middle = np.tan(np.radians(degrees)), (len(picture) - 1) / 2
    return ndimage.affine_transform(picture, [[1, 0], [tangent, 1]], [0, -tangent * middle], order=1)


@pytest.mark.parametrize("degrees", [-25, -10, 0, 5, 20, 30])
@pytest.mark.parametrize("text", ["1", "4", "8"])
def test_a_shear_adds_its_angle_to_the_slant(text: str, degrees: float) -> None:
    upright = np.tan(np.radians(measured(drawn(text, 96), "slant")))
    expected = np.degrees(np.arctan(upright + np.tan(np.radians(degrees))))
    assert measured(sheared(drawn(text, 96), degrees), "slant") == pytest.approx(expected, abs=0.7)


@pytest.mark.parametrize("degrees", [-30, -15, 10, 25])
def test_a_turned_line_slants_by_its_angle(degrees: float) -> None:
    bar = (np.abs(X - 31.5) <= 1.5) & (np.abs(Y - 31.5) <= 24)
    turned = ndimage.rotate(bar.astype(float), -degrees, reshape=False, order=1)  # clockwise: to the right
    assert measured(turned, "slant") == pytest.approx(degrees, abs=0.7)


@pytest.mark.parametrize("radius", [4, 9, 15.5, 22])
def test_a_disc_has_the_area_height_and_width_of_its_radius(radius: float) -> None:
    picture = disc(radius)
    assert measured(picture, "ink") == pytest.approx(100 * np.pi * radius**2 / 64**2, rel=0.06)
    assert measured(picture, "height") == measured(picture, "width") == pytest.approx(100 * 2 * radius / 64, abs=100 / 64)
    assert measured(picture, "stroke") == pytest.approx(radius, rel=0.1)  # twice the area over the circumference
    assert measured(picture, "slant") == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("thickness", [2, 4, 7])
def test_the_stroke_of_a_ring_is_its_thickness(thickness: float) -> None:
    ring = disc(20 + thickness / 2) - disc(20 - thickness / 2)
    assert measured(ring, "stroke") == pytest.approx(thickness, rel=0.1)


@pytest.mark.parametrize(("text", "holes"), [("8", 2), ("B", 2), ("0", 1), ("6", 1), ("4", 1), ("1", 0), ("2", 0), ("7", 0)])
def test_drawn_characters_have_their_closed_loops(text: str, holes: int) -> None:
    assert measured(drawn(text), "holes") == holes
    assert measured(drawn(text), "pieces") == 1


def test_an_i_and_a_percent_sign_are_in_several_pieces() -> None:
    assert measured(drawn("i"), "pieces") == 2
    assert measured(drawn("%"), "pieces") == 3


@given(st.integers(0, 10**6), st.integers(1, 6))
def test_holes_pieces_and_position_of_random_ink_agree_with_scipy_one_picture_at_a_time(seed: int, count: int) -> None:
    pictures = np.zeros((count, 12, 12))
    pictures[:, 2:-2, 2:-2] = np.random.default_rng(seed).random((count, 8, 8)) > 0.4
    found = measure(torch.from_numpy(pictures)[:, None])
    for i, picture in enumerate(pictures):
        y, x = ndimage.center_of_mass(picture)
        (rows, columns), *_ = ndimage.find_objects((picture > 0).astype(int))
        assert found["pieces"][i] == ndimage.label(picture, np.ones((3, 3)))[1]
        assert found["holes"][i] == ndimage.label(picture == 0)[1] - 1
        assert found["horizontal position"][i] == pytest.approx(100 * (x + 0.5) / 12)
        assert found["vertical position"][i] == pytest.approx(100 * (y + 0.5) / 12)
        assert found["height"][i] == pytest.approx(100 * (rows.stop - rows.start) / 12)
        assert found["width"][i] == pytest.approx(100 * (columns.stop - columns.start) / 12)


def test_moving_a_picture_moves_its_position_and_nothing_else_of_its_form() -> None:
    picture = drawn("4")
    moved = np.roll(picture, (5, -7), (0, 1))
    assert measured(moved, "horizontal position") - measured(picture, "horizontal position") == pytest.approx(-700 / 64)
    assert measured(moved, "vertical position") - measured(picture, "vertical position") == pytest.approx(500 / 64)
    for name in set(FORM) - {"horizontal position", "vertical position"}:
        assert measured(moved, name) == pytest.approx(measured(picture, name))


@pytest.mark.parametrize("name", FORM)
def test_dark_ink_on_bright_ground_has_the_same_form(name: str) -> None:
    assert measured(1 - drawn("4"), name) == pytest.approx(measured(drawn("4"), name))


def test_faint_ink_has_the_same_form() -> None:
    for name in FORM:
        assert measured(0.2 * drawn("8"), name) == pytest.approx(measured(drawn("8"), name))


def test_a_mirrored_picture_slants_the_other_way_and_is_as_asymmetric() -> None:
    picture = drawn("7")
    assert measured(picture[:, ::-1], "slant") == pytest.approx(-measured(picture, "slant"))
    assert measured(picture[:, ::-1], "asymmetry") == pytest.approx(measured(picture, "asymmetry"))


def test_a_symmetric_picture_has_no_asymmetry_and_one_half_has_all_of_it() -> None:
    assert measured(disc(10), "asymmetry") == 0
    assert measured(disc(10, x=15), "asymmetry") == 100


def test_a_blurred_picture_is_less_sharp_the_more_it_is_blurred() -> None:
    picture = np.random.default_rng(0).random((64, 64))
    sharpness = [measured(ndimage.gaussian_filter(picture, sigma), "sharpness") for sigma in (0, 0.5, 1, 2, 4)]
    assert sharpness == sorted(sharpness, reverse=True)


def test_sharpness_is_the_laplacian_of_scipy_over_the_contrast_and_does_not_depend_on_brightness() -> None:
    picture = np.random.default_rng(1).random((32, 32))
    expected = np.abs(ndimage.laplace(picture))[1:-1, 1:-1].mean() / picture.std()
    assert measured(picture, "sharpness") == pytest.approx(expected)
    assert measured(0.3 + 0.5 * picture, "sharpness") == pytest.approx(expected)


def test_brightness_contrast_and_quarters_are_means_of_numpy() -> None:
    picture = np.random.default_rng(2).random((32, 32))
    assert measured(picture, "brightness") == pytest.approx(100 * picture.mean())
    assert measured(picture, "contrast") == pytest.approx(100 * picture.std())
    assert measured(picture, "top right") == pytest.approx(100 * picture[:16, 16:].mean())
    assert measured(picture, "bottom left") == pytest.approx(100 * picture[16:, :16].mean())


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_saturation_is_that_of_colorsys_times_its_value(red: float, green: float, blue: float) -> None:
    picture = torch.tensor([red, green, blue], dtype=torch.float64)[:, None, None].expand(3, 8, 8)[None]
    _, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    assert measure(picture)["saturation"][0] == pytest.approx(100 * saturation * value, abs=1e-6)
    assert measure(picture)["warmth"][0] == pytest.approx(100 * (red - blue), abs=1e-6)


def test_grey_pictures_have_no_colour() -> None:
    assert not {"saturation", "warmth"} & set(measure(torch.rand(2, 1, 8, 8)))


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_an_empty_picture_has_no_form(level: float) -> None:
    found = measure(torch.full((1, 3, 16, 16), level))
    assert all(np.isnan(found[name]).all() for name in FORM)
    assert found["brightness"][0] == pytest.approx(100 * level)


def test_a_picture_without_an_even_ground_has_no_form() -> None:
    assert np.isnan(measured(np.random.default_rng(3).random((32, 32)), "slant"))


@pytest.mark.parametrize("shape", [(1, 1, 3, 3), (2, 3, 5, 9)])
def test_every_property_is_one_number_a_picture(shape: tuple[int, ...]) -> None:
    assert {values.shape for values in measure(torch.rand(shape)).values()} == {shape[:1]}


def test_a_batch_measures_what_its_pictures_measure_alone() -> None:
    pictures = torch.from_numpy(np.stack([drawn(text) for text in "0123456789"] + [np.zeros((64, 64))]))[:, None]
    together = measure(pictures)
    for i, picture in enumerate(pictures):
        for name, values in measure(picture[None]).items():
            assert values[0] == pytest.approx(together[name][i], nan_ok=True), name


def test_every_measured_property_has_words() -> None:
    seen, heard = measure(torch.rand(1, 3, 8, 8)), measure(torch.rand(1, 1, 64, 64), LogMel())
    assert {*seen, *heard} == set(PROPERTIES)
    assert not set(seen) & set(heard)
    for name in PROPERTIES:
        assert describe(name, more=True) != describe(name, more=False)
        assert unit_of(name) in ("", "°", " %", " px", " dB", " s", " Hz")
