"""Pictures that can be heard: tones of known frequency, files that other programs read, and networks that hear them."""

import io
import math
import sys
from base64 import b64encode
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
import torchaudio
from torch import nn
from typer.testing import CliRunner

import gevaldi
from gevaldi import inspection
from gevaldi.classifiers import load_classifier
from gevaldi.classifiers._official import officially
from gevaldi.cli.main import app
from gevaldi.errors import ContractError, DataError, MissingExtra, SpecError
from gevaldi.mass.draws import Drawing
from gevaldi.measures.sweeps import DRAWN
from gevaldi.pictures import load_pictures, sources
from gevaldi.predictions.networks import PoolOfPictures
from gevaldi.predictions.progress import Silent
from gevaldi.properties import describe, measure, unit_of
from gevaldi.reports import sounds
from gevaldi.reports.page import render
from gevaldi.reports.sections.base import Report
from gevaldi.runs.checks import audit
from gevaldi.runs.checks.preprocessing import range_warnings
from gevaldi.runs.referee import judge
from gevaldi.runs.session import models_of
from gevaldi.runs.store.pictures import pictures_of
from gevaldi.runs.worker import setup
from gevaldi.runs.worker.setup import prepare_torch
from gevaldi.sounds import files, log_mel
from gevaldi.sounds.files import flac, read
from gevaldi.sounds.log_mel import LogMel
from gevaldi.sounds.recordings import in_16_bits
from gevaldi.spec import Spec
from gevaldi.taxonomy.distances import distances
from gevaldi.wrappers.listening import listening
from gevaldi.wrappers.predictions import Ensemble, Tempered

SMALL = LogMel(window=256, hop=64, mels=32, frames=16, iterations=4)
TINY = LogMel(window=32, hop=8, mels=8, frames=8, iterations=6)


def tone(frequency: float, amplitude: float = 0.5, rate: int = 8000, seconds: float = 1.1) -> torch.Tensor:
    return amplitude * torch.sin(2 * torch.pi * frequency * torch.arange(round(rate * seconds), dtype=torch.float64) / rate)


def harmonic(pitch: float, begin: float = 0.2, end: float = 0.7, rate: int = 8000) -> torch.Tensor:
    time, number = torch.arange(round(1.1 * rate), dtype=torch.float64) / rate, torch.arange(1, int(3800 / pitch))[:, None]
    whole = (torch.cos(2 * torch.pi * pitch * number * time + number) / number).sum(0)
    return 0.3 * whole / whole.abs().max() * ((time >= begin) & (time < end))


