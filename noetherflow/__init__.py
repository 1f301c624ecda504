"""Derive, compile and verify what SGD noise does along the symmetries of a loss.

Names are imported when first used, so that `import noetherflow` costs nothing.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from noetherflow._pytest import parametrize_with_claims
    from numeric import (
        Action,
        Certificate,
        DataMoments,
        Generator,
        ModelLoss,
        NoDensityError,
        StationaryDensity,
        certify_equilibria,
        certify_equilibrium,
        compile,
        compile_loss,
        matrix_balance,
        matrix_rescaling,
        minimise_on_orbit,
        noise_equilibrium,
        noise_matrix,
        noise_moments,
        noise_trace,
        rescaling,
        scaling,
        simulate,
    )
    from symbolic import (
        Constant,
        Declaration,
        DeclarationError,
        Derivation,
        Finding,
        Loss,
        MatrixDerivation,
        NoCharge,
        ParameterSpace,
        Symmetry,
        Verdict,
        Witness,
        catalogue,
        derive,
        discrete_laws,
        integrating_factor,
        lie_algebra,
        load,
        loads,
        relu,
    )
    from verify import (
        Campaign,
        UserClaim,
        claim,
        verify,
        verify_claims,
    )

    __version__: str


__all__ = [
    "Action",
    "Campaign",
    "Certificate",
    "Constant",
    "DataMoments",
    "Declaration",
    "DeclarationError",
    "Derivation",
    "Finding",
    "Generator",
    "Loss",
    "MatrixDerivation",
    "ModelLoss",
    "NoCharge",
    "NoDensityError",
    "ParameterSpace",
    "StationaryDensity",
    "Symmetry",
    "UserClaim",
    "Verdict",
    "Witness",
    "catalogue",
    "certify_equilibria",
    "certify_equilibrium",
    "claim",
    "compile",
    "compile_loss",
    "derive",
    "discrete_laws",
    "integrating_factor",
    "lie_algebra",
    "load",
    "loads",
    "matrix_balance",
    "matrix_rescaling",
    "minimise_on_orbit",
    "noise_equilibrium",
    "noise_matrix",
    "noise_moments",
    "noise_trace",
    "parametrize_with_claims",
    "relu",
    "rescaling",
    "scaling",
    "simulate",
    "verify",
    "verify_claims",
]

_PACKAGES = ("symbolic", "numeric", "verify", "reports")
_NUMERIC = frozenset(
    {
        "Action",
        "Certificate",
        "DataMoments",
        "Generator",
        "ModelLoss",
        "NoDensityError",
        "StationaryDensity",
        "certify_equilibria",
        "certify_equilibrium",
        "compile",
        "compile_loss",
        "matrix_balance",
        "matrix_rescaling",
        "minimise_on_orbit",
        "noise_equilibrium",
        "noise_matrix",
        "noise_moments",
        "noise_trace",
        "rescaling",
        "scaling",
        "simulate",
    }
)
_VERIFY = frozenset(
    {
        "Campaign",
        "UserClaim",
        "claim",
        "verify",
        "verify_claims",
    }
)


def __getattr__(name: str) -> Any:
    """Import a public name on first use.

    Args:
        name: one of `__all__`, or `__version__`.

    Returns:
        The object, kept for the next use.

    Raises:
        AttributeError: there is no such name.
    """
    if name == "__version__":
        value = _version()
    elif name in __all__:
        _check_packages()
        value = getattr(importlib.import_module(_home(name)), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


def _home(name: str) -> str:
    """Return the module a public name comes from."""
    if name == "parametrize_with_claims":  # it imports pytest
        return "noetherflow._pytest"
    if name in _NUMERIC:
        return "numeric"
    return "verify" if name in _VERIFY else "symbolic"


def _version() -> str:
    """Return the installed version; a bare checkout has none."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("noetherflow")
    except PackageNotFoundError:
        return "0+not.installed"


def _check_packages() -> None:
    """Make sure that the four packages are those that came with this one.

    Raises:
        ImportError: another package of that name is found first, or none.
    """
    complaints = _shadowed()
    if complaints:
        raise ImportError(" ".join(complaints))


def _shadowed() -> list[str]:
    """Return one complaint for each of the four packages that is not our own."""
    home = Path(__file__).resolve().parent.parent
    return [text for name in _PACKAGES if (text := _complaint(name, home))]


def _complaint(name: str, home: Path) -> str:
    """Return what is wrong with where a package is found; "" for nothing."""
    expected = home / name / "__init__.py"
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # a module put into sys.modules by hand has no __spec__
        spec = None
    if spec is None:
        return (
            f"Expected the package {name!r} at {expected}, found none. "
            "Install noetherflow again."
        )
    if spec.origin is not None and Path(spec.origin).resolve() == expected:
        return ""
    place = spec.origin or ", ".join(spec.submodule_search_locations or ())
    return (
        f"Expected the package {name!r} at {expected}, but {place or 'another one'}"
        f"{_owners(name)} is found first. {_remedy(name)}"
    )


def _owners(name: str) -> str:
    """Return which distributions install a package of that name, in words."""
    from importlib.metadata import packages_distributions

    owners = sorted(set(packages_distributions().get(name, ())) - {"noetherflow"})
    return f" (from the distribution {', '.join(owners)})" if owners else ""


def _remedy(name: str) -> str:
    """Return how to get rid of a package that shadows ours."""
    return (
        "Uninstall that distribution, or use noetherflow in a virtual environment of "
        f"its own and away from a folder or file called {name!r}."
    )
