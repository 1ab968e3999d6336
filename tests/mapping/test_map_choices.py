"""Choices whose labels differ in punctuation alone are told apart, or not taken at all: none stands in for another."""

from collections.abc import Callable

import pytest
from mapping.map_case import MapCase
from mapping.test_map_values import deals

from flitstack.errors import UsageError

LANGUAGE = "t_l: {from: S%s, create: {type: %s, label: S, options: [[1, C], [2, C#], [3, A-1], [4, A.1], [5, F#]]}}"


def test_a_label_as_it_stands_goes_before_one_that_differs_in_punctuation(case: Callable[..., MapCase]) -> None:
    values = ["C", "c# ", "A.1", "A-1", "F", "A1", "C."]
    mapped = deals(case, LANGUAGE % ("", "Picklist"), *({"S": value} for value in values))
    assert [row["t_l"] for row in mapped.rows["deal"].values()] == [1, 2, 4, 3, 5, None, None]
    assert mapped.findings == [("unknown_choice", "6", "loaded", "S"), ("unknown_choice", "7", "loaded", "S")]


def test_each_of_several_choices_is_told_apart(case: Callable[..., MapCase]) -> None:
    mapped = deals(case, LANGUAGE % ("", "MultiSelectPicklist"), {"S": "C#;C"}, {"S": "C#; f"}, {"S": "C.;A-1"})
    assert [row["t_l"] for row in mapped.rows["deal"].values()] == ["1,2", "2,5", "3"]
    assert mapped.findings == [("unknown_choice", "3", "loaded", "S")]


def test_values_of_a_map_that_differ_in_punctuation_keep_their_own_options(case: Callable[..., MapCase]) -> None:
    choices = ", choices: {A 1: C, A/1: 'C#', '-': F#, B1: C, B-1: C}"
    values = ["A 1", "a/1", "-", "b.1", "A1"]
    mapped = deals(case, LANGUAGE % (choices, "Picklist"), *({"S": value} for value in values))
    assert [row["t_l"] for row in mapped.rows["deal"].values()] == [1, 2, 5, 1, None]
    assert mapped.findings == [("unknown_choice", "5", "loaded", "S")]


def test_a_label_that_could_be_several_options_is_refused_with_their_numbers(case: Callable[..., MapCase]) -> None:
    with pytest.raises(UsageError, match=r"'A 1' could be 3 \(A-1\) or 4 \(A.1\): write its number"):
        deals(case, LANGUAGE % (", choices: {x: A 1}", "Picklist"), {"S": "x"})