def speechlike(count: int = 1, seed: int = 0, sound: LogMel = SMALL) -> torch.Tensor:
    """Pictures of coloured noise."""
    noise = torch.randn(count, sound.samples, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return sound.picture(0.1 * torch.nn.functional.avg_pool1d(noise, 5, 1, 2))


@pytest.mark.parametrize("frequency", [200, 440, 1000, 3000])
def test_a_tone_is_brightest_in_the_row_of_its_frequency_counted_from_the_bottom(frequency: float) -> None:
    row = int(LogMel().picture(tone(frequency)[None])[0, 0].mean(1).argmax())
    mel = 2595 * math.log10(1 + frequency / 700) / (2595 * math.log10(1 + 4000 / 700))
    assert abs((63 - row) - (mel * 65 - 1)) < 1


def test_a_picture_is_the_log_of_the_mel_spectrogram_of_torchaudio() -> None:
    sound, noise = LogMel(), 0.1 * torch.randn(2, 8064, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    oracle = torchaudio.transforms.MelSpectrogram(8000, 512, hop_length=128, n_mels=64).double()(noise)
    level = 10 * torch.log10(oracle / 128**2 + 1e-8)  # a sine of amplitude 1 gives half the sum of the window, 128
    assert torch.allclose(sound.picture(noise), (1 + level / 80).flip(1)[:, None], atol=1e-5)


def test_a_sine_of_amplitude_1_is_white_and_a_tenth_of_the_amplitude_is_20_dB_darker() -> None:
    white, loud, quiet = (float(LogMel().picture(tone(1000, a)[None])[..., 30].amax()) for a in (1.0, 0.5, 0.05))
    assert white == pytest.approx(1, abs=0.02)
    assert loud - quiet == pytest.approx(20 / 80, abs=1e-3)


def test_silence_is_black_and_black_is_silent() -> None:
    assert not LogMel().picture(torch.zeros(1, 100)).any()
    assert not LogMel().waveform(torch.zeros(1, 1, 64, 64)).any()


@pytest.mark.parametrize("frequency", [300, 1000, 2500])
def test_a_sonified_tone_has_its_frequency_and_power(frequency: float) -> None:
    heard = LogMel().waveform(LogMel().picture(tone(frequency)[None]))[0]
    assert float(torch.fft.rfft(heard).abs().argmax()) * 8000 / len(heard) == pytest.approx(frequency, abs=16)
    assert heard.square().mean() == pytest.approx(0.125, rel=0.15)


def test_the_sound_of_a_picture_has_nearly_that_picture() -> None:
    pictures = speechlike(4, sound=LogMel())
    assert 80 * (LogMel().picture(LogMel().waveform(pictures)) - pictures).abs().mean() < 1.5


def test_a_batch_equals_its_members_and_every_call_equals_the_first() -> None:
    pictures = speechlike(3)
    together = SMALL.waveform(pictures)
    assert torch.equal(together, SMALL.waveform(pictures))
    assert torch.allclose(together, torch.cat([SMALL.waveform(one[None]) for one in pictures]), atol=1e-9)
    assert torch.allclose(together.float(), SMALL.waveform(pictures.float()), atol=1e-3)


def test_gradients_are_those_of_finite_differences_in_both_directions() -> None:
    pictures = (0.3 + 0.4 * torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))).double().requires_grad_()
    assert torch.autograd.gradcheck(TINY.waveform, pictures, atol=1e-6, rtol=1e-3, fast_mode=True)
    assert torch.autograd.gradcheck(
        TINY.picture, TINY.waveform(pictures).detach().requires_grad_(), atol=1e-6, rtol=1e-3, fast_mode=True
    )


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"rate": 0}, "rate"),
        ({"hop": 300}, "hop"),
        ({"frames": 2}, "frames"),
        ({"floor": 10}, "floor"),
        ({"mels": 0}, "mels"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(SpecError, match=f"^{word}="):
        LogMel(**settings)


def test_pictures_of_another_size_are_refused() -> None:
    with pytest.raises(SpecError, match=r"\(1, 28, 28\) came; \(1, 64, 64\)"):
        LogMel().waveform(torch.zeros(2, 1, 28, 28))


def test_soundfile_reads_what_is_stored() -> None:
    waveform = tone(440).float()
    samples, rate = soundfile.read(io.BytesIO(flac(waveform, 8000)), dtype="int16")
    assert rate == 8000
    assert np.array_equal(samples, in_16_bits(waveform).numpy())


def test_without_its_packages_sound_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_mel, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'gevaldi\[sound\]'"):
        LogMel(rate=7999).waveform(torch.zeros(1, 1, 64, 64))


# Files


def encoded(samples: Any, rate: int = 8000, form: str = "WAV", subtype: str | None = None) -> bytes:
    sink = io.BytesIO()
    soundfile.write(sink, np.asarray(samples), rate, format=form, subtype=subtype)
    return sink.getvalue()


def folder_of(path: Path, recordings: dict[str, bytes]) -> str:
    for name, content in recordings.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return f"sounds:{path}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be read as a recording"),
        (b"hello, this is text", "WAV, FLAC, OGG or MP3 was expected"),
        (encoded(np.zeros(0)), "without samples"),
        (encoded(np.zeros(3_600_000, np.int16), 1000, subtype="PCM_U8"), "lasts 3,600 s; at most 60 s"),
        (encoded(np.array([0.0, np.nan]), subtype="FLOAT"), "no numbers"),
        (encoded(1000 * np.ones(9), subtype="FLOAT"), r"up to 1,000; \[-1, 1\] was expected"),
        (encoded(np.zeros(9), 10), "has 10 samples a second"),
    ],
    ids=["empty", "text", "without samples", "an hour", "NaN", "too loud", "10 Hz"],  # WAV of floats holds the time
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    real = sources.load(folder_of(tmp_path, {"odd one.wav": content}))
    with pytest.raises(DataError, match=rf"odd one\.wav.*{words}"):
        real.pictures[0]


