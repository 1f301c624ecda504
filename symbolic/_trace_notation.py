"""Matrix polynomials as LaTeX, the way a theorist writes them."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

from symbolic._words import Key, Letter, MatrixPolynomial, Number, Word


_GREEK = frozenset(
    (
        *("alpha", "beta", "gamma", "delta", "epsilon", "eta", "theta", "lambda"),
        *("mu", "rho", "sigma", "Gamma", "Lambda", "Sigma"),
    )
)


def latex(f: MatrixPolynomial) -> str:
    r"""Return the polynomial as LaTeX, without dollar signs.

    Args:
        f: the polynomial.

    Returns:
        LaTeX; means over independent samples as separate expectations.

    >>> from symbolic import matrix, sample
    >>> U, x = matrix("U", "m", "d"), sample("x", "d")
    >>> print(latex((x.T @ U.T @ U @ x).mean()))
    \mathbb{E}\left[x^\top U^\top U x\right]
    """
    if not f.terms:
        return "0"
    terms = sorted(f.terms.items(), key=lambda item: (len(item[0][1]), item[0]))
    text = ""
    for key, c in terms:
        body = _monomial(key, f.rows)
        size = "" if abs(c) == 1 and body else _fraction(c if c > 0 else -c)
        sign = "-" if c < 0 else "+"
        text += (f" {sign} " if text else sign.strip("+")) + (
            f"{size}\\,{body}" if size and body else size + body
        )
    return text


def name_latex(name: str) -> str:
    r"""Return a name as LaTeX: `d_x` → d_{x}, `sigma2` → \sigma^2."""
    if name == "sigma2":
        return r"\sigma^2"
    head, _, tail = name.partition("_")
    head = f"\\{head}" if head in _GREEK else head
    if not tail:
        return head
    return f"{head}_{{{name_latex(tail)}}}"


def _fraction(c: Number) -> str:
    if c.denominator == 1:
        return str(c.numerator)
    return f"\\frac{{{c.numerator}}}{{{c.denominator}}}"


def _monomial(key: Key, rows: str) -> str:
    powers, traced, word = key
    parts = [name_latex(n) + (f"^{{{p}}}" if p != 1 else "") for n, p in powers]
    inline = _inline_samples(key)
    plain: list[str] = []
    mixed: list[str] = []
    for w in traced:
        target = mixed if {a.copy for a in w if a.data} - inline - {0} else plain
        target.append(_scalar(w, inline))
    parts += plain
    open_mixed = {a.copy for a in word if a.data} - inline - {0}
    last = _product(word, inline) if word else ("I" if rows != "1" else "")
    if mixed or open_mixed:
        inside = [*mixed, *([last] if open_mixed else [])]
        parts.append(_mean(r"\,".join(inside)))
    if last and not open_mixed:
        parts.append(last)
    return r"\,".join(parts)


def _inline_samples(key: Key) -> set[int]:
    """Return the samples whose letters stand side by side in one word only."""
    runs: Counter[int] = Counter()
    for word in (*key[1], key[2]):
        ring = _unrolled(word) if word in key[1] else word
        for copy, _ in groupby(ring, key=_sample_of):
            runs[copy] += 1
    inline = {copy for copy, count in runs.items() if copy > 0 and count == 1}
    whole = {a.copy for w in key[1] for a in w if len({_sample_of(b) for b in w}) == 1}
    return inline - whole if len([c for c in runs if c > 0]) == 1 else inline


def _sample_of(letter: Letter) -> int:
    return letter.copy if letter.data else -1


def _unrolled(word: Word) -> Word:
    """Rotate a cyclic word so that no run of one sample is cut in two."""
    if word[0].rows == "1":
        return word
    for i in range(len(word)):
        if _sample_of(word[i - 1]) != _sample_of(word[i]):
            return word[i:] + word[:i]
    return word


def _scalar(word: Word, inline: set[int]) -> str:
    if word[0].rows == "1":
        if (
            len(word) == 2
            and word[0].name == word[1].name
            and (word[0].copy == word[1].copy)
        ):
            return f"\\|{_letter(word[1])}\\|^2"
        return _product(word, inline)
    return f"\\mathrm{{Tr}}\\left[{_product(_unrolled(word), inline)}\\right]"


def _product(word: Word, inline: set[int]) -> str:
    pieces = []
    for copy, run in groupby(word, key=_sample_of):
        text = " ".join(map(_letter, run))
        pieces.append(_mean(text) if copy in inline else text)
    return " ".join(pieces)


def _mean(text: str) -> str:
    return f"\\mathbb{{E}}\\left[{text}\\right]"


def _letter(letter: Letter) -> str:
    text = name_latex(letter.name)
    if letter.copy > 1:
        text += "'" * (letter.copy - 1)
    return text + (r"^\top" if letter.transposed else "")
