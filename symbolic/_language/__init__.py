"""Expressions of the declaration language: text to a tree, and what it means."""
