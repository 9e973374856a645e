"""The reader of spoken digits, against files written here and against the files that were distributed."""

import re

import numpy as np
import pytest
import soundfile
import torch

from conftest import SPEECH as FOLDER
from conftest import needs_speech
from gevaldi.bundled.recordings import RATE, write_recordings
from gevaldi.bundled.worlds import SPEECH
from gevaldi.errors import DataError


def hummed(folder, train):
    """A small data set of two speakers. The digit n is a hum of 300 · (n + 1) Hz, with noise: easy to hear."""
    random, time = np.random.default_rng(0), np.arange(3000) / RATE
    for digit in range(10):
        for speaker in ("ann", "bob"):
            for index in range(5 + train // 20):
                hum = 0.3 * np.sin(2 * np.pi * 300 * (digit + 1) * time) + 0.001 * random.normal(size=len(time))
                soundfile.write(folder / f"{digit}_{speaker}_{index}.wav", hum, RATE, subtype="PCM_16")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return hummed(tmp_path_factory.mktemp("recordings"), 120)


def test_the_first_five_of_each_digit_and_speaker_are_for_testing_and_indices_count_as_numbers(folder):
    test, train = SPEECH.data.read("test", folder), SPEECH.data.read("train", folder)
    assert test.names == [f"{digit}_{speaker}_{i}" for digit in range(10) for speaker in ("ann", "bob") for i in range(5)]
    assert train.names[:6] == [f"0_ann_{i}" for i in range(5, 11)]
    assert test.labels.bincount().tolist() == [10] * 10


def test_a_picture_is_the_log_mel_spectrogram_of_its_recording(folder):
    test = SPEECH.data.read("test", folder)
    samples, _ = soundfile.read(folder / "7_bob_3.wav", dtype="float32")
    at = test.names.index("7_bob_3")
    assert torch.equal(test.recordings[at].waveform[: len(samples)], torch.from_numpy(samples))
    alone = SPEECH.data.sound().picture(torch.from_numpy(samples)[None])
    assert torch.allclose(test.pictures[at : at + 1], alone, atol=1e-5)


def test_the_brightest_row_of_a_hum_is_that_of_its_frequency(folder):
    """Rows are equally far apart in mel = 2595 · log10(1 + f / 700), the lowest at the bottom."""
    test = SPEECH.data.read("test", folder)
    rows = 63 - test.pictures[:, 0, :, 5:15].mean(2).argmax(1)
    mel = 2595 * torch.log10(1 + 300 * (test.labels + 1) / 700)
    most = 2595 * np.log10(1 + RATE / 2 / 700)
    assert (rows + 1 - mel / most * 65).abs().max() <= 1


def test_the_folder_of_the_recordings_and_the_one_above_it_are_the_same(folder, tmp_path):
    (tmp_path / "recordings").symlink_to(folder)
    assert SPEECH.data.read("test", tmp_path).fingerprint() == SPEECH.data.read("test", folder).fingerprint()


def test_a_folder_without_recordings_is_answered_with_what_they_are_called(tmp_path):
    with pytest.raises(DataError, match=r"No test recordings .* holds none.*7_jackson_12\.wav"):
        SPEECH.data.read("test", tmp_path)
    with pytest.raises(DataError, match="there is no such folder"):
        SPEECH.data.read("test", tmp_path / "nowhere")


def test_no_folder_is_answered_with_where_to_get_one():
    with pytest.raises(DataError, match=r"free-spoken-digit-dataset.*gevaldi train speech --data FOLDER"):
        SPEECH.data.read("train")


def test_a_damaged_recording_is_named(tmp_path):
    (tmp_path / "1_ann_0.wav").write_bytes(b"RIFF")
    with pytest.raises(DataError, match=r"1_ann_0\.wav cannot be read as a recording"):
        SPEECH.data.read("test", tmp_path)


def test_a_recording_of_another_rate_is_refused(tmp_path):
    soundfile.write(tmp_path / "1_ann_0.wav", np.zeros(500), 16000)
    with pytest.raises(DataError, match=r"16,000 samples a second; those .* have 8,000"):
        SPEECH.data.read("test", tmp_path)


def test_what_is_written_to_ship_is_read_back(folder, tmp_path, monkeypatch):
    write_recordings(folder, tmp_path / "few.flac")
    monkeypatch.setattr("gevaldi.bundled.recordings.SHIPPED", tmp_path / "few.flac")
    few, test = SPEECH.data.shipped(), SPEECH.data.read("test", folder)
    assert few.names == [name for name in test.names if name[-1] in "01"]
    for name, recording in zip(few.names, few.recordings, strict=True):
        assert torch.equal(recording.waveform, test.recordings[test.names.index(name)].waveform)


def test_as_many_recordings_of_each_digit_and_speaker_ship_and_are_named_after_both():
    shipped = SPEECH.data.shipped()
    parts = [re.fullmatch(r"(\d)_([a-z]+)_[01]", name).groups() for name in shipped.names]
    assert [int(digit) for digit, _ in parts] == shipped.labels.tolist()
    assert all(parts.count(part) == 2 for part in parts)
    assert len({speaker for _, speaker in parts}) == 6
    assert len(set(shipped.names)) == len(shipped) == 120


@needs_speech
def test_the_recordings_that_ship_are_those_of_the_test_set_to_the_sample():
    shipped = SPEECH.data.shipped()
    for name, recording in zip(shipped.names, shipped.recordings, strict=True):
        samples, _ = soundfile.read(next(FOLDER.glob(f"**/{name}.wav")), dtype="float32")
        heard = min(len(samples), 63 * 128)
        assert np.array_equal(recording.waveform[:heard].numpy(), samples[:heard])
        assert not recording.waveform[heard:].any()


@pytest.mark.slow
@needs_speech
def test_the_official_split_has_300_recordings_for_testing_and_2700_for_training():
    assert len(list(FOLDER.glob("**/*_[0-4].wav"))) == len(SPEECH.data.read("test", FOLDER)) == 300
    assert len(SPEECH.data.read("train", FOLDER)) == 2700
