"""The routes: each checks a statement in one way."""
