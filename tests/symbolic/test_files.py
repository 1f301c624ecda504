"""Declaration files: what they mean, how they are refused, and that they are data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from symbolic import (
    Declaration,
    DeclarationError,
    Loss,
    ParameterSpace,
    Symmetry,
    Verdict,
    load,
)
from symbolic._file import MAX_BYTES, MAX_COMPONENTS, MAX_NAMES, loads
from tests.symbolic.hostile.corpus import HARMLESS, HOSTILE


HEAD = 'schema = 1\nname = "t"\n'
PAIR = "[parameters]\nu = []\nv = []\n"
GOOD = HEAD + PAIR + "[symmetry]\ngenerator = {u = 'u', v = '-2*v'}\n"
LOSS = "[data]\nx = []\ny = []\n[loss]\nexpression = '(u**2*v*x - y)**2'\n"


def _by_hand(symmetry: str) -> Declaration:
    space = ParameterSpace(u=(), v=())
    u, v, x, y, rho = sp.symbols("u v x y rho", real=True)
    ways = {
        "transformation": lambda: Symmetry.from_transformation(
            space, {"u": sp.exp(rho) * u, "v": sp.exp(-2 * rho) * v}
        ),
        "generator": lambda: Symmetry.from_generator(space, {"u": u, "v": -2 * v}),
        "matrix": lambda: Symmetry.exponential(space, [[1, 0], [0, -2]]),
    }
    loss = Loss((u**2 * v * x - y) ** 2, space, data={"x": (), "y": ()})
    return Declaration("t", space, ways[symmetry](), loss)


KINDS = {
    "transformation": "{u = 'exp(rho)*u', v = 'exp(-2*rho)*v'}",
    "generator": "{u = 'u', v = '-2*v'}",
    "matrix": "[['1', 0], ['0', '-2']]",
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_three_kinds_mean_what_python_means(kind: str) -> None:
    found = loads(f"{HEAD}{PAIR}[symmetry]\n{kind} = {KINDS[kind]}\n{LOSS}")
    assert found == _by_hand(kind)
    assert found.symmetry.preserves(found.loss).verdict is Verdict.PROVED


def test_load_reads_the_file(tmp_path: Path) -> None:
    path = tmp_path / "law.toml"
    path.write_text(GOOD.replace('"t"', '"Drehung um 2π"'), "utf-8")
    assert load(path).name == "Drehung um 2π"
    assert load(str(path)).loss is None


def test_matrices_dimensions_and_constants() -> None:
    text = f"""{HEAD}
