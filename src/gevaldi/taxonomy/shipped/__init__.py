"""Taxonomies that ship with GeValDi."""
