"""From starts to samples: scheduling, search, recording, results."""