[parameters]
U = ["d_y", "d"]
W = ["d", 1]
[data]
x = [1]
y = ["d_y"]
[dimensions]
d = 2
d_y = 3
[constants]
B = {{ shape = ["d", "d"], symmetric = true }}
[symmetry]
generator = {{ U = "U*B", W = "-B*W" }}
[loss]
expression = "norm2(U*W*x - y)"
"""
    found = loads(text)
    assert found.space == ParameterSpace(U=(3, 2), W=(2, 1))
    assert found.symmetry.kind == "exponential"
    assert [s.name for s in found.symmetry.constants] == ["B_0_0", "B_0_1", "B_1_1"]
    assert found.symmetry.preserves(found.loss).verdict is Verdict.PROVED


@pytest.mark.parametrize(
    ("assume", "known"),
    [
        ("positive", "is_positive"),
        ("negative", "is_negative"),
        ("nonnegative", "is_nonnegative"),
        ("nonzero", "is_nonzero"),
        ("real", "is_real"),
    ],
)
@pytest.mark.parametrize(
    "symmetry",
    [
        "matrix = [['k', '0'], ['0', 'B']]",
        "generator = {u = 'k*u', v = 'B*v'}",
        "transformation = {u = 'exp(k*rho)*u', v = 'exp(B*rho)*v'}",
    ],
)
def test_constants_keep_their_assumption(
    assume: str, known: str, symmetry: str
) -> None:
    found = loads(
        f"{HEAD}{PAIR}[symmetry]\n{symmetry}\n"
        f"[constants]\nk = {{assume = '{assume}'}}\nB = {{}}\n"
    )
    k = {s.name: s for s in found.symmetry.constants}["k"]
    assert getattr(k, known)
    assert k.is_real


def test_general_matrix_constants_differ_across_the_diagonal() -> None:
    found = loads(
        f"{HEAD}[parameters]\nw = [2]\n[symmetry]\ngenerator = {{w = 'B*w'}}\n"
        "[constants]\nB = {shape = [2, 2]}\n"
    )
    assert len(found.symmetry.constants) == 4
    assert found.symmetry.kind == "linear"


WRONG: list[tuple[str, str]] = [
    (GOOD.replace("schema = 1", "schema = 2"), "schema: "),
    (GOOD.replace("schema = 1", "schema = true"), "schema: "),
    (GOOD.replace('name = "t"', ""), "name: missing"),
    (GOOD.replace('"t"', "3"), "name: "),
    (GOOD.replace('"t"', '"\\u001b[2J"'), "name: expected printable"),
    (GOOD.replace("u = []\n", "u = 1.5\n"), "parameters.u: "),
    (GOOD.replace("v = []", "v = [true]"), "parameters.v.0: "),
    (GOOD.replace("v = []", "v = ['e']"), "unknown dimension 'e'"),
    (GOOD.replace("v = []", "v = [0]"), "parameters.v: expected positive"),
    (GOOD.replace("v = []", "v = [1, 1, 1]"), "parameters.v: expected a scalar"),
    (GOOD.replace("v = []", "gamma = []"), "parameters.gamma: 'gamma' is reserved"),
    (GOOD.replace("v = []", "tanh = []"), "'tanh' is reserved"),
    (GOOD.replace("v = []", "lambda = []"), "'lambda' is reserved"),
    (GOOD.replace("v = []", "_v = []"), "expected a name of at most 32"),
    (GOOD + "[data]\nu = []\n", "data.u: expected a name of its own"),
    (GOOD + "[constants]\nu = {}\n", "constants.u: expected a name of its own"),
    (GOOD + "[dimensions]\nu = 2\n", "parameters.u: expected a name of its own"),
    (GOOD + "[constants]\nSigma_u_v = {}\n", "'Sigma_u_v' twice"),
    (GOOD + "[data]\ng_u = []\n", "'g_u' twice"),
    (GOOD + "[dimensions]\nd = 0\n", "dimensions.d: "),
    (GOOD + "[constants]\nk = {assume = 'odd'}\n", "constants.k.assume: "),
    (GOOD + "[constants]\nk = {size = 1}\n", "constants.k.size: unknown key"),
    (
        GOOD + "[constants]\nk = {shape = [1, 2], symmetric = true}\n",
        "constants.k: expected the symmetric constant k to be square",
    ),
    (GOOD + "matrix = [['1']]\n", "exactly one of transformation, generator, matrix"),
    (HEAD + PAIR + "[symmetry]\n", "exactly one of"),
    (HEAD + PAIR, "symmetry: missing"),
    (HEAD + PAIR + "[symmetry]\nmatrix = [['1']]\n", "expected 2 rows of 2 entries"),
    (
        HEAD + PAIR + "[symmetry]\nmatrix = [['u', 0], [0, 0]]\n",
        "symmetry.matrix, row 1, entry 1, column 1: unknown name u",
    ),
    (
        HEAD + PAIR + "[symmetry]\ntransformation = {u = 'rho*u'}\n",
        "expected the identity at rho = 0",
    ),
    (GOOD.replace("u = 'u'", "w = 'u'"), "symmetry.generator.w: expected a parameter"),
    (GOOD.replace("u = 'u'", "u = 'rho*u'"), "unknown name rho"),
    (GOOD.replace("u = 'u'", "u = 1"), "symmetry.generator.u: "),
    (GOOD + "[loss]\nexpression = 'z'\n", "loss.expression, column 1: unknown name z"),
    (GOOD + "[loss]\nexpression = 1\n", "loss.expression: "),
    (GOOD + "[loss]\n", "loss.expression: missing"),
    (GOOD + "[loss]\nexpression = 'u'\nkind = 1\n", "loss.kind: unknown key"),
    (GOOD + "[lost]\n", "lost: unknown key"),
    (GOOD + "[symmetry]\n", "expected TOML: "),
    (GOOD + "x = ", "expected TOML: "),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_mistakes_are_named(text: str, said: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        loads(text)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_all_mistakes_at_once() -> None:
    text = (
        GOOD.replace("u = 'u'", "u = 'w'").replace("-2*v", "v +")
        + "[loss]\nexpression = 'foo(u)'\n"
    )
    with pytest.raises(DeclarationError) as caught:
        loads(text)
    lines = [line for line in str(caught.value).split("\n") if line[:1] != " "]
    assert [line.partition(",")[0] for line in lines] == [
        "symmetry.generator.u",
        "symmetry.generator.v",
        "loss.expression",
    ]


def test_all_mistakes_of_the_schema_at_once() -> None:
    with pytest.raises(DeclarationError) as caught:
        loads("schema = 3\nlost = 1\n[parameters]\nu = 1\n[symmetry]\nodd = 1\n")
    said = str(caught.value)
    for key in ("lost: ", "symmetry.odd: ", "schema: ", "name: ", "parameters.u: "):
        assert f"\n{key}" in f"\n{said}"


def test_names_and_sizes_are_all_reported() -> None:
    with pytest.raises(DeclarationError) as caught:
        loads(GOOD.replace("u = []\nv = []", "_u = []\nexp = []\nS = []"))
    assert str(caught.value).count("parameters.") == 3


def test_a_matrix_that_is_not_symmetric_is_a_linear_field() -> None:
    found = loads(f"{HEAD}{PAIR}[symmetry]\nmatrix = [['1', '2'], ['3', '4']]\n")
    u, v = found.space.symbols
    assert found.symmetry.generator == (u + 2 * v, 3 * u + 4 * v)
    assert found.symmetry.kind == "linear"


def test_constants_stand_in_the_loss_too() -> None:
    constants = "[constants]\nk = {assume = 'positive'}\n"
    loss = "[data]\ny = []\n[loss]\nexpression = '(u**2*v - k*y)**2'\n"
    found = loads(GOOD + constants + loss)
    assert found.loss is not None
    assert sp.Symbol("k", positive=True) in found.loss.expression.free_symbols
    assert found.symmetry.preserves(found.loss).verdict is Verdict.PROVED


@pytest.mark.parametrize("table", ["parameters", "data"])
def test_many_components_are_kept_in_words(table: str) -> None:
    def text(size: int) -> str:
        shapes = {"parameters": "[1]", "data": "[1]"}
        shapes[table] = f"[{size}]"
        return (
            f"{HEAD}[parameters]\nu = {shapes['parameters']}\n[symmetry]\n"
            f"generator = {{u = 'u'}}\n[data]\nx = {shapes['data']}\n"
        )

    assert not loads(text(MAX_COMPONENTS)).is_matrix
    assert loads(text(MAX_COMPONENTS + 1)).is_matrix


def test_too_many_names() -> None:
    many = "\n".join(f"x{k} = []" for k in range(MAX_NAMES + 1))
    with pytest.raises(DeclarationError, match="data: expected at most 100 names"):
        loads(f"{GOOD}[data]\n{many}\n")


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "law.toml"
    path.write_bytes(GOOD.encode() + b"# \xff\n")
    with pytest.raises(DeclarationError, match=r"expected UTF-8, got byte 0xff"):
        load(path)
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(DeclarationError, match=r"expected at most 65536 bytes"):
        load(path)
    with pytest.raises(OSError, match="No such file"):
        load(tmp_path / "missing.toml")


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Outcome, seconds and audit events of each text, hostile ones first."""
    folder = tmp_path_factory.mktemp("hostile")
    corpus = folder / "corpus.json"
    corpus.write_text(json.dumps([*HOSTILE, *HARMLESS]), "utf-8")
    (folder / "warm.json").write_text(json.dumps([*WARM, *HARMLESS]), "utf-8")
    child = Path(__file__).parent / "hostile" / "child.py"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, str(child), str(corpus), str(folder)],
        env={**os.environ, "PYTHONPATH": str(root)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )
    found = json.loads(done.stdout)
    assert {e.split()[0] for e in found["control"]} >= {"compile", "exec", "open"}
    results: list[Any] = found["results"]
    return results


