"""Measured speed and memory; each module is run by a command of the Makefile."""
