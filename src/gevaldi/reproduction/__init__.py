"""The paper's figures made again in several worlds, and its claims tested on what comes out."""