WARM = [
    *(f"{HEAD}{PAIR}[symmetry]\n{k} = {KINDS[k]}\n{LOSS}" for k in KINDS),
    f"{HEAD}{PAIR}[symmetry]\nmatrix = [['1', '2'], ['3', '4']]\n",
    f"{HEAD}{PAIR}[symmetry]\ntransformation = {{u = 'log(rho)', v = 'v/rho'}}\n",
    f"{HEAD}{PAIR}[symmetry]\ngenerator = {{u = 'relu(exp(-1)-v)', v = 'sqrt(-1)'}}\n",
]


def test_the_corpus_is_large() -> None:
    assert len(set(HOSTILE)) >= 300


def test_nothing_of_a_file_runs(heard: list[Any]) -> None:
    texts = [*HOSTILE, *HARMLESS]
    assert len(heard) == len(texts)
    ran = [(t[:200], e) for t, (_, _, e) in zip(texts, heard, strict=True) if e]
    assert ran == []


def test_nothing_hangs(heard: list[Any]) -> None:
    texts = [*HOSTILE, *HARMLESS]
    slow = [(t[:200], s) for t, (_, s, _) in zip(texts, heard, strict=True) if s >= 2]
    assert slow == []


def test_hostile_texts_are_refused_and_harmless_ones_are_not(heard: list[Any]) -> None:
    said = [outcome for outcome, _, _ in heard]
    bad = zip(HOSTILE, said[: len(HOSTILE)], strict=True)
    assert [(t[:200], s) for t, s in bad if not s.startswith("refused: ")] == []
    good = zip(HARMLESS, said[len(HOSTILE) :], strict=True)
    assert [(t[:200], s) for t, s in good if s != "derived"] == []


