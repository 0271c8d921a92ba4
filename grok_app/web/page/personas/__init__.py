"""Personas: the shipped ones, and a visitor's own."""
