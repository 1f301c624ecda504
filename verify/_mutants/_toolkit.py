"""All mutants of the toolkit's own formulas."""

from __future__ import annotations

from verify._mutants._mutant import Mutant
from verify._mutants._toolkit_exact import EXACT
from verify._mutants._toolkit_layers import LAYERS
from verify._mutants._toolkit_numeric import NUMERIC
from verify._mutants._toolkit_routes import ROUTES
from verify._mutants._toolkit_symbolic import SYMBOLIC
from verify._mutants._toolkit_words import WORDS


TOOLKIT: tuple[Mutant, ...] = (*EXACT, *ROUTES, *LAYERS, *SYMBOLIC, *WORDS, *NUMERIC)
