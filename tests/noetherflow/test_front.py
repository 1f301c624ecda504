"""The names of `noetherflow`: lazy, complete, and from its own packages."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import noetherflow as nf


ROOT = Path(nf.__file__).resolve().parent.parent
PUBLIC = [
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


def _python(code: str, *path: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter with these folders, then ours, on its path."""
    places = os.pathsep.join(map(str, (*path, ROOT)))
    return subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={**os.environ, "PYTHONPATH": places},
        capture_output=True,
        text=True,
        check=False,
    )


def test_public_names_are_listed_verbatim() -> None:
    assert nf.__all__ == PUBLIC
    assert {*PUBLIC, "__version__"} <= set(dir(nf))


@pytest.mark.parametrize("name", PUBLIC)
def test_each_name_is_the_object_of_its_home(name: str) -> None:
    home = importlib.import_module(nf._home(name))

    assert getattr(nf, name) is getattr(home, name)


def test_verify_is_the_function_even_after_its_package_was_imported() -> None:
    importlib.import_module("verify")

    assert callable(nf.verify)
    assert not isinstance(nf.verify, ModuleType)


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'derive_all'"):
        nf.derive_all  # noqa: B018


def test_version_is_a_string() -> None:
    assert nf.__version__[0].isdigit()


def test_importing_loads_nothing_heavy() -> None:
    heavy = {"sympy", "numpy", "torch", "click", "symbolic"}
    done = _python(f"import noetherflow, sys; print({heavy!r} & set(sys.modules))")

    assert done.stdout == "set()\n", done.stderr


def test_declaring_does_not_load_torch() -> None:
    done = _python(
        "import noetherflow as nf, sys; nf.derive; print('torch' in sys.modules)"
    )

    assert done.stdout == "False\n", done.stderr


@pytest.mark.parametrize("form", ["{}.py", "{}/__init__.py"])
@pytest.mark.parametrize("name", ["symbolic", "numeric", "verify", "reports"])
def test_a_package_that_shadows_ours_is_named(
    name: str, form: str, tmp_path: Path
) -> None:
    impostor = tmp_path / form.format(name)
    impostor.parent.mkdir(exist_ok=True)
    impostor.write_text("")
    metadata = tmp_path / "impostor-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: impostor\n")
    (metadata / "RECORD").write_text(f"{form.format(name)},,\n")
    done = _python("import noetherflow as nf; nf.derive", tmp_path)

    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert str(impostor) in last
    assert "distribution impostor" in last


def test_a_folder_without_init_does_not_shadow(tmp_path: Path) -> None:
    (tmp_path / "verify").mkdir()
    done = _python("import noetherflow as nf; nf.derive", tmp_path)

    assert done.returncode == 0, done.stderr


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    assert "found none" in nf._complaint("no_such_package", tmp_path)