@pytest.mark.parametrize(
    "content",
    [
        encoded(tone(440, rate=44_100), 44_100),
        encoded(tone(440), subtype="PCM_24"),
        encoded(tone(440), subtype="FLOAT"),
        encoded(np.stack([tone(440), tone(440)], 1)),
        encoded(np.stack([2 * tone(440), 0 * tone(440)], 1), form="FLAC"),
        encoded(tone(440), form="OGG"),
        encoded(tone(440, rate=16_000), 16_000, form="MP3"),
    ],
    ids=["44,100 Hz", "24 bits", "float", "two channels", "one of two channels, FLAC", "OGG", "MP3"],
)
def test_every_form_of_a_tone_has_its_picture(tmp_path: Path, content: bytes) -> None:
    picture = sources.load(folder_of(tmp_path, {"tone.wav": content})).pictures[0]
    levels = 80 * (picture - LogMel().picture(tone(440).float()[None])[0]).abs()
    assert levels[LogMel().picture(tone(440).float()[None])[0] > 0.6].max() < 1.5


def test_channels_are_averaged_so_that_opposite_ones_are_silent() -> None:
    assert not read(encoded(np.stack([tone(440), -tone(440)], 1), subtype="FLOAT"), "opposite").waveform.any()


def test_samples_a_little_beyond_1_are_cut_off() -> None:
    assert read(encoded(1.2 * tone(440, 1.0), subtype="FLOAT"), "loud").waveform.abs().max() == 1


def test_rates_without_a_simple_ratio_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="44,101 Hz cannot be brought to 8,000 Hz"):
        sources.load(folder_of(tmp_path, {"a.wav": encoded(tone(440), 44_101)})).pictures[0]


def test_folders_and_lists_name_the_classes_of_recordings(tmp_path: Path) -> None:
    content = encoded(tone(440))
    by_folder = sources.load(folder_of(tmp_path / "folders", {"one/a.wav": content, "two/b.wav": content}))
    assert by_folder.classes == ["one", "two"]
    name = folder_of(tmp_path / "list", {"a.wav": content, "b.wav": content})
    (tmp_path / "list" / "labels.csv").write_text("a.wav,one\nb.wav,two\n")
    assert sources.load(f"{name},classes=labels.csv").classes == ["one", "two"]


def test_recordings_of_forms_that_are_not_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"1 of the recordings .* such as .*b\.m4a"):
        sources.load(folder_of(tmp_path, {"a.wav": encoded(tone(440)), "b.m4a": b"x"}))


def test_spectrograms_are_not_resized(tmp_path: Path) -> None:
    name = folder_of(tmp_path, {"a.wav": encoded(tone(440))})
    with pytest.raises(SpecError, match="say mels=32,frames=16"):
        load_pictures(name, (1, 32, 16))
    assert load_pictures(f"{name},mels=32,frames=16,window=256,hop=64", (1, 32, 16)).sound == LogMel(8000, 256, 64, 32, 16)


# Networks that hear


class Bands(nn.Module):
    """Logits: the log power of each frequency in a waveform of a rate, by a sine and a cosine."""

    def __init__(self, frequencies: list[float], rate: int) -> None:
        super().__init__()
        self.turns = [frequency / rate for frequency in frequencies]

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        place = torch.arange(waveform.shape[1], dtype=waveform.dtype)
        waves = torch.exp(-2j * torch.pi * torch.tensor(self.turns)[:, None] * place).to(waveform.dtype.to_complex())
        power = (waveform.to(waves) @ waves.T).abs().square() / waveform.shape[1] ** 2
        return 3 * (power + 1e-8).log10()


