"""The oracle sees every kind of lie, the smallest too."""

import math
import os
import struct
import tempfile
import unittest

from tests.soak import truth
from tests.testing import outcome_lines

CATALOGUE = (
    'count 0 c_total', 'amount 1 a_total', 'level 2 l',
    'histogram 4 h - 0.25 1', 'tenths 18 t_total', 'living 0 soak_living',
    'event 8 births')
# Attempted and done of the entries; 10 words of nothing; rows.
ENTRIES = ((7, 7), (3072, 3072), (9, 9), (4, 4),  # c, a, l up and down
           (2, 2), (1, 1), (0, 0), (2560, 2560),  # h: buckets and sum
           (5, 5))
ROW_COUNT = 2
TENTHS = (0.1 + 0.1 + 0.1, 0.7)

TRUE_ANSWER = {
    'c_total': 7, 'a_total': 3, 'l': 5, 'h_bucket{le="0.25"}': 2,
    'h_bucket{le="1"}': 3, 'h_bucket{le="+Inf"}': 3, 'h_count': 3,
    'h_sum': 2.5, 't_total': math.fsum(TENTHS)}


def text_of(answer):
    return '# TYPE x counter\n' + ''.join(
        '%s %r\n' % item for item in answer.items())


class OracleTest(unittest.TestCase):
    def setUp(self):
        words = [word for entry in ENTRIES for word in entry]
        self.data = bytearray(struct.pack('<%dQ' % len(words), *words))
        rows = b''.join(struct.pack('<ddQ', value, value, i % 2)
                        for i, value in enumerate(TENTHS))
        self.data += struct.pack('<Q', ROW_COUNT) + bytes(24) + rows
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(self.data)
        self.addCleanup(os.unlink, file.name)
        self.path = file.name
        self.oracle = truth.Oracle(truth.Ledger(file.name, CATALOGUE))

    def judge(self, changes=(), begun=None):
        answer = {**TRUE_ANSWER, **dict(changes)}
        answer = {series: value for series, value in answer.items()
                  if value is not None}
        return self.oracle.judge(begun or self.oracle.begin(), text_of(answer))

    def set_word(self, index, value):
        with open(self.path, 'r+b') as file:
            file.seek(index * 8)
            file.write(struct.pack('<Q', value))

    def test_truth_passes(self):
        self.judge()
        self.assertEqual(
            self.oracle.judge_end(text_of(TRUE_ANSWER)), (9, 0))

    def test_each_number_that_is_off_by_a_little_is_seen(self):
        for series, value in TRUE_ANSWER.items():
            step = (2 * math.ulp(value) if series == 't_total' else
                    1 / 1024)
            for wrong in (value - step, value + step, 2 * value, None):
                with self.subTest(series=series, wrong=wrong):
                    self.assertRaises(truth.Violation, self.judge,
                                      {series: wrong})

    def test_a_number_less_than_one_served_before_is_seen(self):
        self.set_word(0, 9)  # attempted
        begun = self.oracle.begin()
        self.judge({'c_total': 9})
        self.judge({'c_total': 8}, begun)  # had begun before
        self.assertRaises(truth.Violation, self.judge, {'c_total': 8})

    def test_a_series_that_was_served_and_is_absent_is_seen(self):
        self.set_word(1, 0)  # done
        self.judge({'c_total': None})
        self.judge({'c_total': 0})
        self.assertRaises(truth.Violation, self.judge, {'c_total': None})

    def test_an_add_in_flight_may_be_made_or_not(self):
        self.set_word(0, 8)
        self.judge({'c_total': 7})
        self.assertEqual(
            self.oracle.judge_end(text_of({**TRUE_ANSWER, 'c_total': 8})),
            (9, 1))
        self.assertRaises(truth.Violation, self.judge, {'c_total': 9})

    def test_buckets_that_do_not_fit_together_are_seen(self):
        for entry in range(4, 7):
            self.set_word(2 * entry, 10)  # attempted: each could be more
        self.judge({'h_bucket{le="+Inf"}': 4, 'h_count': 4})
        for changes in ({'h_bucket{le="0.25"}': 5},
                        {'h_bucket{le="1"}': 5},
                        {'h_count': 5}):
            with self.subTest(changes=changes):
                self.assertRaises(truth.Violation, self.judge, {
                    'h_bucket{le="1"}': 4, 'h_bucket{le="+Inf"}': 4,
                    'h_count': 4, **changes})

    def test_a_reset_and_damage_are_seen(self):
        for series in ('tine_counter_resets_total{reason="archive_damaged"}',
                       'tine_damage_total{reason="bad_magic"}'):
            self.judge({series: 0})
            self.assertRaises(truth.Violation, self.judge, {series: 1})

    def test_somebody_who_lives_on_at_the_end_is_seen(self):
        text = text_of({**TRUE_ANSWER, 'soak_living': 1})
        self.judge({'soak_living': 1})
        self.assertRaises(truth.Violation, self.oracle.judge_end, text)


if __name__ == '__main__':
    outcome_lines.main()
