"""The ports as executable tests, for every adapter: ours and other people's."""
