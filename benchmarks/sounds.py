"""Whether people hear what a classifier saw: the picture of a sonified picture, against that picture; and pitch from pictures.

    python benchmarks/sounds.py DATA [COUNT]
    python benchmarks/sounds.py drawn [COUNT]

`DATA` holds the folder `fsdd/recordings`; with `drawn`, the pictures are those of `bundled:speech-vae` instead, equally many of
each digit. For every number of iterations of Griffin-Lim: the mean distance between the log-mel
picture of a recording and that of its sonification, stored in 8 and 16 bits as rows store both; over all pixels, and over those
within 50 dB of full scale; and milliseconds of a processor for a picture. Then the pitch measured from pictures, against the
autocorrelation of the waveform.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from gevaldi.generators import load_generator
from gevaldi.properties import measure
from gevaldi.sounds.files import read
from gevaldi.sounds.log_mel import LogMel
from gevaldi.sounds.recordings import stored

LOUD = 50  # dB
CLEAR = 0.6  # of the autocorrelation, above which a frame has a pitch


def recordings(folder: Path, count: int) -> torch.Tensor:
    """So many recordings, evenly spaced over all."""
    paths = sorted(folder.glob("*.wav"))
    chosen = [paths[i * len(paths) // count] for i in range(count)]
    return torch.stack([read(path.read_bytes(), str(path)).lasting(LogMel().samples / LogMel().rate).waveform for path in chosen])


@torch.no_grad()
def drawn(count: int) -> torch.Tensor:
    """So many pictures of the bundled generator of spoken digits."""
    generator = load_generator("bundled:speech-vae")
    pictures: torch.Tensor = generator(generator.prior.sample(range(count)), torch.arange(count) % len(generator.conditions))
    return pictures


def table(pictures: torch.Tensor) -> None:
    """Print a row for each number of iterations."""
    print("| iterations | distance | of 95 % below | of loud pixels | a picture |\n|---|---|---|---|---|")
    for iterations in (1, 8, 16, 32, 100):
        distances(pictures, iterations)


def distances(pictures: torch.Tensor, iterations: int) -> None:
    """Print the row of a number of iterations."""
    sound = LogMel(iterations=iterations)
    levels = (pictures * 255).round() / 255
    begun = time.process_time()
    heard = torch.cat([sound.waveform(one[None]) for one in levels])
    seconds = time.process_time() - begun
    decibels = -sound.floor * (sound.picture(stored(heard)) - pictures).abs()
    loud = decibels[pictures > 1 + LOUD / sound.floor]
    each = decibels.mean((1, 2, 3))
    print(
        f"| {iterations} | {decibels.mean():.2f} dB | {each.quantile(0.95):.2f} dB | {loud.mean():.2f} dB | "
        f"{1000 * seconds / len(pictures):.0f} ms |"
    )


def autocorrelated(waveform: torch.Tensor, rate: int) -> float:
    """The median over loud, periodic frames of the pitch by the normalised autocorrelation [Boersma 1993]."""
    window = torch.hann_window(512)
    frames = torch.nn.functional.pad(waveform, (256, 256)).unfold(0, 512, 128) * window
    energy = frames.square().sum(1)
    own, of_window = (torch.fft.irfft(torch.fft.rfft(values, 1024).abs() ** 2) for values in (frames, window))
    normalised = own / own[:, :1].clamp_min(1e-12) / (of_window / of_window[0])
    shortest, longest = rate // 400, rate // 60
    value, lag = normalised[:, shortest:longest].max(1)
    good = (energy > energy.max() * 10**-1.5) & (value > CLEAR)
    return (rate / (lag[good] + shortest)).median().item() if good.sum() > 2 else float("nan")


def main() -> None:
    torch.set_num_threads(1)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    if sys.argv[1] == "drawn":
        table(drawn(count))
        return
    waveforms = recordings(Path(sys.argv[1]) / "fsdd" / "recordings", count)
    pictures = LogMel().picture(waveforms)
    table(pictures)
    pitch = measure(pictures, LogMel())["pitch"]
    oracle = np.array([autocorrelated(one, LogMel().rate) for one in waveforms])
    both = ~np.isnan(pitch) & ~np.isnan(oracle)
    ratio = np.abs(np.log2(pitch[both] / oracle[both]))
    print(
        f"pitch: {both.sum()} of {count}; {100 * (ratio < np.log2(1.1)).mean():.0f} % within 10 %, median error "
        f"{100 * (2 ** np.median(ratio) - 1):.1f} %, Spearman {spearmanr(pitch[both], oracle[both])[0]:.2f}"
    )


if __name__ == "__main__":
    main()
