"""Results in other tools: experiment trackers, model cards, pull requests. A tool is one file that reads `Contents`."""
