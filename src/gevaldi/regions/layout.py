"""Places pictures on a map: those that look alike are neighbours."""

import numpy as np
from jaxtyping import Float

COMPONENTS = 30  # principal components that the map starts from
PERPLEXITY = 30  # neighbours that a picture should keep; fewer of few pictures
FEWEST = 5  # fewer pictures stand in a row


def map_of(vectors: Float[np.ndarray, "pictures features"]) -> Float[np.ndarray, "pictures 2"]:
    """Two coordinates in [0, 1] for each picture, by t-SNE [van der Maaten 2008] of principal components.

    Only neighbourhood means anything: neither the distance of far pictures nor the size of a group does.
    """
    vectors = vectors[:, np.isfinite(vectors).all(0)]
    vectors = vectors[:, vectors.std(0) > 0] if len(vectors) else vectors
    if len(vectors) < FEWEST or vectors.shape[1] == 0:
        return np.stack([(np.arange(len(vectors)) + 0.5) / max(1, len(vectors)), np.full(len(vectors), 0.5)], 1)
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    count = min(COMPONENTS, *vectors.shape)
    components = PCA(count, svd_solver="full").fit_transform(vectors)
    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    places = TSNE(init="random" if count < 2 else "pca", perplexity=perplexity, random_state=0).fit_transform(components)
    low, high = places.min(0), places.max(0)
    scaled: np.ndarray = (places - low) / np.maximum(high - low, 1e-12)
    return scaled
