"""The released files <-> arrays on devices."""
