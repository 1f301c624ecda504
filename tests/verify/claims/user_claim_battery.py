"""Statements about eight declarations, true and false, to try user claims on."""

from __future__ import annotations

from functools import lru_cache

from symbolic import Declaration, loads


_TEXTS = {
    "rescaling": """
        [parameters]
        u = []
        w = []
        [data]
        x = []
        y = []
        [symmetry]
        matrix = [["1", "0"], ["0", "-1"]]
        [loss]
        expression = "(u*w*x - y)**2"
    """,
    "scaling": """
        [parameters]
        u = []
        w = []
        [data]
        x = []
        y = []
        [symmetry]
        matrix = [["1", "0"], ["0", "1"]]
        [loss]
        expression = "(w*x/u - y)**2"
    """,
    "factorisation": """
        [parameters]
        U = [1, 2]
        W = [2, 2]
        [data]
        x = [2]
        y = []
        [symmetry]
        generator = { U = "U", W = "-W" }
        [loss]
        expression = "norm2(U*W*x - y)"
    """,
    "affine": """
        [parameters]
        a = []
        b = []
        [data]
        x = []
        y = []
        [symmetry]
        generator = { a = "1 + a", b = "-1 - b" }
        [loss]
        expression = "((1 + a)*(1 + b)*x - y)**2"
    """,
    "nonlinear": """
        [parameters]
        u = []
        v = []
        [data]
        x = []
        y = []
        [symmetry]
        generator = { u = "u**2", v = "-v**2" }
        [loss]
        expression = "(u*v*x/(u + v) - y)**2"
    """,
    "cubic": """
        [parameters]
        p = []
        q = []
        [data]
        x = []
        y = []
        [symmetry]
        matrix = [["1", "0"], ["0", "-2"]]
        [loss]
        expression = "(p**2*q*x - y)**2"
    """,
    "wide": """
        [parameters]
        u = [4]
        w = [4]
        [data]
        x = []
        y = []
        [symmetry]
        generator = { u = "u", w = "-w" }
        [loss]
        expression = "(dot(u, w)*x - y)**2"
    """,
    "tanh": """
        [parameters]
        u = []
        w = []
        [data]
        x = []
        y = []
        [symmetry]
        matrix = [["1", "0"], ["0", "-1"]]
        [loss]
        expression = "(tanh(u*w*x) - y)**2"
    """,
    "rotation": """
        [parameters]
        u = []
        w = []
        [data]
        x = []
        y = []
        [symmetry]
        matrix = [["0", "1"], ["-1", "0"]]
        [loss]
        expression = "((u**2 + w**2)*x - y)**2"
    """,
}


@lru_cache(maxsize=16)
def declared(name: str, claims: str = "") -> Declaration:
    """Return one of the declarations, with `[claim]` tables as TOML."""
    return loads(f'schema = 1\nname = "{name}"\n{_TEXTS[name]}\n{claims}')


Row = tuple[str, str, str, str, dict[str, object]]
_STEP = "((1 - 2*eta*gamma)**2 - 1)*charge + eta**2/2*(signal + trace_sigma_A/S)"

TRUE: tuple[Row, ...] = (
    ("rescaling", "flow", "==", "sigma2*trace_sigma_A - 4*gamma*charge", {}),
    (
        "rescaling",
        "exact_step",
        "==",
        "((1 - 2*eta*gamma)**2 - 1)*charge + eta**2/2*(signal + trace_sigma_A/S)",
        {},
    ),
    ("rescaling", "trace_sigma_A2", "==", "trace_sigma", {}),
    ("rescaling", "norm2_theta*trace_sigma_A", "==", "-2*charge*trace_sigma", {}),
    ("rescaling", "grad_J", "==", "0", {}),
    ("rescaling", "flow*charge", "<=", "0", {}),
    ("rescaling", "flow*charge", "<", "0", {"given": "noise*charge != 0"}),
    ("rescaling", "G", "nonincreasing", "", {"along": "orbit"}),
    ("rescaling", "potential", "nondecreasing", "", {"along": "gamma"}),
    ("rescaling", "exp(4*lam_star)*u**2", "==", "w**2", {"given": "gamma == 0"}),
    ("rescaling", "noise", "==", "0", {"given": ["u == w"]}),
    ("scaling", "flow", "==", "sigma2*trace_sigma - 2*gamma*norm2_theta", {}),
    ("scaling", "exact_step", ">=", "0", {"given": "gamma == 0"}),
    ("scaling", "flow", ">=", "0", {"given": "gamma == 0"}),
    ("scaling", "trace_sigma*norm2_theta", ">=", "0", {}),
    ("scaling", "trace_sigma", "nonincreasing", "", {"along": "orbit"}),
    (
        "scaling",
        "exp(4*lam_star)*norm2_theta",
        "==",
        "eta*trace_sigma/(4*S*gamma)",
        {"given": "gamma > 0"},
    ),
    ("factorisation", "flow", "==", "noise - 4*gamma*charge", {}),
    ("factorisation", "charge", "==", "(norm2(U) - norm2(W))/2", {}),
    ("affine", "decay", "==", "-2*gamma*(a*(1 + a) - b*(1 + b))", {}),
    ("affine", "charge", "==", "a**2/2 + a - b**2/2 - b", {}),
    ("nonlinear", "charge", "==", "(u**3 - v**3)/3", {}),
    ("nonlinear", "theta_J", "==", "3*charge", {}),
    ("nonlinear", "flow", "==", "noise - 6*gamma*charge", {}),
    ("cubic", "signal", "<=", "grad_norm2", {}),
    ("cubic", "trace_sigma_A2", "<=", "4*trace_sigma", {}),
    ("cubic", "trace_sigma_A", ">=", "-2*trace_sigma", {}),
    ("wide", "charge", "==", "(norm2(u) - norm2(w))/2", {}),
    ("tanh", "trace_sigma_A2", "==", "trace_sigma", {}),
    ("tanh", "loss", ">=", "0", {}),
    ("tanh", "grad_J", "==", "0", {}),
    ("rotation", "theta_J", "==", "0", {}),
    ("rotation", "norm2_J", "==", "norm2_theta", {}),
    ("rotation", "trace_sigma_A2", "==", "-trace_sigma", {}),
)