class Sums(nn.Module):
    """Logits: the mean brightness of each third of the rows."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return 10 * torch.stack([part.mean((1, 2, 3)) for part in pictures.flip(2).tensor_split(3, 2)], 1)


class Drawer(nn.Module):
    """Pictures with some energy everywhere, by a fixed linear map."""

    def __init__(self) -> None:
        super().__init__()
        draws = torch.randn(3, 32, 16, generator=torch.Generator().manual_seed(0))
        self.register_buffer("map", torch.nn.functional.avg_pool2d(draws, 5, 1, 2))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(3 * torch.einsum("bk,khw->bhw", z, self.map) - 1)[:, None]  # type: ignore[arg-type]


class Turned(nn.Module):
    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures.roll(5, 2)


class UpsideDown(nn.Module):
    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures.flip(2)


LABELS = ["low", "middle", "high"]


def hearing(rate: int = 16_000, **how: Any) -> gevaldi.Classifier:
    return gevaldi.classifier(Bands([500, 1500, 3000], rate).eval(), LABELS, name="ears", **{"hears": rate} | how)


def seeing() -> gevaldi.Classifier:
    return gevaldi.classifier(Sums().eval(), LABELS, name="eyes")


def drawing(sound: LogMel | None = SMALL) -> gevaldi.Generator:
    return gevaldi.generator(Drawer().eval(), latent=3, sound=sound)


def tones(path: Path, count: int = 4) -> str:
    recordings = {
        f"{label}/{i}.wav": encoded(tone(frequency * (1 + 0.01 * i), 0.2 + 0.05 * i, seconds=0.3))
        for label, frequency in zip(LABELS, (500, 1500, 3000), strict=True)
        for i in range(count)
    }
    return f"{folder_of(path, recordings)},window=256,hop=64,mels=32,frames=16"


def test_a_network_hears_the_resampled_sound_of_a_picture() -> None:
    pictures = speechlike(2)
    expected = hearing()(torchaudio.functional.resample(SMALL.waveform(pictures), 8000, 16_000))
    assert torch.equal(listening(hearing(), SMALL)(pictures), expected)


def test_a_network_that_sees_is_left_as_it_is() -> None:
    network = seeing()
    assert listening(network, SMALL) is network


def test_gradients_reach_the_picture_through_the_ears() -> None:
    pictures = (0.3 + 0.4 * torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(1))).double().requires_grad_()
    heard = listening(hearing(), TINY)
    assert torch.autograd.gradcheck(heard, pictures, atol=1e-6, rtol=1e-3, fast_mode=True)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> gevaldi.Comparison:
    path = tmp_path_factory.mktemp("sound")
    return gevaldi.compare(
        hearing(),
        seeing(),
        drawing(),
        samples=2,
        steps=6,
        audited=20,
        goal="most divergent",
        real=tones(path / "real"),
        out=path / "run",
        seed=1,
    )


def test_rows_hold_the_sound_of_their_stored_pictures(compared: gevaldi.Comparison) -> None:
    from PIL import Image

    for row in compared.run.each():
        for stage in ("start", "end"):
            levels = torch.from_numpy(np.array(Image.open(io.BytesIO(row[f"picture_{stage}"]["bytes"]))))
            samples, rate = soundfile.read(io.BytesIO(row[f"sound_{stage}"]["bytes"]), dtype="int16")
            expected = in_16_bits(SMALL.waveform((levels[None, None] / 255).float()))[0].numpy().astype(int)
            assert rate == 8000
            assert np.abs(samples.astype(int) - expected).max() <= 32  # one in a thousand, by which precisions may differ
        assert row["sound_original"] is None


def test_survival_is_judged_by_the_stored_sound(compared: gevaldi.Comparison) -> None:
    for row in compared.run.each():
        samples, _ = soundfile.read(io.BytesIO(row["sound_end"]["bytes"]), dtype="float32")
        heard = hearing()(torchaudio.functional.resample(torch.from_numpy(samples)[None], 8000, 16_000))
        if row["survives_storage"]:
            assert int(heard.argmax()) == row["first_end"][0]["label"]


def test_datasets_knows_the_sounds_of_a_run(compared: gevaldi.Comparison) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features.from_arrow_schema(next(compared.run.tables()).schema)
    assert features["sound_end"] == datasets.Audio(sampling_rate=8000)
    assert features["picture_end"] == datasets.Image()


def test_real_recordings_are_heard_themselves(compared: gevaldi.Comparison) -> None:
    assert compared.run.record["evaluation"]["first"]["right"] == 12  # tones are read without an error, at any amplitude
    assert compared.run.record["evaluation"]["first"]["official"]


@pytest.fixture(scope="module")
def parted(tmp_path_factory: pytest.TempPathFactory) -> gevaldi.Comparison:
    """A comparison in which one hears all recordings right, and the other sees low ones as high."""
    path = tmp_path_factory.mktemp("parted")
    turned = gevaldi.classifier(nn.Sequential(UpsideDown(), Sums()).eval(), LABELS, name="upside down")
    how: dict[str, Any] = {"samples": 2, "steps": 2, "audited": 10, "goal": "most divergent", "progress": False}
    return gevaldi.compare(hearing(), turned, drawing(), real=tones(path / "real"), out=path / "run", **how)


def test_the_page_plays_recordings_as_they_were_recorded(parted: gevaldi.Comparison) -> None:
    rows = [one for one in pictures_of(parted.run) if one["kind"] == "real" and one["sound"]]
    for one in rows:
        label, file = one["name"].split("/")
        frequency = dict(zip(LABELS, (500, 1500, 3000), strict=True))[label] * (1 + 0.01 * int(file[0]))
        whole = torch.nn.functional.pad(tone(frequency, 0.2 + 0.05 * int(file[0]), seconds=0.3), (0, 8000))
        samples, rate = soundfile.read(io.BytesIO(one["sound"]["bytes"]))
        assert (len(samples), rate) == (SMALL.samples, 8000)
        assert np.abs(samples - whole[: SMALL.samples].numpy()).max() <= 1e-4
    page = render(parted.run)
    differ = [one for one in rows if one["first_label"] != one["second_label"]]
    assert len(differ) == parted.run.record["evaluation"]["differ"] > 0
    assert all(page.count(b64encode(one["sound"]["bytes"]).decode()) >= 1 for one in differ)
    assert "Both classifiers got 12 recordings" in page
    assert "Real recordings" in page
    assert "eal picture" not in page


def test_recordings_have_room_before_samples(parted: gevaldi.Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [card["sound"] for card in Report(parted.run, 200).cards]
    monkeypatch.setattr(sounds, "BUDGET", 2 * sounds.size(whole))  # each is also on the first screen
    report = Report(parted.run, 200)
    assert [card["sound"] for card in report.cards] == whole
    assert report.gallery.listening
    assert report.gallery.listening.heard == 0


def test_a_generator_without_sound_is_refused_before_a_network_that_hears(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"ears takes waveforms of 16,000 Hz.*sound=LogMel\(\)"):
        gevaldi.compare(hearing(), seeing(), drawing(None), samples=2, out=tmp_path)


def test_a_generator_and_recordings_of_other_spectrograms_are_refused(tmp_path: Path) -> None:
    real = f"{tones(tmp_path / 'real')},floor=-60"
    with pytest.raises(SpecError, match="the real ones by LogMel"):
        gevaldi.compare(hearing(), seeing(), drawing(), samples=2, audited=10, real=real, out=tmp_path / "run")


def test_without_the_packages_of_sound_rows_have_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "is_installed", lambda: False)
    turned = gevaldi.classifier(nn.Sequential(Turned(), Sums()).eval(), LABELS, name="turned")
    done = gevaldi.compare(seeing(), turned, drawing(), samples=2, steps=2, audited=10, goal="most divergent", out=tmp_path)
    assert {row["sound_end"] for row in done.run.each()} == {None}
    assert any("pip install 'gevaldi[sound]'" in text for text in done.run.record["warnings"])


def test_members_that_hear_and_see_make_no_ensemble() -> None:
    with pytest.raises(SpecError, match="ears takes sound of 16,000 Hz, eyes takes pictures"):
        Ensemble([hearing(), seeing()])
    assert Ensemble([hearing(), hearing()]).hears == 16_000


@pytest.mark.parametrize(("hears", "words"), [(0, "hears=0"), (-8000, "hears=-8000")])
def test_what_is_no_rate_is_refused(hears: Any, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        hearing(hears=hears)


def test_a_network_that_hears_has_no_mean_and_std_of_pictures() -> None:
    with pytest.raises(SpecError, match="they belong to pictures"):
        hearing(mean=[0.5], std=[0.5])


def test_a_recording_is_heard_with_what_its_picture_cannot_show(tmp_path: Path) -> None:
    # Above 4,000 Hz a picture of 8,000 samples a second shows nothing, and the network hears 32,000.
    network = gevaldi.classifier(Bands([500, 6000], 32_000).eval(), ["low", "high"], name="ears", hears=32_000)
    recordings = {"low.wav": encoded(tone(500, rate=32_000), 32_000), "high.wav": encoded(tone(6000, rate=32_000), 32_000)}
    real = sources.load(folder_of(tmp_path / "real", recordings))
    log_p = officially(listening(network, real.sound), real.pictures, lambda: None)
    assert log_p is not None
    assert log_p.argmax(1).tolist() == [1, 0]  # by name: high.wav, low.wav
    pool = PoolOfPictures(real, tmp_path / "predictions", "cpu", None, Silent())
    found = pool.predictions(network)
    assert [found.classes[i].name for i in found.top[:, 0]] == ["high", "low"]


def test_a_pool_of_other_spectrograms_is_another_pool(tmp_path: Path) -> None:
    name = folder_of(tmp_path / "real", {"a.wav": encoded(tone(500)), "b.wav": encoded(tone(3000))})
    pools = [
        PoolOfPictures(sources.load(f"{name}{options}"), tmp_path / "p", "cpu", None, Silent()) for options in ("", ",mels=32")
    ]
    assert pools[0].state != pools[1].state
    assert pools[0].digest() != pools[1].digest()


def warned(first: gevaldi.Classifier, second: gevaldi.Classifier, real: str) -> list[str]:
    spec = Spec(first="object:first", second="object:second", generator="object:generator", real=real, samples=1)
    models = models_of(spec, first, second, drawing(), torch.device("cpu"))
    with prepare_torch(models):
        return range_warnings(models, [], spec)


def test_a_wrong_rate_is_named_with_the_right_one(tmp_path: Path) -> None:
    mistaken = gevaldi.classifier(Bands([500, 1500, 3000], 8_000).eval(), LABELS, name="mistaken", hears=16_000)
    (warning,) = warned(mistaken, hearing(), tones(tmp_path, 8))
    assert warning.startswith("The first classifier")
    assert "at 8,000 Hz" in warning
    assert "set hears=8000" in warning


@pytest.mark.parametrize(
    ("change", "words"),
    [(lambda x: 1 + torch.log10(x.clamp_min(1e-8)) / 8, "as power"), (lambda x: x.flip(2), "with low frequencies at the top")],
    ids=["power", "upside down"],
)
def test_another_form_of_spectrograms_is_named(tmp_path: Path, change: Callable[..., Any], words: str) -> None:
    class Expecting(nn.Module):
        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            return Sharp()(change(pictures))

    (warning,) = warned(hearing(), gevaldi.classifier(Expecting().eval(), LABELS, name="mistaken"), tones(tmp_path, 8))
    assert warning.startswith("The second classifier")
    assert words in warning


class Sharp(nn.Module):
    """Logits: the brightness of the rows of each frequency; the first has an advantage that only contrasts in dB overcome."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        centres = [2595 * math.log10(1 + f / 700) / (2595 * math.log10(1 + 4000 / 700)) for f in (500, 1500, 3000)]
        rows = [31 - round(centre * 33 - 1) for centre in centres]
        brightness = torch.stack([pictures[:, 0, row - 1 : row + 2].amax((1, 2)) for row in rows], 1)
        return 30 * (brightness + torch.tensor([0.15, 0, 0]))


