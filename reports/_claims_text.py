"""The claims as a table in Markdown: what docs/claims.md holds."""

from __future__ import annotations

from collections.abc import Iterable

from verify import Claim


_HEAD = """\
# The claims

What `noetherflow verify` checks, in the order of the papers: one statement a row, as
it is `published`, `corrected` where the printed one is false, or the toolkit's `own`;
and the verdict that it must reach. P1 is arXiv 2402.07193, its v1 where nothing else
is said.
`noetherflow verify ID` runs one; the report has statements, proofs and counterexamples.
(This page is the output of `noetherflow list --markdown`.)

| claim | what it says | form | expected |
| --- | --- | --- | --- |
"""


def claims_markdown(claims: Iterable[Claim]) -> str:
    """Return the table of claims.

    Args:
        claims: in the order of the rows.

    Returns:
        A page in Markdown.
    """
    rows = [
        f"| `{claim.id}` | {claim.title.replace('|', chr(92) + '|')} | {claim.form} | "
        f"{claim.expected.name} |\n"
        for claim in claims
    ]
    return _HEAD + "".join(rows)
