"""This machine: its clock, its identifiers, its hardware."""
