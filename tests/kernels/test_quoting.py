"""Where records end, against Python's csv module and a state for every byte."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle_kernels import quoting

pytestmark = pytest.mark.kernels

COMMA = ord(",")
texts = st.text(alphabet='ab,"\n\r', max_size=40)


def view(text):
    return np.frombuffer(text.encode(), np.uint8)


def records(text):
    """Return records and the line, from 0, in which each begins."""
    reader = csv.reader(io.StringIO(text, newline=""))
    found, line = [], 0
    for record in reader:
        if record:
            found.append((record, line))
        line = reader.line_num
    return found


@given(texts)
def test_text_cut_behind_any_record_has_the_same_records(text):
    whole = records(text)
    data = view("\n" + text)
    begin = 1
    cut = []
    while begin < data.size:
        end = quoting.record_end(data, begin, COMMA, quoting.OUTSIDE)
        end = data.size if end == quoting.NOWHERE else end
        cut += records(data[begin:end].tobytes().decode())
        begin = end
    assert [one for one, _ in cut] == [one for one, _ in whole]


@given(texts, texts)
def test_a_state_goes_on_where_text_is_cut(left, right):
    both = view("\n" + left + right)
    state = quoting.state_at_end(view("\n" + left), 1, COMMA, quoting.OUTSIDE)
    behind = quoting.state_at_end(both, 1 + len(left), COMMA, state & 3)
    whole = quoting.state_at_end(both, 1, COMMA, quoting.OUTSIDE)
    assert behind & 3 == whole & 3
    assert (behind | state) & quoting.LINES_IN_QUOTES == whole & quoting.LINES_IN_QUOTES


@given(texts)
def test_lines_in_quotes_are_seen(text):
    in_values = any(
        "\n" in value or "\r" in value for record, _ in records(text) for value in record
    )
    found = quoting.state_at_end(view("\n" + text), 1, COMMA, quoting.OUTSIDE)
    assert (found & quoting.LINES_IN_QUOTES != 0) == in_values


@given(texts)
def test_the_last_record_end_is_the_last_of_all(text):
    data = view("\n" + text)
    last = begin = 1
    while begin != quoting.NOWHERE:
        last = begin
        begin = quoting.record_end(data, begin, COMMA, quoting.OUTSIDE)
    assert quoting.last_record_end(view(text), COMMA) == last - 1


@given(texts)
def test_records_know_the_lines_they_begin_in(text):
    expected = [line for _, line in records(text)]
    data = view(text)
    found = [quoting.line_of_record(data, COMMA, number) for number in range(len(expected))]
    assert found == expected
    assert quoting.count_records(data, COMMA) == len(expected)
    assert quoting.line_of_record(data, COMMA, len(expected)) == quoting.NOWHERE


@given(texts)
def test_lines_are_counted(text):
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    assert quoting.count_lines(view(text)) == lines.count("\n")
