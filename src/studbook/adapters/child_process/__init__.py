"""Child processes of the operating system."""