FALSE: tuple[Row, ...] = (
    ("rescaling", "flow", "==", "sigma2*trace_sigma_A - 2*gamma*charge", {}),
    ("rescaling", "flow", "==", "noise", {}),
    ("rescaling", "exact_step", "==", "eta*flow", {}),
    (
        "rescaling",
        "exact_step",
        "==",
        "((1 - 2*eta*gamma)**2 - 1)*charge + eta**2/2*trace_sigma_A/S",
        {},
    ),
    ("rescaling", "trace_sigma_A", "==", "trace_sigma", {}),
    ("rescaling", "trace_sigma", ">", "0", {}),
    ("rescaling", "flow*charge", "<", "0", {}),
    ("rescaling", "grad_norm2", ">", "0", {}),
    ("rescaling", "norm2_theta", ">", "0", {}),
    ("rescaling", "charge", "!=", "0", {}),
    ("rescaling", "G", "decreasing", "", {"along": "orbit"}),
    ("rescaling", "noise", ">=", "0", {}),
    ("rescaling", "trace_sigma", "increasing", "", {"along": "orbit"}),
    ("rescaling", "noise", "nonincreasing", "", {"along": "S"}),
    ("rescaling", "lam_star", "<=", "2", {}),
    ("rescaling", "exp(2*lam_star)*u**2", "==", "w**2", {"given": "gamma == 0"}),
    ("rescaling", "trace_M2", "==", "trace_sigma", {}),
    ("rescaling", "potential", "increasing", "", {"along": "gamma"}),
    ("scaling", "flow", "==", "sigma2*trace_sigma - gamma*norm2_theta", {}),
    ("scaling", "flow", ">=", "0", {}),
    ("scaling", "flow", ">", "0", {"given": "gamma == 0"}),
    ("scaling", "exact_step", "==", "eta*flow", {"given": "gamma == 0"}),
    ("factorisation", "charge", "==", "norm2(U) - norm2(W)", {}),
    ("factorisation", "trace_sigma_A", "==", "norm2(U) - norm2(W)", {}),
    ("affine", "decay", "==", "-4*gamma*charge", {}),
    (
        "affine",
        "exact_step",
        "==",
        "((1 - 2*eta*gamma)**2 - 1)*charge + eta**2/2*(signal + trace_sigma_A/S)",
        {},
    ),
    ("affine", "charge", "increasing", "", {"along": "orbit"}),
    ("nonlinear", "decay", "==", "-4*gamma*charge", {}),
    ("nonlinear", "flow", "==", "noise - 6*gamma*charge + gamma**2", {}),
    (
        "nonlinear",
        "exact_step",
        "==",
        "eta**2/2*(signal + trace_sigma_A/S)",
        {"given": "gamma == 0"},
    ),
    ("cubic", "trace_sigma_A2", "==", "trace_sigma", {}),
    ("cubic", "flow", "==", "noise - 2*gamma*charge", {}),
    ("wide", "flow*charge", "<", "0", {"given": "gamma > 0"}),
    ("wide", "charge", ">=", "0", {}),
    ("tanh", "loss", ">", "0", {}),
    ("tanh", "trace_sigma", "<=", "1", {}),
    ("rotation", "norm2_J", "==", "0", {}),
    ("rotation", "trace_sigma_A2", "==", "trace_sigma", {}),
)
