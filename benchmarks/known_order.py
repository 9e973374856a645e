"""Which of the ImageNet networks at hand learnt WordNet's hierarchy best, without any search: how far their wrong classes lie.

`python benchmarks/known_order.py DATA`: for each network, on 500 labelled pictures, the levels from the true class to the most
probable wrong one in the mean. `experiments/hierarchy-pictures.yaml` takes the order of its networks from here.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from imagenet_world import data_folder

from gevaldi.classifiers import load_classifier
from gevaldi.pictures import load_pictures
from gevaldi.statistics.intervals import mean
from gevaldi.taxonomy import distances, registry

NETWORKS = {
    "SqueezeNet 1.0": "squeezenet1_0,weights={}/squeezenet1_0_deepcompressed.safetensors",
    "SqueezeNet 1.1": "squeezenet1_1,weights={}/squeezenet1_1_caffe_fp16.safetensors",
    "MobileNetV2": "mobilenet_v2,weights={}/mobilenet_v2_tf2_fp16.safetensors,mean=0.5,std=0.5,padding=tensorflow",
}


def main(data: Path) -> None:
    taxonomy = registry.build("ilsvrc")
    levels = distances(taxonomy, "published")
    real = load_pictures(f"folder:{data / 'imagenet' / 'pictures'}", (3, 256, 256))
    truth = np.array([taxonomy.classes.index(name) for name in real.classes])
    print("| network | top-1 | levels to the most probable wrong class (95 %) | the same on errors only |")
    print("|---|---|---|---|")
    for name, where in NETWORKS.items():
        classifier = load_classifier("torchvision:" + where.format(data / "imagenet" / "weights")).eval()
        with torch.no_grad():
            tops = torch.cat([classifier(part).topk(2).indices for part in torch.stack(real.pictures).split(25)]).numpy()
        right = tops[:, 0] == truth
        wrong = np.where(right, tops[:, 1], tops[:, 0])
        every, errors = mean(list(levels[wrong, truth])), mean(list(levels[wrong, truth][~right]))
        cells = [f"{e.value:.2f} ({e.low:.2f} to {e.high:.2f})" for e in (every, errors)]
        print(f"| {name} | {100 * right.mean():.1f} % | {cells[0]} | {cells[1]} |")


if __name__ == "__main__":
    found = data_folder(sys.argv[1:])
    if found:
        main(found)
