"""Work inside this process: its own thread, or a pool of threads."""