def test_refusals_are_short_and_printable(heard: list[Any]) -> None:
    for said, _, _ in heard:
        assert len(said) < 4000
        assert said.replace("\n", "").isprintable()


@settings(max_examples=150, deadline=None, database=None)
@given(st.text(max_size=60))
def test_random_expressions_load_or_are_refused(text: str) -> None:
    _read_or_refuse(f"{GOOD}[loss]\nexpression = {json.dumps(text)}\n")


OPERATORS = ["+", "-", "*", "/", "**", "(", ")", ")", ")", ",", ".T"]
FUNCTIONS = ["exp(", "log(", "relu(", "sqrt(", "inv(", "norm2(", "sigmoid("]
tokens = st.sampled_from(["u", "v", "2", "1e60", "0", "64", *OPERATORS, *FUNCTIONS])


@settings(max_examples=200, deadline=None, database=None)
@given(st.lists(tokens, max_size=25).map(" ".join))
def test_shuffled_tokens_load_or_are_refused(text: str) -> None:
    _read_or_refuse(f"{GOOD}[loss]\nexpression = {json.dumps(text)}\n")


pieces = st.sampled_from(
    [*"u[]{}=.\"'\n1,", "schema = 1\n", PAIR, "[symmetry]\n", "generator", "matrix"]
)


@settings(max_examples=150, deadline=None, database=None)
@given(st.lists(pieces, max_size=20).map("".join))
def test_shuffled_files_load_or_are_refused(text: str) -> None:
    _read_or_refuse(text)


@settings(max_examples=100, deadline=None, database=None)
@given(st.binary(max_size=200))
def test_random_bytes_are_refused(raw: bytes) -> None:
    _read_or_refuse(raw.decode("latin-1"))


def _read_or_refuse(text: str) -> None:
    try:
        loads(text)
    except DeclarationError as error:
        assert str(error)  # noqa: PT017 - either outcome is right
