"""Doors: the places that ask and enforce (PEP)."""