def test_the_doctor_tries_a_network_that_hears_with_the_sound_of_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "_load", lambda name: hearing())
    lines = dict(inspection.inspect("python:ears").lines)
    assert lines["hears"] == "waveforms of 16,000 Hz"
    assert "64 x 64" in lines["tried with"]


# transformers


def saved(path: Path, network: Any, extractor: Any) -> str:
    network.save_pretrained(path)
    extractor.save_pretrained(path)
    return f"transformers:{path}"


def random_network(kind: str) -> tuple[Any, Any]:
    """A small network with random weights, and its feature extractor."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    common = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "num_labels": 3}
    if kind == "ast":
        config = transformers.ASTConfig(**common, max_length=64, num_mel_bins=32)
        return transformers.ASTForAudioClassification(config), transformers.ASTFeatureExtractor(num_mel_bins=32, max_length=64)
    if kind == "whisper":
        sizes = {
            "d_model": 16,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
        }
        config = transformers.WhisperConfig(**sizes, encoder_ffn_dim=16, decoder_ffn_dim=16, num_labels=3, classifier_proj_size=8)
        return transformers.WhisperForAudioClassification(config), transformers.WhisperFeatureExtractor()
    convolutions = {"conv_dim": (8, 8), "conv_stride": (5, 4), "conv_kernel": (10, 8), "num_feat_extract_layers": 2}
    positions = {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2, "classifier_proj_size": 8}
    network = transformers.Wav2Vec2ForSequenceClassification(transformers.Wav2Vec2Config(**common, **convolutions, **positions))
    return network, transformers.Wav2Vec2FeatureExtractor(do_normalize=kind == "wav2vec2")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wav2vec2", "wav2vec2 as it is", "ast"])
def test_an_audio_classifier_of_transformers_answers_as_with_its_own_feature_extractor(tmp_path: Path, kind: str) -> None:
    network, extractor = random_network(kind)
    classifier = load_classifier(saved(tmp_path, network.eval(), extractor))
    waveform = 0.1 * torch.randn(2, 9000, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        inputs = [extractor(one.numpy(), sampling_rate=16_000, return_tensors="pt") for one in waveform]
        expected = torch.cat([network(**own).logits for own in inputs]).log_softmax(-1)
    assert classifier.hears == 16_000
    assert torch.allclose(classifier(waveform), expected, atol=1e-5)
    assert torch.allclose(classifier.official(waveform[0].numpy()), expected[:1], atol=1e-5)  # type: ignore[misc]
    waveform.requires_grad_()
    (gradient,) = torch.autograd.grad(classifier(waveform)[:, 0].sum(), waveform)
    assert gradient.abs().sum() > 0


@pytest.mark.slow
def test_a_feature_extractor_that_is_not_known_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"WhisperFeatureExtractor, which is not known here.*hears=RATE"):
        load_classifier(saved(tmp_path, *random_network("whisper")))


# Properties


def of(waveform: torch.Tensor, name: str) -> float:
    return float(measure(LogMel().picture(waveform[None]), LogMel())[name][0])


@pytest.mark.parametrize("pitch", [80, 123, 200, 330])
def test_the_pitch_of_a_harmonic_tone_is_its_own(pitch: float) -> None:
    assert of(harmonic(pitch), "pitch") == pytest.approx(pitch, rel=0.03)


@pytest.mark.parametrize("frequency", [300, 1000, 2500])
def test_the_spectral_centroid_of_a_tone_is_its_frequency(frequency: float) -> None:
    assert of(tone(frequency), "spectral centroid") == pytest.approx(frequency, rel=0.02)


@pytest.mark.parametrize("amplitude", [1.0, 0.1, 0.01])
def test_the_loudness_of_a_tone_is_its_amplitude_in_decibels(amplitude: float) -> None:
    assert of(tone(1000, amplitude), "loudness") == pytest.approx(20 * math.log10(amplitude), abs=0.7)


@pytest.mark.parametrize(("begin", "end"), [(0.1, 0.4), (0.3, 0.9)])
def test_length_and_onset_are_those_of_a_burst(begin: float, end: float) -> None:
    assert of(harmonic(150, begin, end), "length") == pytest.approx(end - begin, abs=0.06)
    assert of(harmonic(150, begin, end), "onset") == pytest.approx(begin, abs=0.04)


@pytest.mark.parametrize("waveform", [torch.randn(9000, generator=torch.Generator().manual_seed(0)).double() / 10, tone(2500)])
def test_noise_and_a_whistle_have_no_pitch_of_a_voice(waveform: torch.Tensor) -> None:
    assert math.isnan(of(waveform, "pitch"))


def test_silence_has_no_property() -> None:
    measured = measure(torch.zeros(1, 1, 64, 64), LogMel())
    assert all(np.isnan(values).all() for values in measured.values())
    assert {describe(name, True) for name in measured} >= {"louder", "higher in pitch"}
    assert unit_of("pitch") == " Hz"


def test_regions_of_sounds_are_described_by_their_properties(compared: gevaldi.Comparison) -> None:
    models = models_of(compared.run.spec, hearing(), seeing(), drawing(), torch.device("cpu"))
    with prepare_torch(models):
        columns = Drawing(models, compared.run.spec).columns(0)
    assert not any(columns["error"])
    assert "property_pitch" in columns
    assert "property_slant" not in columns


# everything that compares networks works for those that hear


@pytest.fixture
def ears(tmp_path: Path) -> str:
    """A network that hears, by a name; `hot` is the same one of a third of the confidence."""
    path = tmp_path / "networks.py"
    path.write_text(
        "import gevaldi\nfrom torch import nn\nfrom test_sounds import Bands, LABELS, hearing\n"
        "class Hot(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.inner = Bands([500, 1500, 3000], 16_000)\n"
        "    def forward(self, waveform):\n        return self.inner(waveform) / 3\n"
        "def ears():\n    return hearing()\n"
        "def hot():\n    return gevaldi.classifier(Hot().eval(), LABELS, hears=16_000)\n"
    )
    return f"python:{path}"


def test_a_referee_that_hears_agrees_with_itself(parted: gevaldi.Comparison, ears: str) -> None:
    found = judge(parted.run, f"{ears}:ears")
    survive = [row for row in parted.run.each() if row["survives_storage"]]
    apart = [row for row in survive if row["first_end"][0]["label"] != row["second_end"][0]["label"]]
    assert apart
    assert found.end.first >= len(apart)
    assert (found.right, found.known) == (12, 12)
    assert found.real.first == found.real.total == parted.run.record["evaluation"]["differ"] > 0


def test_a_third_of_the_confidence_has_a_third_of_the_temperature_of_recordings(tmp_path: Path, ears: str) -> None:
    recordings = tones(tmp_path / "real", 12)
    for name in ("low", "middle"):  # three of each are in the folder of the next class, so that not all are read right
        for i in range(3):
            (tmp_path / "real" / name / f"{i}.wav").rename(tmp_path / "real" / LABELS[LABELS.index(name) + 1] / f"x{i}.wav")
    plain, hot = (load_classifier(f"calibrated:({ears}:{name}),pictures=({recordings})") for name in ("ears", "hot"))
    assert isinstance(plain, Tempered)
    assert isinstance(hot, Tempered)
    assert plain.hears == hot.hears == 16_000
    assert float(hot.temperature) == pytest.approx(float(plain.temperature) / 3, rel=1e-3)


def test_a_sweep_of_two_that_hear_and_see_has_the_rows_of_their_comparison(compared: gevaldi.Comparison, tmp_path: Path) -> None:
    how: dict[str, Any] = {"samples": 2, "steps": 6, "audited": 20, "seed": 1, "progress": False}
    found = gevaldi.sweep(
        {"ears": hearing(), "eyes": seeing()}, drawing(), real=tones(tmp_path / "real"), out=tmp_path / "sweep", **how
    )
    (run,) = found.runs.values()
    pd.testing.assert_frame_equal(run.rows(), compared.rows())
    audit = compared.run.record["audit"]["generated"]
    assert found.matrix("disagreement", DRAWN).loc["ears", "eyes"] == audit["disagreements"] / audit["pictures"]


def test_set_distances_of_sounds_are_those_of_their_classes(tmp_path: Path) -> None:
    digits = ["five", "nine", "two"]
    first = gevaldi.classifier(Bands([500, 1500, 3000], 16_000).eval(), digits, name="ears", hears=16_000)
    second = gevaldi.classifier(Sums().eval(), digits, name="eyes")
    done = gevaldi.compare(
        first, second, drawing(), samples=2, steps=4, audited=10, goal="most divergent", taxonomy="spoken-digits", out=tmp_path
    )
    matrix = distances(done.run.taxonomy())
    assert matrix[0, 1] == 0.5  # five and nine have the nearest node in common, which is two edges
    for row in done.run.each():
        for stage in ("start", "end"):
            one, other = (row[f"{side}_{stage}"][0]["label"] for side in ("first", "second"))
            assert row[f"set_distance_1_{stage}"] == matrix[one, other]
        assert row["sound_end"]


@pytest.mark.parametrize("missing", ["soundfile", "torchaudio"])
def test_the_demo_of_sounds_names_the_missing_package_before_it_computes(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = find_spec
    monkeypatch.setitem(sys.modules, missing, None)  # so that importing it fails
    monkeypatch.setattr(files, "find_spec", lambda name: None if name == missing else installed(name))
    monkeypatch.setattr(audit, "drawn_pictures", lambda *unused: pytest.fail("pictures were drawn"))
    done = CliRunner().invoke(app, ["demo", "--world", "speech", "--out", str(tmp_path / "run")])
    assert done.exit_code != 0
    assert f"needs the package {missing}, which is not installed. Install it with: pip install 'gevaldi[sound]'" in " ".join(
        str(done.exception or done.output).split()
    )
    assert not (tmp_path / "run").exists()
