"""Reasons: each is explained, and each is a word that Kubernetes takes as a reason."""

import re

import pytest

from gitops_backup.domain.reasons import EXPLANATIONS, Reason


def test_every_reason_is_explained() -> None:
    """Nobody meets a reason that the documentation does not know."""
    assert set(EXPLANATIONS) == set(Reason)


@pytest.mark.parametrize("reason", list(Reason))
def test_a_reason_is_camel_case_and_its_explanation_two_sentences(reason: Reason) -> None:
    """The form that conditions and events want, and what it means and what to do for people."""
    assert re.fullmatch(r"([A-Z][a-z]+)+", reason)
    assert reason.name == re.sub(r"(?<!^)([A-Z])", r"_\1", reason).upper()
    for sentence in (EXPLANATIONS[reason].meaning, EXPLANATIONS[reason].remedy):
        assert re.fullmatch(r"[A-Z].+\.", sentence)
        assert sentence.isprintable()


def test_reasons_are_unique() -> None:
    """An alias would make two names for the same thing."""
    assert len(Reason.__members__) == len({str(reason) for reason in Reason})
