"""Pictures that can be heard: log-mel spectrograms, the waveforms that belong to them, and their files."""
